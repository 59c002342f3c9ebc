"""The replayer's command line: one run of one experiment against Redis and Kafka servers that are already there."""

import argparse
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

from aura_bus import BusError
from aura_contract.manifest import ManifestError, load_manifest
from aura_contract.results import Ending, Verdict
from aura_data.errors import DataError, ServerError
from aura_replayer.arm.base import ArmEmptied, ArmLost
from aura_replayer.desk import PlanLost
from aura_replayer.ending import write_ending
from aura_replayer.merging import merge, wait_for_shards
from aura_replayer.monitor import Monitor
from aura_replayer.parts import RunSettings, ServerParts
from aura_replayer.report import write_report
from aura_replayer.run import Run, first_progress
from aura_telemetry import logs
from aura_telemetry.tracing import TracingError

__all__ = ["main"]

FAULT, BAD_INPUT, PART_LOST, INTERRUPTED = 1, 2, 3, 130

EXAMPLE = """example:
  aura-replayer --manifest examples/quickstart.yaml --run r1 --kafka 127.0.0.1:9092 \\
    --arm baseline=redis://127.0.0.1:6379 --arm aura=redis://127.0.0.1:6380 --out runs/r1

Started again with the same --run and --out it goes on where it stopped, as long as the Redis servers are the same;
after its end it only says again how it ended.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the replayer; returns 0, 1 (a fault of its own), 2 (bad input), 3 (a part was lost) or 130 (interrupted)."""
    options = _parser().parse_args(arguments)
    # Two threads take turns: the one that talks to the servers must not wait 5 ms for the other.
    sys.setswitchinterval(0.0005)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    ending = _attempt(options, stop)
    if ending.verdict is not None:
        print(ending.verdict.model_dump_json())
    elif ending.exit_code == 0:
        print(ending.message)
    else:
        print(f"aura: {ending.message}", file=sys.stderr, flush=True)
    if options.ending:
        try:
            write_ending(Path(options.ending), ending)
        except OSError as error:
            print(f"--ending {options.ending}: cannot be written: {error.strerror}", file=sys.stderr)
    return ending.exit_code


def _attempt(options: argparse.Namespace, stop: threading.Event) -> Ending:
    """One run with whatever comes of it."""
    monitor = None
    try:
        settings = _settings(options)
        logs.setup({"experiment": settings.experiment.metadata.name, "run": options.run})
        parts = ServerParts(settings, options.kafka, _arms(options, settings))
        monitor = Monitor(first_progress(settings, parts.missing))
        host, _, port = options.listen.rpartition(":")
        port = _serve(monitor, host, int(port))
        print(f"listening on {host}:{port}", file=sys.stderr, flush=True)
        verdict = Run(settings, parts, monitor, stop.is_set).execute()
        return _ended(options, settings, monitor, verdict, stop)
    except (ArmLost, PlanLost, BusError, ServerError) as error:
        return _failed(monitor, options.run, PART_LOST, str(error), final=isinstance(error, ArmEmptied))
    except (ManifestError, DataError, TracingError) as error:
        return _failed(monitor, options.run, BAD_INPUT, str(error))
    except OSError as error:
        text = f"{error.filename or options.out}: {error.strerror or error}; free some space or choose another --out"
        return _failed(monitor, options.run, BAD_INPUT, text)
    except Exception as error:  # noqa: BLE001 - the last resort: whoever waits for the ending gets a sentence
        traceback.print_exc()
        return _failed(monitor, options.run, FAULT, f"the replayer failed: {type(error).__name__}: {error}; see its log")


def _ended(
    options: argparse.Namespace, settings: RunSettings, monitor: Monitor, verdict: Verdict | None, stop: threading.Event
) -> Ending:
    """What the shard's verdict comes to: the run's own where there is one shard, else that of all where they are merged."""
    if verdict is not None and settings.shard.count > 1:
        if settings.index or not options.merge:
            return Ending(run=options.run, exit_code=0, message=f"shard {settings.index} of {settings.shard.count} is done")
        verdict = merge(settings) if wait_for_shards(settings, monitor.say, stop.is_set) else None
    if verdict is None:
        return _failed(monitor, options.run, INTERRUPTED, "stopped before the end of the log; no verdict was written")
    if options.report:
        write_report(settings, Path(options.manifest))
    return Ending(run=options.run, exit_code=0, message=f"{verdict.verdict}: {verdict.reason}", verdict=verdict)


def _failed(monitor: Monitor | None, run: str, code: int, message: str, *, final: bool = False) -> Ending:
    if monitor is not None:
        monitor.update(monitor.progress.model_copy(update={"phase": "failed", "message": message}))
    return Ending(run=run, exit_code=code, message=message, final=final)


def _settings(options: argparse.Namespace) -> RunSettings:
    manifest = Path(options.manifest)
    experiment, shard = load_manifest(manifest), options.shard
    if not shard.isdecimal() or int(shard) >= experiment.spec.workload.shards:
        shards = experiment.spec.workload.shards
        raise ManifestError(f"--shard {shard}: {manifest} has workload.shards {shards}, so give one of 0 to {shards - 1}")
    return RunSettings(experiment, manifest.parent, options.run, Path(options.out), options.bad_rows, int(shard))


def _arms(options: argparse.Namespace, settings: RunSettings) -> dict[str, str]:
    manifest = options.manifest
    arms = dict(pair.split("=", 1) for pair in (options.arm or os.environ.get("AURA_ARMS", "").split()))
    missing = [name for name in settings.experiment.spec.arms if name not in arms]
    if missing:
        raise ManifestError(f"{manifest}: arm {missing[0]} has no Redis; add --arm {missing[0]}=redis://HOST:PORT")
    if len(set(arms.values())) < len(arms):
        raise ManifestError(f"{manifest}: two arms have the same Redis; each needs a whole server of its own")
    return arms


def _serve(monitor: Monitor, host: str, port: int) -> int:
    try:
        return monitor.serve(host, port)
    except OSError as error:
        raise DataError(f"--listen {host}:{port}: {error.strerror}; choose another port, or 0 for any") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("aura-replayer", epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter)
    environment = os.environ.get
    parser.add_argument("--manifest", required="AURA_MANIFEST" not in os.environ, default=environment("AURA_MANIFEST"))
    parser.add_argument("--run", required="AURA_RUN" not in os.environ, default=environment("AURA_RUN"), help="id of the run")
    parser.add_argument("--kafka", default=environment("AURA_KAFKA", "127.0.0.1:9092"), help="HOST:PORT of the broker")
    parser.add_argument(
        "--arm",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="Redis of an arm, once each arm; or AURA_ARMS with all of them, which keeps passwords out of process lists",
    )
    parser.add_argument(
        "--shard",
        default=environment("AURA_SHARD", "0"),
        metavar="N",
        help="which of the manifest's workload.shards, from 0; its arms are those of --arm, its files go to OUT/shards/N",
    )
    parser.add_argument(
        "--merge",
        action="store_true",
        default=environment("AURA_MERGE") == "true",
        help="shard 0 waits for the others' files and merges them; or AURA_MERGE=true",
    )
    parser.add_argument("--out", default=environment("AURA_OUT", "."), help="folder for the result files")
    parser.add_argument("--listen", default=environment("AURA_LISTEN", "127.0.0.1:0"), help="HOST:PORT of /progress and /metrics")
    parser.add_argument(
        "--ending",
        metavar="FILE",
        default=environment("AURA_ENDING"),
        help="write there how it ended, in at most 4,096 bytes of JSON: /dev/termination-log in Kubernetes",
    )
    parser.add_argument(
        "--report",
        action="store_true",
        default=environment("AURA_REPORT") == "true",
        help="write ceilings.json and report.html too; or AURA_REPORT=true",
    )
    parser.add_argument("--bad-rows", choices=("fail", "skip"), default="fail", help="what to do with rows that cannot be read")
    return parser
