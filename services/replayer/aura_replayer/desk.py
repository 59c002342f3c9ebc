"""The replayer's side of planning: contexts out, plans and receipts in, at most one plan under way an arm."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from pydantic import ValidationError

from aura_bus import Publisher, Received, Subscriber
from aura_contract.plan import Plan
from aura_contract.receipt import Receipt
from aura_contract.topics import Topics, message_key
from aura_replayer.book import ArmPlans, PlanBook
from aura_replayer.results import JsonLines
from aura_replayer.spans import WindowSpans
from aura_telemetry.tracing import OFF, Tracing

__all__ = ["Desk", "PlanDesk", "PlanLost"]

log = logging.getLogger(__name__)


class PlanLost(RuntimeError):
    """A plan was published but the executor never answered for it."""


class Desk(Protocol):
    """Where a replay gets its plans from."""

    judge: Callable[[str, Plan], str | None]
    on_applied: Callable[[str, Plan, Receipt], None]

    @property
    def arms(self) -> Mapping[str, ArmPlans]:
        """What is known of the plans of each planned arm."""

    def ask(self, arm: str, window: int, context: bytes, *, exclusive: bool) -> None:
        """Ask for a plan for a window; with `exclusive` not while the arm's planner is busy with an earlier one."""

    def poll(self, timeout: float = 0.0) -> None:
        """Take in what has arrived."""

    def wait_for_plan(self, arm: str, timeout: float, stop: Callable[[], bool]) -> None:
        """Return when the window asked for is decided."""

    def wait_for_receipt(self, arm: str, timeout: float, stop: Callable[[], bool]) -> None:
        """Return when the executor has answered for the arm's plans."""

    def finish(self, timeout: float, asked: Mapping[str, int]) -> None:
        """Wait until as many windows are decided as were `asked` for."""

    def close(self) -> None:
        """Drop the connections."""


class PlanDesk(PlanBook):
    """Plans by way of Kafka; `patient` when nobody waits for them."""

    def __init__(
        self,
        kafka: str,
        topics: Topics,
        experiment: str,
        run: str,
        shard: int,
        arms: tuple[str, ...],
        logs: Mapping[str, JsonLines],
        *,
        patient: bool,
        tracing: Tracing = OFF,
    ) -> None:
        super().__init__(arms, logs)
        self._topics, self._run, self._shard = topics, run, shard
        self._publisher = Publisher(kafka)
        # Now, while nothing waits: a first message that has to find its partitions holds up the arms.
        self._publisher.prepare(topics.context)
        self._subscriber = Subscriber(kafka, [topics.plan, topics.applied], patient=patient)
        self._spans = WindowSpans(tracing)
        self._slots = {arm: shard * len(arms) + number for number, arm in enumerate(arms)}
        self._keys = {arm: message_key(experiment, arm, shard) for arm in arms}

    def ask(self, arm: str, window: int, context: bytes, *, exclusive: bool) -> None:
        """See `Desk.ask`."""
        if not self.expect(arm, window, exclusive=exclusive):
            return
        traceparent = self._spans.asked(arm, window)
        self._publisher.publish(self._topics.context, self._keys[arm], context, slot=self._slots[arm], traceparent=traceparent)

    def poll(self, timeout: float = 0.0) -> None:
        """Take in what has arrived; waits up to `timeout` seconds for the first message."""
        message = self._subscriber.poll(timeout)
        while message is not None:
            self._take(message)
            message = self._subscriber.poll(0.0)

    def wait_for_plan(self, arm: str, timeout: float, stop: Callable[[], bool]) -> None:
        """Return when the window asked for is decided, or after `timeout` seconds, when it counts as unplanned."""
        state = self.arms[arm]
        deadline = time.monotonic() + timeout
        while state.asked is not None and not stop():
            if time.monotonic() > deadline:
                log.warning("no plan within %g s", timeout, extra={"arm": arm, "window": state.asked})
                state.unplanned["no_answer"] += 1
                self._spans.unanswered(arm, state.asked)
                state.asked = None
                return
            self.poll(0.05)

    def wait_for_receipt(self, arm: str, timeout: float, stop: Callable[[], bool]) -> None:
        """Return when the executor has answered for the arm's plans; raises PlanLost after `timeout` seconds."""
        state = self.arms[arm]
        deadline = time.monotonic() + timeout
        while state.waiting and not stop():
            if time.monotonic() > deadline:
                plan_id = next(iter(state.waiting))
                raise PlanLost(f"the executor of arm {arm} did not answer for plan {plan_id} within {timeout:g} s; see its log")
            self.poll(0.01)

    def finish(self, timeout: float, asked: Mapping[str, int]) -> None:
        """Wait up to `timeout` seconds until as many windows are decided as were `asked` for; count plans that came too late."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and any(self._answers(arm) < count for arm, count in asked.items()):
            self.poll(0.05)
        for state in self.arms.values():
            if state.waiting:
                state.unplanned["late"] += len(state.waiting)

    def _answers(self, arm: str) -> int:
        return len(self.arms[arm].seen)

    def close(self) -> None:
        """Deliver what is queued and drop the connections."""
        self._publisher.flush(10)
        self._subscriber.close()
        self._spans.close()

    def _take(self, message: Received) -> None:
        try:
            data = json.loads(message.value)
            if data.get("run") != self._run or data.get("shard", 0) != self._shard:
                return
            if message.topic == self._topics.plan:
                plan = Plan.model_validate(data)
                self.take_plan(plan)
                self._spans.planned(plan)
            else:
                receipt = Receipt.model_validate(data)
                self.take_receipt(receipt)
                self._spans.answered(receipt)
        except (ValueError, AttributeError, ValidationError):
            # Somebody else's message on a shared topic: the executor answers for what it cannot read.
            return
