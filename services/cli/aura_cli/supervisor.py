"""One run from start to end: starts every part, watches them, and names the one that was lost."""

import time
from collections.abc import Callable
from dataclasses import replace

from pydantic import ValidationError

from aura_bus import BusError, ensure_topics
from aura_cli.embedded.household import Child, Household
from aura_cli.embedded.kafka import start_broker
from aura_cli.embedded.part import Part
from aura_cli.embedded.ports import http_get
from aura_cli.embedded.redis import start_redis
from aura_cli.embedded.services import RunPlan, Service, find_executor, start_executor, start_planner, start_replayer
from aura_cli.errors import AuraError, InputError, InterruptedRunError, PartLostError
from aura_cli.view import View
from aura_contract.progress import merge_progress
from aura_contract.results import Progress
from aura_contract.topics import Topics

__all__ = ["Supervisor"]

POLL_SECONDS = 0.5
READY_SECONDS = 60.0
# One lost part takes others with it: what ends within this time is looked at together, and servers come first.
SETTLE_SECONDS = 0.4
INPUT_EXIT = 2


class Supervisor:
    """Runs one experiment, all shards side by side, inside `house`; `check` raises when the user wants to stop."""

    def __init__(self, house: Household, plan: RunPlan, view: View, check: Callable[[], None]) -> None:
        self._house, self._plan, self._view, self._check = house, plan, view, check
        self._shards = plan.spec.workload.shards
        self._waiting: list[Service] = []
        self._replayers: list[Service] = []
        self._shown: dict[int, Progress] = {}

    def run(self) -> None:
        """Start all parts and return when all replayers are done; raises AuraError otherwise."""
        find_executor()
        self._broker()
        shards = [self._servers(shard) for shard in range(self._shards)]
        self._view.note("starting executors, planner and replayer")
        self._waiting = [self._executor(shard, arm, url) for shard, arms in enumerate(shards) for arm, url in arms.items()
            if arm in self._plan.spec.planned_arms
        ]  # fmt: skip
        self._waiting.append(start_planner(self._house, self._plan))
        self._replayers = [start_replayer(self._house, self._plan, shard, arms) for shard, arms in enumerate(shards)]
        self._watch()

    def _executor(self, shard: int, arm: str, url: str) -> Service:
        return start_executor(self._house, self._plan, Part(arm, shard, self._shards), url)

    def _broker(self) -> None:
        if not self._plan.kafka:
            self._view.note("starting the Kafka broker")
            self._plan = replace(self._plan, kafka=start_broker(self._house, self._check).address)
        topics = Topics(self._plan.spec.dependencies.kafka.topic_prefix)
        try:
            ensure_topics(self._plan.kafka, topics.partitions, timeout=10.0)
        except BusError as error:
            raise InputError(str(error)) from error
        self._check()

    def _servers(self, shard: int) -> dict[str, str]:
        arms, external = self._plan.spec.arms, self._plan.spec.dependencies.redis.external
        if external is not None:
            return {arm: external.endpoints[arm] for arm in arms}
        if shard == 0:
            self._view.note(f"starting {self._shards * len(arms)} Redis servers")
        parts = [Part(arm, shard, self._shards) for arm in arms]
        return {part.arm: start_redis(self._house, part.name, self._check, of=part.title).url for part in parts}

    def _watch(self) -> None:
        started = time.monotonic()
        while True:
            self._check()
            if all(replayer.child.exit_code == 0 for replayer in self._replayers):
                return
            if self._lost() is not None:
                raise self._verdict_on_loss()
            self._show()
            self._readiness(time.monotonic() - started)
            time.sleep(POLL_SECONDS)

    def _lost(self) -> Child | None:
        """The first child that has ended and should not have; of replayers that is one that did not come to the log's end."""
        done = {replayer.child for replayer in self._replayers if replayer.child.exit_code == 0}
        # Servers were started first, so the first child that ended is the cause and later ones its victims.
        return next((child for child in self._house.children if child.exit_code is not None and child not in done), None)

    def _show(self) -> None:
        for shard, replayer in enumerate(self._replayers):
            found = self._progress(replayer, self._shown.get(shard))
            if found is not None:
                self._shown[shard] = found
        if self._shown:
            self._view.show(merge_progress(self._shown))

    def _progress(self, replayer: Service, before: Progress | None) -> Progress | None:
        """What a replayer says; of one that has ended, that it is done."""
        if replayer.child.exit_code == 0:
            return before and before.model_copy(update={"phase": "done", "events": before.total})
        body = http_get(f"http://{replayer.address}/progress")
        try:
            return Progress.model_validate_json(body) if body else None
        except ValidationError:
            return None

    def _readiness(self, waited: float) -> None:
        self._waiting = [service for service in self._waiting if http_get(f"http://{service.address}/healthz") is None]
        if self._waiting and waited > READY_SECONDS:
            late = self._waiting[0].child
            raise PartLostError(f"{late.title} was not ready within {READY_SECONDS:g} s; see {late.log}")

    def _verdict_on_loss(self) -> AuraError:
        time.sleep(SETTLE_SECONDS)
        try:
            self._check()
        except InterruptedRunError as error:
            return error
        lost = self._lost()
        assert lost is not None
        if lost.said and (lost.exit_code or 0) > 0:
            kind = InputError if lost.exit_code == INPUT_EXIT else PartLostError
            replays = any(lost is replayer.child for replayer in self._replayers)
            return kind(lost.said if replays else f"{lost.title} gave up: {lost.said}")
        return PartLostError(f"{lost.title} stopped during the run ({lost.ending}); its log is {lost.log}")
