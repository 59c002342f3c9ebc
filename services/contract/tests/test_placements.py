"""Planners in other clusters: what the manifest takes, and the sentence for what it does not."""

from typing import Any

import pytest
from pydantic import ValidationError

from aura_contract.experiment import NO_VOLUMES, OUT_OF_REACH, ExperimentSpec
from aura_contract.plan import Plan
from aura_contract.planner import PLACED_TWICE

WHERE = {"kubeconfigSecretRef": {"name": "kube"}, "namespace": "theirs"}
EAST = {"name": "east", **WHERE}
EXTERNAL = {"external": {"endpoint": "somewhere"}}


def spec(planner: dict[str, Any], **changes: Any) -> ExperimentSpec:
    least = {"workload": {"source": {"path": "a.csv"}}, "cache": {"capacity": "5%"}}
    return ExperimentSpec.model_validate(
        {**least, "planner": {"backend": "heuristic", "placements": [EAST], **planner}, **changes}
    )


def test_a_placement_has_one_planner_by_its_kubeconfigs_current_context() -> None:
    (placement,) = spec({}).planner.placements
    assert (placement.replicas, placement.key, placement.context) == (1, "kubeconfig", None)


@pytest.mark.parametrize(
    ("planner", "changes", "message"),
    [
        ({"placements": [EAST, EAST]}, {}, PLACED_TWICE),
        ({"backend": "auto"}, {}, OUT_OF_REACH),
        ({"backend": "ollama"}, {"dependencies": {"ollama": {"embedded": {}}}}, OUT_OF_REACH),
        ({}, {"controls": ["ollama"]}, OUT_OF_REACH),
        ({}, {"dependencies": {"mongodb": {}}}, OUT_OF_REACH),
        ({}, {"dependencies": {"milvus": {"embedded": {}}}}, OUT_OF_REACH),
        ({}, {"catalog": {"source": {"path": "items.csv"}}}, NO_VOLUMES),
        ({"backend": "recorded", "recording": "plans.jsonl"}, {}, NO_VOLUMES),
        ({"backend": "ml", "modelFile": "m.txt"}, {}, NO_VOLUMES),
    ],
)
def test_what_another_cluster_does_not_reach_is_refused(planner: dict[str, Any], changes: Any, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        spec(planner, **changes)
    assert [error["msg"] for error in refused.value.errors()] == [f"Value error, {message}"]


@pytest.mark.parametrize(
    ("planner", "changes"),
    [
        ({"backend": "auto", "endpoint": "http://models"}, {}),
        ({"backend": "ollama"}, {"dependencies": {"ollama": EXTERNAL}}),
        ({}, {"dependencies": {"mongodb": EXTERNAL, "milvus": EXTERNAL}, "catalog": {"source": {"url": "http://a/items.csv"}}}),
        ({"placements": []}, {"dependencies": {"mongodb": {}}, "catalog": {"source": {"path": "items.csv"}}}),
    ],
)
def test_what_is_reached_from_everywhere_is_taken(planner: dict[str, Any], changes: Any) -> None:
    spec(planner, **changes)


@pytest.mark.parametrize(
    "change", [{"name": "East"}, {"name": "e" * 41}, {"namespace": "a/b"}, {"key": "../x"}, {"replicas": 65}]
)
def test_names_become_labels_and_paths_and_are_bounded(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec({"placements": [{**EAST, **change}]})


def test_a_plan_may_say_which_replica_made_it() -> None:
    assert Plan.model_validate_json('{"replica": "east/pod-1"}').replica == "east/pod-1"
    assert Plan.model_validate_json('{"evict": []}').replica is None
