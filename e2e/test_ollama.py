"""A language model that really plans: a small one, in an Ollama that the operator brings up."""

from collections.abc import Callable

from cluster import Namespace
from experiments import Experiment, manifest


def test_model_plans(namespace: Namespace, record_property: Callable[[str, object], None]) -> None:
    wanted = manifest(
        "model",
        workload={"limit": 20_000},
        trigger={"everyEvents": 4000},
        planner={"backend": "ollama", "model": "smollm2:135m", "mode": "lockstep", "latency": "free", "timeoutSeconds": 180},
        dependencies={"ollama": {"embedded": {}}},
    )
    experiment = Experiment.applied(namespace, wanted)
    status = experiment.wait_for("Succeeded", seconds=600)
    arm = status["arms"]["aura"]
    record_property("plans", f"{arm['plansDecided']} decided, {arm['plansApplied']} applied")
    assert arm["planner"] == "ollama"
    assert int(arm["plansDecided"]) >= 3
    assert int(arm["plansApplied"]) >= 3
