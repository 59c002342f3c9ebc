"""Write the payloads of the contract's golden vectors as seeds of the fuzz target `message`: `python seeds.py FOLDER`."""

import base64
import json
import sys
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parents[2] / "services" / "contract" / "golden" / "plan_admissibility.json"
LONGEST = 65_536
"""Longer ones would only be slow: what the fuzzer is given, it repeats."""


def payload(vector: dict[str, Any]) -> bytes:
    """The message of a vector, whichever way it is written down."""
    if "payload_base64" in vector:
        return base64.b64decode(vector["payload_base64"])
    if "payload_parts" in vector:
        return "".join(text * times for text, times in vector["payload_parts"]).encode()
    return str(vector["payload"]).encode()


def main() -> None:
    """Write one file a vector."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, vector in enumerate(json.loads(VECTORS.read_text(encoding="utf-8"))):
        message = payload(vector)
        if len(message) <= LONGEST:
            (folder / f"vector-{number:03}").write_bytes(message)


if __name__ == "__main__":
    main()
