"""What the planner measures of itself."""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from aura_contract.plan import PlanOutcome
from aura_planner.decision import DISCARD_REASONS, DiscardReason
from aura_planner.enrichment import SOURCES, Source
from aura_planner.pipeline import Made
from aura_telemetry.registry import new_registry

__all__ = ["Metrics"]

MODEL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600)
LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, *MODEL_SECONDS)
OVERHEAD_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 1)
LAG_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300)
OUTCOMES: tuple[PlanOutcome, ...] = PlanOutcome.__args__  # type: ignore[attr-defined]
TOKENS = (10, 20, 40, 60, 100, 200, 400, 700, 1000, 1500, 2000, 4000)


class Metrics:
    """The planner's metrics in a registry of their own; times in seconds. Labels are `arms` and fixed words."""

    def __init__(self, arms: Iterable[str]) -> None:
        self.registry = new_registry()
        here = self.registry
        self.plans = Counter("aura_planner_plans", "Plans published.", ["arm", "outcome"], registry=here)
        self.discarded = Counter("aura_planner_discarded", "Messages and answers not used.", ["reason"], registry=here)
        self.removed = Counter("aura_planner_removed_actions", "Actions that the guard took out.", ["reason"], registry=here)
        self.waiting = Gauge("aura_planner_contexts_waiting", "Contexts received and not planned yet.", ["arm"], registry=here)
        self.latency = Histogram(
            "aura_planner_latency_seconds", "Context received to plan made.", ["arm"], buckets=LATENCY_SECONDS, registry=here
        )
        self.model = Histogram(
            "aura_planner_llm_latency_seconds", "One model decision, retries included.", buckets=MODEL_SECONDS, registry=here
        )
        self.overhead = Histogram(
            "aura_planner_overhead_seconds", "Work on one window, all but the model.", buckets=OVERHEAD_SECONDS, registry=here
        )
        self.lag = Histogram(
            "aura_planner_context_lag_seconds", "Context issued to context received.", buckets=LAG_SECONDS, registry=here
        )
        self.prompt = Histogram("aura_planner_prompt_tokens", "Prompt, as the server counts.", buckets=TOKENS, registry=here)
        self.answer = Histogram("aura_planner_answer_tokens", "Answer, as the server counts.", buckets=TOKENS, registry=here)
        self.lookups = Counter("aura_planner_failed_lookups", "Look-ups that a source failed.", ["source"], registry=here)
        for reason in DISCARD_REASONS:
            self.discarded.labels(reason)
        for source in SOURCES:
            self.lookups.labels(source)
        for arm in arms:
            self.waiting.labels(arm)
            self.latency.labels(arm)
            for outcome in OUTCOMES:
                self.plans.labels(arm, outcome)

    def discard(self, reason: DiscardReason) -> None:
        """Count one message or answer that was thrown away."""
        self.discarded.labels(reason).inc()

    def failed_lookup(self, source: Source) -> None:
        """Count a look-up in the catalogue or among the neighbours that failed."""
        self.lookups.labels(source).inc()

    def made(self, made: Made, parse_s: float) -> None:
        """Count one published plan; `parse_s` is the time spent on reading its context."""
        decision = made.decision
        self.plans.labels(made.plan.arm, made.plan.outcome).inc()
        self.latency.labels(made.plan.arm).observe(made.plan.latency_s)
        self.overhead.observe(made.overhead_s + parse_s)
        if decision.discarded:
            self.discard(decision.discarded)
        for reason, count in made.removed.items():
            self.removed.labels(reason).inc(count)
        if decision.model_s:
            self.model.observe(decision.model_s)
        if decision.prompt_tokens is not None:
            self.prompt.observe(decision.prompt_tokens)
        if decision.answer_tokens is not None:
            self.answer.observe(decision.answer_tokens)
