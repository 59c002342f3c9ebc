"""Fifteen million events of a million users through two real arms, planned all the way, while every process is weighed.

The log is the grocery log ten times over, with 15 consecutive rows for each user.
"""

import json
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from results import Result, at_least, below

from aura_bus import ensure_topics
from aura_cli.embedded import Household
from aura_cli.embedded.kafka import start_broker
from aura_cli.embedded.part import Part
from aura_cli.embedded.ports import http_get
from aura_cli.embedded.redis import start_redis
from aura_cli.embedded.services import RunPlan, start_executor, start_planner, start_replayer
from aura_contract.manifest import load_manifest
from aura_contract.results import Progress, Verdict
from aura_contract.topics import Topics
from aura_contract.workload import SourceSpec
from aura_data.tables import open_table

__all__ = ["soak_benchmarks"]

EVENTS, ROWS_A_USER = 15_000_000, 15
GROWTH, WINDOWS_A_MINUTE = 1.1, 200.0
SETTLED, LAST = 0.2, 0.8
"""Shares of the log: what a process weighs at most between the two is compared with what it weighs after the second."""

ARMS = ("baseline", "aura")
MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {name: soak}
spec:
  workload:
    source: {path: log.parquet}
    columns: {time: null, item: item, user: user, session: session, action: action}
    requests: [purchase]
  catalog: {source: {dataset: complete-journey}}
  cache: {capacity: 5%}
  planner: {backend: heuristic}
"""


def write_log(path: Path) -> None:
    """EVENTS rows."""
    roles = {role: role for role in ("item", "session", "action")}
    schema = pa.schema([(role, pa.string()) for role in ("item", "user", "session", "action")])
    row = 0
    with pq.ParquetWriter(path, schema) as writer:
        while row < EVENTS:
            for batch in open_table(SourceSpec(dataset="complete-journey"), "auto", roles, base=Path()).batches():
                part = pa.Table.from_batches([batch.slice(0, EVENTS - row)])
                users = pc.divide(pa.array(range(row, row + part.num_rows)), ROWS_A_USER).cast(pa.string())
                writer.write_table(part.add_column(1, "user", users).select(schema.names))
                row += part.num_rows


class Scales:
    """Resident megabytes of processes by name, beside the share of the log that is done."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self.samples: list[tuple[float, dict[str, float]]] = []

    def weigh(self, share: float) -> None:
        """One sample of all of them."""
        self.samples.append((share, {name: _resident_mb(pid) for name, pid in self._pids.items()}))

    def growth(self, name: str) -> float:
        """Largest size in the log's last fifth over the largest between its first and that."""
        early = max(sizes[name] for share, sizes in self.samples if SETTLED <= share < LAST)
        return max(sizes[name] for share, sizes in self.samples if share >= LAST) / early


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def soak_benchmarks() -> list[Result]:
    """Growth of each process (`soak_growth_*`), the heaviest megabytes, and planned windows a minute."""
    folder = Path(tempfile.mkdtemp())
    write_log(folder / "log.parquet")
    (folder / "soak.yaml").write_text(MANIFEST)
    experiment = load_manifest(folder / "soak.yaml")
    with Household(folder / "logs") as house:
        broker = start_broker(house)
        ensure_topics(broker.address, Topics().partitions)
        plan = RunPlan(folder / "soak.yaml", "soak", experiment.spec, "soak", broker.address, folder / "out", "fail", None)
        servers = {arm: start_redis(house, arm) for arm in ARMS}
        executor = start_executor(house, plan, Part("aura"), servers["aura"].url)
        planner = start_planner(house, plan)
        replayer = start_replayer(house, plan, 0, {arm: server.url for arm, server in servers.items()})
        pids = {"replayer": replayer.child.pid, "planner": planner.child.pid, "executor": executor.child.pid}
        pids |= {f"redis_{arm}": server.child.pid for arm, server in servers.items()}
        scales = Scales({**pids, "broker": broker.child.pid})
        while replayer.child.exit_code is None:
            body = http_get(f"http://{replayer.address}/progress")
            if body and (progress := Progress.model_validate_json(body)).phase == "replaying":
                scales.weigh(progress.events / progress.total)
            time.sleep(1)
        if replayer.child.exit_code:
            raise SystemExit(f"soak failed: {replayer.child.said}")
    verdict = Verdict.model_validate_json((folder / "out" / "verdict.json").read_text())
    assert {arm.requests for arm in verdict.arms.values()} == {_requests(folder / "log.parquet")}
    heaviest = {name: max(sizes[name] for _, sizes in scales.samples) for name in (*pids, "broker")}
    print(json.dumps({name: round(size) for name, size in heaviest.items()}), "MB at the most; the broker keeps all messages")
    assert all(before <= after for (before, _), (after, _) in pairwise(scales.samples))
    a_minute = verdict.arms["aura"].plans.decided / verdict.wall_seconds * 60
    return [
        *(below(f"soak_growth_{name}", scales.growth(name), "times", GROWTH) for name in pids),
        below("soak_replayer_mb", heaviest["replayer"], "MB", 1024.0),
        at_least("soak_windows_a_minute", a_minute, "windows", WINDOWS_A_MINUTE, 1.0),
    ]


def _requests(log: Path) -> int:
    actions = pq.read_table(log, columns=["action"])["action"]
    return int(pc.sum(pc.equal(actions, "purchase")).as_py())
