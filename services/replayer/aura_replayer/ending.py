"""How a replayer ended, in a file: Kubernetes reads it as the termination message, so it outlives pod and operator."""

import json
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

from aura_contract.results import ENDING_BYTES, Ending, Verdict

__all__ = ["encode_ending", "write_ending"]

ELLIPSIS = "…"


def write_ending(path: Path, ending: Ending) -> None:
    """Write in place, since Kubernetes mounts the very file; raises OSError."""
    path.write_bytes(encode_ending(ending))


def encode_ending(ending: Ending) -> bytes:
    """Compact JSON of at most 4,096 bytes.

    What does not fit is left out in this order: reasons of unplanned windows, control arms, the end of the message, the end
    of the verdict's reason.
    """
    for shorten in (_whole, _without_reasons, _without_controls, _short_message, _short_reason):
        ending = shorten(ending)
        data = _json(ending)
        if len(data) <= ENDING_BYTES:
            break
    return data


def _json(ending: Ending) -> bytes:
    return ending.model_dump_json().encode()


def _whole(ending: Ending) -> Ending:
    return ending


def _of_verdict(ending: Ending, change: Callable[[Verdict], dict[str, object]]) -> Ending:
    if ending.verdict is None:
        return ending
    return ending.model_copy(update={"verdict": ending.verdict.model_copy(update=change(ending.verdict))})


def _without_reasons(ending: Ending) -> Ending:
    def change(verdict: Verdict) -> dict[str, object]:
        bare = {
            name: arm.model_copy(update={"plans": arm.plans.model_copy(update={"unplanned": {}})})
            for name, arm in verdict.arms.items()
        }
        return {"arms": bare}

    return _of_verdict(ending, change)


def _without_controls(ending: Ending) -> Ending:
    return _of_verdict(ending, lambda verdict: {"arms": {name: verdict.arms[name] for name in ("baseline", "aura")}})


def _short_message(ending: Ending) -> Ending:
    return ending.model_copy(update={"message": _cut(ending.message, len(_json(ending)) - ENDING_BYTES)})


def _short_reason(ending: Ending) -> Ending:
    overflow = len(_json(ending)) - ENDING_BYTES
    return _of_verdict(ending, lambda verdict: {"reason": _cut(verdict.reason, overflow)})


def _cut(text: str, overflow: int) -> str:
    """As much of the text as is at least `overflow` bytes shorter in JSON."""
    sizes = list(accumulate(len(json.dumps(letter, ensure_ascii=False).encode()) - 2 for letter in text))
    room = (sizes[-1] if sizes else 0) - overflow - len(ELLIPSIS.encode())
    return text[: bisect_right(sizes, room)] + ELLIPSIS
