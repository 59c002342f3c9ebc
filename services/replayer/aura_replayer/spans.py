"""The span `window` of each window that a planner is asked about: from the context to what came of the plan."""

from aura_contract.plan import Plan
from aura_contract.receipt import Receipt
from aura_replayer.book import acts
from aura_telemetry.tracing import Span, Tracing

__all__ = ["WindowSpans"]

Key = tuple[str, int]


class WindowSpans:
    """Spans that are open, by arm and window."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing
        self._open: dict[Key, Span] = {}

    def asked(self, arm: str, window: int) -> str | None:
        """A context goes out; the header for whoever plans."""
        span = self._tracing.start("window", arm=arm, window=window)
        if span.traceparent is not None:
            self._open[arm, window] = span
        return span.traceparent

    def planned(self, plan: Plan) -> None:
        """A plan came: the end, unless an executor has to act on it."""
        if not acts(plan):
            self._end(plan.arm, plan.window, plan.plan_id, plan.outcome)

    def answered(self, receipt: Receipt) -> None:
        """The executor has answered for a plan."""
        self._end(receipt.arm, receipt.window, receipt.plan_id, receipt.outcome)

    def unanswered(self, arm: str, window: int | None) -> None:
        """Nobody has planned in time."""
        self._end(arm, window, None, "no_answer")

    def close(self) -> None:
        """End what is open and deliver all."""
        for arm, window in list(self._open):
            self._end(arm, window, None, "late")
        self._tracing.close()

    def _end(self, arm: str | None, window: int | None, plan_id: str | None, outcome: str) -> None:
        span = self._open.pop((arm or "", -1 if window is None else window), None)
        if span is not None:
            span.end(outcome=outcome, **({"plan_id": plan_id} if plan_id else {}))
