"""The replayer's peak memory on the whole grocery log (1.5 million events, 70,000 items) and on ten times as many events.

The long log is the short one written ten times into a CSV file, so that both have the same items.
"""

import os
import signal
import sys
import tempfile
from pathlib import Path

import pyarrow.csv as pc
from results import Result, below

from aura_cli.embedded import Household
from aura_cli.embedded.kafka import start_broker
from aura_cli.embedded.redis import start_redis
from aura_contract.workload import SourceSpec
from aura_data.tables import open_table

__all__ = ["memory_benchmarks"]

LIMIT_MB = 400.0
FLAT = 1.1
TIMES = 10
COLUMNS = {"item": "item", "user": "user", "session": "session", "action": "action"}
MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: memory}}
spec:
  workload:
    source: {{path: {log}}}
    columns: {{item: item, user: user, session: session, action: action}}
    requests: [purchase]
  catalog: {{source: {{dataset: complete-journey}}}}
  cache: {{capacity: 5%}}
  planner: {{backend: noop, mode: async}}
  dependencies: {{kafka: {{topicPrefix: {run}-}}}}
"""


def write_log(path: Path, times: int) -> None:
    """The grocery log, so many times over, as CSV."""
    with path.open("wb") as file:
        writer = None
        for _ in range(times):
            table = open_table(SourceSpec(dataset="complete-journey"), "auto", COLUMNS, base=Path())
            for batch in table.batches():
                writer = writer or pc.CSVWriter(file, batch.schema, write_options=pc.WriteOptions(quoting_style="none"))
                writer.write_batch(batch)
        assert writer is not None
        writer.close()


def peak_mb(house: Household, kafka: str, run: str, times: int) -> float:
    """Largest resident size of the replayer process in MB over a whole run."""
    folder = Path(tempfile.mkdtemp(dir=house.folder))
    write_log(folder / "log.csv", times)
    manifest = folder / "experiment.yaml"
    manifest.write_text(MANIFEST.format(log="log.csv", run=run))
    common = ["--manifest", str(manifest), "--run", run, "--kafka", kafka]
    planner = house.start(
        f"planner-{run}", "the planner", [sys.executable, "-m", "aura_planner", *common, "--listen", "127.0.0.1:0"]
    )
    arms = [part for name in ("baseline", "aura") for part in ("--arm", f"{name}={start_redis(house, f'{name}-{run}').url}")]
    argv = [sys.executable, "-m", "aura_replayer", *common, "--out", str(folder / "out"), *arms]
    process = os.posix_spawn(
        sys.executable, argv, dict(os.environ), file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    )
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"benchmark run {run} failed")
    planner.signal(signal.SIGTERM)
    planner.wait(10)
    house.forget(planner)
    (folder / "log.csv").unlink()
    return usage.ru_maxrss / 1024


def memory_benchmarks() -> list[Result]:
    """`replayer_rss_mb` and `replayer_rss_growth`, the long log's peak over the short one's."""
    with Household(Path(tempfile.mkdtemp())) as house:
        kafka = start_broker(house).address
        short = peak_mb(house, kafka, "short", 1)
        long = peak_mb(house, kafka, "long", TIMES)
    return [below("replayer_rss_mb", short, "MB", LIMIT_MB), below("replayer_rss_growth", long / short, "times", FLAT)]
