"""One run from start to end: starts every part, watches them, and names the one that was lost."""

import time
from collections.abc import Callable
from dataclasses import replace

from pydantic import ValidationError

from aura_bus import BusError, ensure_topics
from aura_cli.embedded.household import Child, Household
from aura_cli.embedded.kafka import start_broker
from aura_cli.embedded.ports import http_get
from aura_cli.embedded.redis import start_redis
from aura_cli.embedded.services import RunPlan, Service, find_executor, start_executor, start_planner, start_replayer
from aura_cli.errors import AuraError, InputError, InterruptedRunError, PartLostError
from aura_cli.view import View
from aura_contract.results import Progress
from aura_contract.topics import Topics

__all__ = ["Supervisor"]

POLL_SECONDS = 0.5
READY_SECONDS = 60.0
# One lost part takes others with it: what ends within this time is looked at together, and servers come first.
SETTLE_SECONDS = 0.4
INPUT_EXIT = 2


class Supervisor:
    """Runs one experiment inside `house`; `check` raises when the user wants to stop."""

    def __init__(self, house: Household, plan: RunPlan, view: View, check: Callable[[], None]) -> None:
        self._house, self._plan, self._view, self._check = house, plan, view, check
        self._waiting: list[Service] = []

    def run(self) -> None:
        """Start all parts and return when the replayer is done; raises AuraError otherwise."""
        find_executor()
        self._broker()
        arms = self._servers()
        planned = {arm: url for arm, url in arms.items() if arm in self._plan.spec.planned_arms}
        self._view.note("starting executors, planner and replayer")
        self._waiting = [start_executor(self._house, self._plan, arm, url) for arm, url in planned.items()]
        self._waiting.append(start_planner(self._house, self._plan))
        replayer = start_replayer(self._house, self._plan, arms)
        self._watch(replayer)

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

    def _servers(self) -> dict[str, str]:
        external = self._plan.spec.dependencies.redis.external
        if external is not None:
            return {arm: external.endpoints[arm] for arm in self._plan.spec.arms}
        self._view.note(f"starting {len(self._plan.spec.arms)} Redis servers")
        return {arm: start_redis(self._house, arm, self._check).url for arm in self._plan.spec.arms}

    def _watch(self, replayer: Service) -> None:
        started = time.monotonic()
        while True:
            self._check()
            if replayer.child.exit_code == 0:
                return
            if any(child.exit_code is not None for child in self._house.children):
                raise self._verdict_on_loss(replayer.child)
            self._show(replayer)
            self._readiness(time.monotonic() - started)
            time.sleep(POLL_SECONDS)

    def _show(self, replayer: Service) -> None:
        body = http_get(f"http://{replayer.address}/progress")
        if body is None:
            return
        try:
            self._view.show(Progress.model_validate_json(body))
        except ValidationError:
            return

    def _readiness(self, waited: float) -> None:
        self._waiting = [service for service in self._waiting if http_get(f"http://{service.address}/healthz") is None]
        if self._waiting and waited > READY_SECONDS:
            late = self._waiting[0].child
            raise PartLostError(f"{late.title} was not ready within {READY_SECONDS:g} s; see {late.log}")

    def _verdict_on_loss(self, replayer: Child) -> AuraError:
        time.sleep(SETTLE_SECONDS)
        try:
            self._check()
        except InterruptedRunError as error:
            return error
        # Servers were started first, so the first child that ended is the cause and later ones its victims.
        lost = next(child for child in self._house.children if child.exit_code is not None)
        if lost.said and (lost.exit_code or 0) > 0:
            kind = InputError if lost.exit_code == INPUT_EXIT else PartLostError
            return kind(lost.said if lost is replayer else f"{lost.title} gave up: {lost.said}")
        return PartLostError(f"{lost.title} stopped during the run ({lost.ending}); its log is {lost.log}")
