"""Starting Aura's own services: the executor's binary, the planner and the replayer."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from aura_cli.embedded.household import Child, Household
from aura_cli.embedded.part import Part
from aura_cli.embedded.ports import LOOPBACK, free_port
from aura_cli.errors import PartLostError
from aura_contract.experiment import ExperimentSpec

__all__ = ["RunPlan", "Service", "find_executor", "start_executor", "start_planner", "start_replayer"]

EXECUTOR_VARIABLE = "AURA_EXECUTOR"
EXECUTOR_NAME = "aura-executor"


@dataclass(frozen=True)
class RunPlan:
    """What every service of a run is told: `manifest` with absolute paths, `kafka` as HOST:PORT, results to `out`."""

    manifest: Path
    experiment: str
    spec: ExperimentSpec
    run: str
    kafka: str
    out: Path
    bad_rows: str
    listen: str | None


@dataclass(frozen=True)
class Service:
    """A running service and the HOST:PORT of its HTTP endpoints."""

    child: Child
    address: str


def find_executor() -> str:
    """Path of the executor: `$AURA_EXECUTOR`, the release build of this source tree, or one on PATH."""
    named = os.environ.get(EXECUTOR_VARIABLE)
    if named:
        if not os.access(named, os.X_OK):
            raise PartLostError(f"{EXECUTOR_VARIABLE}={named} is not an executable file; correct it or unset it")
        return named
    built = [parent / "executor" / "target" / "release" / EXECUTOR_NAME for parent in Path(__file__).resolve().parents]
    found = next((str(path) for path in built if os.access(path, os.X_OK)), None) or shutil.which(EXECUTOR_NAME)
    if found is None:
        raise PartLostError("the executor is not built; run `make install`, or name its binary in AURA_EXECUTOR")
    return found


def start_executor(house: Household, plan: RunPlan, part: Part, redis: str) -> Service:
    """Start the executor of one arm of one shard."""
    caps = plan.spec.executor
    listen = f"{LOOPBACK}:{free_port()}"
    argv = [find_executor(), "--kafka", plan.kafka, "--topic-prefix", plan.spec.dependencies.kafka.topic_prefix]
    argv += ["--experiment", plan.experiment, "--arm", part.arm, "--run", plan.run]
    argv += ["--shard", str(part.shard)] if part.shards > 1 else []
    argv += ["--mode", "plain" if plan.spec.cache.clock == "wall" else "arm", "--listen", listen]
    argv += ["--max-evict", str(caps.max_evict), "--max-prefetch", str(caps.max_prefetch)]
    argv += ["--ttl-min", str(caps.ttl_min), "--ttl-max", str(caps.ttl_max)]
    argv += ["--max-ahead", str(plan.spec.planner.max_ahead_seconds)]
    # The url holds a password, and any user of the machine can list arguments.
    child = house.start(f"executor-{part.name}", f"the executor of {part.title}", argv, env={"AURA_REDIS": redis})
    return Service(child, listen)


def start_planner(house: Household, plan: RunPlan) -> Service:
    """Start the planner of all arms."""
    listen = f"{LOOPBACK}:{free_port()}"
    argv = [sys.executable, "-m", "aura_planner", "--manifest", str(plan.manifest), "--run", plan.run]
    argv += ["--kafka", plan.kafka, "--listen", listen]
    return Service(house.start("planner", "the planner", argv), listen)


def start_replayer(house: Household, plan: RunPlan, shard: int, arms: dict[str, str]) -> Service:
    """Start the replayer of one shard; `arms` maps arm names to the urls of their Redis."""
    shards = plan.spec.workload.shards
    listen = _listen(plan.listen, shard) if plan.listen else f"{LOOPBACK}:{free_port()}"
    argv = [sys.executable, "-m", "aura_replayer", "--manifest", str(plan.manifest), "--run", plan.run]
    argv += ["--kafka", plan.kafka, "--out", str(plan.out), "--listen", listen, "--bad-rows", plan.bad_rows]
    argv += ["--shard", str(shard)]
    pairs = " ".join(f"{arm}={url}" for arm, url in arms.items())
    name, title = ("replayer", "the replayer") if shards == 1 else (f"replayer-{shard}", f"the replayer of shard {shard}")
    return Service(house.start(name, title, argv, env={"AURA_ARMS": pairs}), listen)


def _listen(address: str, shard: int) -> str:
    """Where a shard's replayer listens: each on a port of its own, counted up from the one that was asked for."""
    host, _, port = address.rpartition(":")
    return f"{host}:{int(port) + shard if int(port) else 0}"
