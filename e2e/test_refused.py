"""Manifests that the API server refuses, each with the sentence that says what to do."""

from typing import Any

import pytest
from cluster import Namespace, Refused
from experiments import manifest

FIXED = "is fixed once the replay has started; delete the experiment, or give the changed one another name"

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "two sources": (
        {"workload": {"source": {"url": "http://example.com/log.csv"}}},
        "give exactly one of path, url or dataset",
    ),
    "no source": ({"workload": {"source": {"dataset": None}}}, "give exactly one of path, url or dataset"),
    "claim without path": (
        {"workload": {"source": {"volumeClaim": "logs"}}},
        "volumeClaim goes with path: the file's place inside the volume",
    ),
    "two clocks": ({"workload": {"clock": {"timestamps": {"speedup": 10}}}}, "give rate or timestamps, not both"),
    "no shard": ({"workload": {"shards": 0}}, "spec.workload.shards in body should be greater than or equal to 1"),
    "too many shards": ({"workload": {"shards": 65}}, "spec.workload.shards in body should be less than or equal to 64"),
    "shards of external servers": (
        {"workload": {"shards": 2}, "dependencies": {"redis": {"external": {"endpoints": {"baseline": "a:1", "aura": "b:1"}}}}},
        "workload.shards above 1 needs embedded Redis",
    ),
    "two sizes": ({"cache": {"memory": "8Mi"}}, "give exactly one of memory (such as 8Mi) or capacity (such as 5%)"),
    "no size": ({"cache": {"capacity": None}}, "give exactly one of memory (such as 8Mi) or capacity (such as 5%)"),
    "falling thresholds": (
        {"cache": {"ttl": {"thresholds": [0.8, 0.5]}}},
        "thresholds must rise and lie between 0 and 1, such as [0.5, 0.8]",
    ),
    "control twice": ({"controls": ["noop", "noop"]}, "controls names a planner twice; each control is one further arm"),
    "recorded without recording": (
        {"planner": {"backend": "recorded"}},
        "backend recorded needs recording: the plans.jsonl of an earlier run",
    ),
    "ml without model": ({"planner": {"backend": "ml"}}, "backend ml needs modelFile: what `aura train` has written"),
    "control ml without model": ({"controls": ["ml"]}, "control ml needs planner.modelFile: what `aura train` has written"),
    "control openai without model": ({"controls": ["openai"]}, "control openai needs planner.endpoint and planner.model"),
    "control recorded without recording": (
        {"controls": ["recorded"]},
        "control recorded needs planner.recording: the plans.jsonl of an earlier run",
    ),
    "openai without endpoint": ({"planner": {"backend": "openai"}}, "backend openai needs endpoint and model"),
    "ttl range": ({"executor": {"ttlMin": 900, "ttlMax": 60}}, "ttlMin must not be above ttlMax"),
    "embedded and external": (
        {"dependencies": {"kafka": {"embedded": {}, "external": {"endpoint": "kafka:9092"}}}},
        "give embedded or external, not both",
    ),
    "arm without server": (
        {"controls": ["noop"], "dependencies": {"redis": {"external": {"endpoints": {"baseline": "a:1", "aura": "b:1"}}}}},
        "dependencies.redis.external.endpoints must name a server for every arm: baseline, aura and each control",
    ),
    "two model servers": (
        {"planner": {"endpoint": "http://a:11434"}, "dependencies": {"ollama": {"embedded": {}}}},
        "give planner.endpoint or dependencies.ollama, not both: each names the model server",
    ),
}


def refusal(namespace: Namespace, *arguments: str, **spec: Any) -> str:
    wanted = manifest("refused", **spec)
    with pytest.raises(Refused) as caught:
        namespace.apply(wanted, arguments=("--dry-run=server", *arguments))
    return str(caught.value)


def test_manifests_that_contradict_themselves(namespace: Namespace) -> None:
    for name, (change, message) in CASES.items():
        assert message in refusal(namespace, **change), name


def test_names_and_fields(namespace: Namespace) -> None:
    with pytest.raises(Refused, match="must begin with a letter and have at most 39 lower case letters"):
        namespace.apply(manifest("a" * 41), arguments=("--dry-run=server",))
    assert "unknown field" in refusal(namespace, workload={"speed": 3})
    assert "Unsupported value" in refusal(namespace, planner={"backend": "clever"})
    assert "spec.trigger.everyEvents" in refusal(namespace, trigger={"everyEvents": 5})
