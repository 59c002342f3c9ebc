"""The simulated arm against the real one: counter by counter on the library's calls, and over whole runs."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from aura_cli.embedded import Household
from aura_cli.embedded.redis import start_redis
from aura_cli.simulation.arm import SimulatedArm
from aura_contract.admissibility import Admissible, admissible
from aura_contract.cache import TtlSpec
from aura_contract.limits import ExecutorSpec, GuardSpec
from aura_data.catalog import EmptyCatalog
from aura_replayer.arm.base import Batch
from aura_replayer.arm.event_arm import EventArm
from aura_replayer.arm.limit import Room
from aura_replayer.levers import ENTRY
from aura_replayer.source.items import ItemTable

ITEMS, ROUNDS = 60, 150
TTL = TtlSpec(long=40, medium=20, short=5)
GUARD = GuardSpec(backend_reads="30%", hold_out="10%")
RUN = "r1"


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    with Household(tmp_path / "logs") as house:
        yield start_redis(house, "arm").url


def entries(lots: np.random.Generator, held: np.ndarray, size: int) -> tuple[np.ndarray, bytes]:
    codes = lots.integers(0, ITEMS, size).astype(np.int32)
    meta = np.zeros(size, ENTRY)
    meta["bonus"] = lots.integers(0, 1000, size)
    # TTL class, no fill, no request; and held out where the item is.
    meta["flags"] = lots.integers(0, 16, size) + 16 * held[codes]
    return codes, meta.tobytes()


def plan(lots: np.random.Generator, number: int) -> Admissible:
    chosen = [f"item:{code}" for code in lots.permutation(ITEMS)[:8]]
    actions = {"evict": chosen[:4], "prefetch": [{"k": key, "v": "v", "ttl": 10} for key in chosen[4:]]}
    policy = {"policy": {"frequency": "high"}} if number % 2 else {}
    found = admissible(json.dumps({"plan_id": f"p{number}", "run": RUN, **actions, **policy}).encode(), ExecutorSpec(ttl_min=1))
    assert isinstance(found, Admissible)
    return found


def apply_to_redis(arm: EventArm, found: Admissible) -> list[int]:
    actions: list[object] = [*found.evict]
    for action in found.prefetch:
        actions += [action.k, action.v, action.ttl]
    policy = found.plan.policy.model_dump_json() if found.plan.policy else ""
    reply = arm._call(
        "aura_apply", RUN, found.plan.plan_id, 0, "test", "", "", policy, len(found.evict), len(found.prefetch), *actions
    )
    assert reply[0] == b"applied"
    return [int(part) for part in reply[2:]]


@pytest.mark.parametrize("seed", range(6))
def test_library_and_simulator_agree_on_every_counter(seed: int, redis_url: str) -> None:
    """Random batches, plans, ticks and rollbacks; without a memory limit, so that nothing depends on what Redis draws."""
    lots = np.random.default_rng(seed)
    items = ItemTable(EmptyCatalog(), 16, GUARD.held)
    items.encode(pa.array([str(code) for code in range(ITEMS)]))
    real, simulated = EventArm("aura", redis_url, TTL, GUARD), SimulatedArm("aura", items, TTL, GUARD, seed)
    for arm in (real, simulated):
        arm.begin(RUN, 0, Room(items=10**6))
    clock = first = plans = 0
    for number in range(ROUNDS):
        clock += int(lots.integers(0, 3000))
        codes, meta = entries(lots, items.held, int(lots.integers(1, 30)))
        body = b"".join(items.packed[code] for code in codes)
        totals = []
        for arm in (real, simulated):
            arm.send(Batch(number // 10, first, clock, [], [], codes, traced=number % 2 == 0), meta, body)
            totals.append(arm.receive())
        assert totals[0] == totals[1], f"batch {number}"
        first = totals[0].requests
        if number % 7 == 3:
            plans += 1
            found = plan(lots, plans)
            done = simulated.apply(found)
            assert apply_to_redis(real, found) == [
                done.evicted, done.prefetched, done.held_evict, done.held_prefetch, done.over_budget,
            ]  # fmt: skip
        if number % 40 == 30:
            real.rollback()
            simulated.rollback()
        assert real.resident(items.keys) == simulated.resident(items.keys)
        assert (real.size(), real.policy()) == (simulated.size(), simulated.policy())
    credited = {plan: hits for plan, hits in simulated.prefetch_hits_by_plan().items() if hits}
    assert credited
    assert credited == {plan: hits for plan, hits in real.prefetch_hits_by_plan().items() if hits}
    real.close()


MANIFEST = """\
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {name: agree}
spec:
  workload:
    source: {dataset: complete-journey}
    columns: {user: user, session: session, item: item, action: action}
    requests: [purchase]
    limit: 60000
  cache: {capacity: 10%}
  trigger: {everyEvents: 3000}
  planner: {backend: heuristic, latency: free}
  controls: [noop, adversarial]
"""

Ratios = dict[str, float]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of one experiment by both commands."""
    folder = tmp_path_factory.mktemp("agree")
    (folder / "agree.yaml").write_text(MANIFEST)
    for command in ("run", "simulate"):
        argv = [sys.executable, "-m", "aura_cli", command, str(folder / "agree.yaml"), "--out", str(folder / command)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def ratios(runs: Path) -> dict[str, Ratios]:
    """Hit ratios by command and arm."""
    verdicts = {command: json.loads((runs / command / "verdict.json").read_text()) for command in ("run", "simulate")}
    return {command: {name: arm["hit_ratio"] for name, arm in verdict["arms"].items()} for command, verdict in verdicts.items()}


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_every_plan_is_told_with_the_window_that_it_was_applied_in(command: str, runs: Path) -> None:
    """A plan that takes no time is applied between two windows and belongs to the second."""
    records = [json.loads(line) for line in (runs / command / "windows.jsonl").read_text().splitlines()]
    plans = {record["window"]: record["plan_id"] for record in records if record["arm"] == "aura"}
    assert plans[0] is None
    assert [plans[window].split("-")[-2] for window in range(1, 20)] == [str(window - 1) for window in range(1, 20)]


@pytest.mark.parametrize("arm", ["baseline", "aura", "noop"])
def test_simulated_and_real_runs_agree_within_half_a_point(arm: str, ratios: dict[str, Ratios]) -> None:
    assert ratios["simulate"][arm] == pytest.approx(ratios["run"][arm], abs=0.005)


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_the_worst_planner_costs_next_to_nothing(command: str, ratios: dict[str, Ratios]) -> None:
    assert ratios[command]["adversarial"] >= ratios[command]["noop"] - 0.002


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_the_heuristic_is_worth_its_levers(command: str, ratios: dict[str, Ratios]) -> None:
    assert ratios[command]["aura"] > ratios[command]["noop"] + 0.05
