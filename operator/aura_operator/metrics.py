"""The operator's own metrics; labels are kinds, verbs, phases and reasons, so cardinality is bounded."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["Metrics"]

LOOK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """One registry for an operator."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.looks = Histogram(
            "aura_operator_look_seconds", "Time of one look at an experiment.", buckets=LOOK_BUCKETS, registry=self.registry
        )
        self.writes = Counter("aura_operator_writes", "Writes to the API server.", ["verb", "kind"], registry=self.registry)
        self.errors = Counter(
            "aura_operator_errors", "Answers of the API server that ended a look, by reason.", ["reason"], registry=self.registry
        )
        self.experiments = Gauge("aura_operator_experiments", "Experiments, by phase.", ["phase"], registry=self.registry)
