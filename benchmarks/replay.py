"""The whole replayer against a raw client that sends the same batches, encoded beforehand, to the same servers and keeps nothing.

Both drive one or two arms at 5 % of the distinct items of the grocery log, in turn, several times; the ratio is the median of
the pairs. The replayer runs as in `aura run`: with the broker, the no-op planner and all aggregation.
"""

import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import redis
from results import Result, at_least

from aura_bus import ensure_topics
from aura_cli.embedded import Household
from aura_cli.embedded.kafka import start_broker
from aura_cli.embedded.redis import start_redis
from aura_contract.cache import CacheSpec, TtlSpec
from aura_contract.manifest import parse_manifest
from aura_contract.results import Verdict
from aura_contract.topics import Topics
from aura_contract.workload import CatalogSpec, WorkloadSpec
from aura_data.catalog import open_catalog
from aura_replayer.arm.event_arm import EventArm, encode_command
from aura_replayer.arm.sizing import Sizing, measure
from aura_replayer.context.message import ContextWriter
from aura_replayer.desk import PlanDesk
from aura_replayer.lane import Lane
from aura_replayer.replay import Replay
from aura_replayer.results import JsonLines
from aura_replayer.source.events import EventLog
from aura_replayer.source.items import ItemTable
from aura_replayer.source.scan import LogSummary, scan
from aura_replayer.source.shards import Shard

__all__ = ["replay_benchmarks"]

ROWS = 400_000
PAIRS = 21
SOURCE = {"dataset": "complete-journey"}
MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: bench}}
spec:
  workload:
    source: {{dataset: complete-journey}}
    columns: {{item: item, session: session, action: action}}
    requests: [purchase]
    limit: {rows}
  catalog: {{source: {{dataset: complete-journey}}}}
  cache: {{capacity: 5%}}
  planner: {{backend: noop}}
  dependencies: {{kafka: {{topicPrefix: {run}-}}}}
"""


class RawClient:
    """Sends all batches of the log, encoded before the clock starts, with as many under way a server as the replayer has."""

    def __init__(self) -> None:
        workload = WorkloadSpec.model_validate({"source": SOURCE, "requests": ["purchase"], "limit": ROWS})
        catalog = open_catalog(CatalogSpec.model_validate({"source": SOURCE}), None, Path())
        self.items = ItemTable(catalog, 128)
        self.log = EventLog(workload, Path(), self.items, "fail")
        self.summary: LogSummary = scan(self.log, self.items)
        self.codes = np.concatenate([block.items for block in self.log.blocks()])
        self.commands: list[bytes] = []

    def prepare(self, urls: Sequence[str]) -> tuple[list[EventArm], Sizing, tuple[int, ...]]:
        """Arms on the servers, with the sizing that the replayer would choose."""
        arms = [EventArm(f"raw{number}", url, TtlSpec()) for number, url in enumerate(urls)]
        spec = CacheSpec(capacity="5%")
        sizing, empties = measure(arms, spec, self.items, self.summary, 0, Shard(), stops=False)
        if not self.commands:
            self.commands = self._encode(sizing.batch)
        return arms, sizing, empties

    def _encode(self, size: int) -> list[bytes]:
        return [
            encode_command(
                b"FCALL", b"aura_batch", b"0", b"raw", number + 1, start // 5000, start, start, b"",
                b"".join(self.items.packed[code] for code in self.codes[start : start + size].tolist()),
            )
            for number, start in enumerate(range(0, len(self.codes), size))
        ]  # fmt: skip

    def rate(self, urls: Sequence[str]) -> float:
        """Log events a second into all of the servers at once."""
        arms, sizing, empties = self.prepare(urls)
        for arm, empty in zip(arms, empties, strict=True):
            arm.begin("raw", empty, sizing.room)
        lanes = [redis.Redis.from_url(url).connection_pool.get_connection() for url in urls]
        started = time.perf_counter()
        for number, command in enumerate(self.commands):
            for lane in lanes:
                lane.send_packed_command([command], check_health=False)
            if number >= sizing.in_flight - 1:
                for lane in lanes:
                    lane.read_response()
        for lane in lanes:
            for _ in range(sizing.in_flight - 1):
                lane.read_response()
        seconds = time.perf_counter() - started
        for lane in lanes:
            lane.disconnect()
        for arm in arms:
            arm.forget()
            arm.close()
        return len(self.codes) / seconds

    def one_arm(self, url: str, kafka: str) -> float:
        """Log events a second of the replay with all its aggregation, in this process, into a single arm."""
        (arm,), sizing, (empty,) = self.prepare([url])
        folder = Path(tempfile.mkdtemp())
        experiment = parse_manifest(MANIFEST.format(rows=ROWS, run="one"))
        ensure_topics(kafka, Topics().partitions)
        logs = {name: JsonLines(folder / name) for name in ("plans", "receipts")}
        desk = PlanDesk(kafka, Topics(), "bench", "one", 0, (), logs, patient=True)
        lane = Lane(arm, 0, arm.begin("one", empty, sizing.room), sizing.in_flight)
        writer = ContextWriter("bench", "one", 0, experiment.spec.executor, experiment.spec.guard)
        replay = Replay(experiment.spec, [lane], desk, self.log, self.items, ROWS, sizing, writer, lambda *_: None, lambda: False)
        started = time.perf_counter()
        rows = replay.run()
        seconds = time.perf_counter() - started
        desk.close()
        arm.forget()
        arm.close()
        return rows / seconds


def replayer_rate(house: Household, kafka: str, arms: dict[str, str], run: str) -> float:
    """Log events a second of the replayer process, from its verdict; a planner process runs beside it."""
    folder = Path(tempfile.mkdtemp(dir=house.folder))
    manifest = folder / "experiment.yaml"
    manifest.write_text(MANIFEST.format(rows=ROWS, run=run))
    common = ["--manifest", str(manifest), "--run", run, "--kafka", kafka]
    planner = house.start(
        f"planner-{run}", "the planner", [sys.executable, "-m", "aura_planner", *common, "--listen", "127.0.0.1:0"]
    )
    options = ["--out", str(folder / "out"), *(part for name, url in arms.items() for part in ("--arm", f"{name}={url}"))]
    replayer = house.start(f"replayer-{run}", "the replayer", [sys.executable, "-m", "aura_replayer", *common, *options])
    if not replayer.wait(300) or replayer.exit_code != 0:
        raise SystemExit(f"benchmark run failed: {replayer.said}")
    planner.signal(signal.SIGTERM)
    planner.wait(10)
    house.forget(planner)
    return Verdict.model_validate_json((folder / "out" / "verdict.json").read_text()).events_per_second


def replay_benchmarks() -> list[Result]:
    """`replay_two_arms`, `replay_one_arm_vs_raw`."""
    raw = RawClient()
    pairs: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    with Household(Path(tempfile.mkdtemp())) as house:
        kafka = start_broker(house).address
        urls = [start_redis(house, name).url for name in ("baseline", "aura")]
        for turn in range(PAIRS):
            whole = replayer_rate(house, kafka, {"baseline": urls[0], "aura": urls[1]}, f"two{turn}")
            pairs[2].append((whole, raw.rate(urls)))
            pairs[1].append((raw.one_arm(urls[0], kafka), raw.rate(urls[:1])))
    return [_compare("replay_one_arm_vs_raw", pairs[1]), _compare("replay_two_arms", pairs[2])]


def _compare(name: str, pairs: list[tuple[float, float]]) -> Result:
    value = statistics.median(whole for whole, _ in pairs)
    ratio = statistics.median(whole / alone for whole, alone in pairs)
    return at_least(name, value, "log events/s", value / ratio, 0.8)
