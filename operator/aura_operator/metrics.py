"""The operator's own metrics; labels are kinds, verbs, phases and reasons, and one series is each experiment's own."""

from collections import Counter as Counts

from prometheus_client import Counter, Gauge, Histogram

from aura_operator.cluster.children import Owner
from aura_telemetry.registry import new_registry

__all__ = ["Metrics"]

LOOK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """One registry for an operator."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self.looks = Histogram(
            "aura_operator_look_seconds", "Time of one look at an experiment.", buckets=LOOK_BUCKETS, registry=self.registry
        )
        self.writes = Counter("aura_operator_writes", "Writes to the API server.", ["verb", "kind"], registry=self.registry)
        self.errors = Counter(
            "aura_operator_errors", "Answers of the API server that ended a look, by reason.", ["reason"], registry=self.registry
        )
        self.experiments = Gauge("aura_operator_experiments", "Experiments, by phase.", ["phase"], registry=self.registry)
        self.phase = Gauge(
            "aura_operator_experiment_phase", "1 for the phase that an experiment is in.",
            ["namespace", "experiment", "phase"], registry=self.registry,
        )  # fmt: skip
        self._phases: Counts[str] = Counts()

    def moved(self, owner: Owner, before: str, now: str) -> None:
        """An experiment went from one phase to another; either is empty where there is none."""
        if before == now:
            return
        for phase, step in ((before, -1), (now, 1)):
            if phase:
                self._phases[phase] += step
                self.experiments.labels(phase).set(self._phases[phase])
        if before:
            self.phase.remove(*owner, before)
        if now:
            self.phase.labels(*owner, now).set(1)
