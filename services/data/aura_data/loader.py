"""The loader's command line: the catalogue into MongoDB and Milvus, once they are up, for a job that nobody watches."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from aura_contract.experiment import AuraExperiment
from aura_contract.manifest import ManifestError, load_manifest
from aura_data.errors import DataError, ServerAway, ServerError
from aura_data.loading import LoadProgress, load_catalogue
from aura_telemetry import logs

__all__ = ["main"]

BAD_INPUT, PART_LOST = 2, 3
RETRY_S = 2.0
SPEAK_S = 5.0

log = logging.getLogger("aura_loader")


def main(arguments: Sequence[str] | None = None) -> int:
    """Load; returns 0, 2 (manifest or catalogue cannot be used) or 3 (a server cannot)."""
    options = _parser().parse_args(arguments)
    try:
        experiment = load_manifest(options.manifest)
        logs.setup({"experiment": experiment.metadata.name})
        _load(experiment, options.manifest, options.wait)
    except ServerError as error:
        return _fail(error, PART_LOST)
    except (ManifestError, DataError) as error:
        return _fail(error, BAD_INPUT)
    return 0


def _load(experiment: AuraExperiment, manifest: Path, wait: float) -> None:
    """Try until the servers are there, at most `wait` seconds; what was loaded before a server went is loaded again."""
    deadline = time.monotonic() + wait
    while True:
        try:
            load_catalogue(experiment, manifest, _progress(), log.info)
        except ServerAway as error:
            if time.monotonic() >= deadline:
                raise
            log.warning("%s; trying again", error)
            time.sleep(RETRY_S)
        else:
            return


def _progress() -> LoadProgress:
    """A line every few seconds."""
    spoken = time.monotonic()

    def tell(server: str, done: int) -> None:
        nonlocal spoken
        if time.monotonic() - spoken >= SPEAK_S:
            spoken = time.monotonic()
            log.info("%s: %s items", server, f"{done:,}")

    return tell


def _fail(error: Exception, status: int) -> int:
    print(f"aura-loader: {error}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("aura-loader", description="Loads an experiment's catalogue into its MongoDB and Milvus.")
    manifest = os.environ.get("AURA_MANIFEST")
    parser.add_argument(
        "--manifest",
        type=Path,
        required=manifest is None,
        default=manifest,
        help="the AuraExperiment, a YAML or JSON file (environment: AURA_MANIFEST)",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=os.environ.get("AURA_WAIT", "120"),
        metavar="SECONDS",
        help="how long to wait for servers that do not answer yet (environment: AURA_WAIT; 120 by default)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
