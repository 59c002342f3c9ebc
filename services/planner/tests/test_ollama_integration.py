"""The real server with real small models: what it sends is read, and what comes of it is a valid plan."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aura_contract.admissibility import Admissible, admissible
from aura_contract.context import ContextSnapshot
from aura_contract.limits import ExecutorSpec
from aura_planner.enrichment import Enrichment
from aura_planner.pipeline import Pipeline
from aura_planner.prompt import keys_prompt, levers_prompt
from aura_planner.reasoners import build

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

IMAGE = "ollama/ollama:0.17.4"
MODELS = ("smollm2:135m", "qwen2.5-coder:1.5b")


@pytest.fixture(scope="module")
def ollama() -> Iterator[str]:
    containers = pytest.importorskip("testcontainers.core.container")
    with containers.DockerContainer(IMAGE).with_exposed_ports(11434) as container:
        url = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(11434)}"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{url}/api/tags", timeout=2) as answer:
                    names = {model["name"] for model in json.load(answer)["models"]}
                break
            except OSError:
                time.sleep(0.2)
        else:
            pytest.fail("Ollama did not start")
        missing = set(MODELS) - names
        if missing:
            pytest.skip(f"the image has no {', '.join(sorted(missing))}")
        yield url


@pytest.mark.parametrize("style", ["levers", "keys"])
@pytest.mark.parametrize("model", MODELS)
def test_a_model_plans(
    ollama: str, model: str, style: str, make_context: Callable[..., ContextSnapshot], make_spec: Callable[..., Any]
) -> None:
    block = {"backend": "ollama", "model": model, "endpoint": ollama, "style": style, "timeoutSeconds": 300}
    spec = make_spec(block, executor={"maxEvict": 3, "maxPrefetch": 3})
    reasoner = build("ollama", spec, Path(), Enrichment(None, None, 128))
    pipeline = Pipeline(reasoner, spec, Enrichment(None, None, 128))
    outcomes = []
    for window in range(2 if model == MODELS[0] else 1):
        context = make_context(60, window=window, caps={"max_evict": 3, "max_prefetch": 3})
        made = pipeline.plan(context)
        plan, decision = made.plan, made.decision
        print(f"\n{model} {style} {window}: {plan.outcome} ({plan.reason}) {plan.latency_s:.1f} s", end=" ")
        print(f"prompt {decision.prompt_tokens} answer {decision.answer_tokens}: {plan.answer}")
        assert plan.outcome in {"planned", "invalid"}, plan.reason
        assert decision.prompt_tokens
        prompt = keys_prompt(context) if style == "keys" else levers_prompt(context)
        assert decision.prompt_tokens <= 1500
        if style == "levers":
            assert decision.answer_tokens is not None
            assert decision.answer_tokens <= 60
            if decision.answer_tokens < 60:
                assert json.loads(plan.answer or "").keys() == prompt.schema["properties"].keys()
                assert decision.discarded in {None, "duplicate", "conflict"}, "all else is ruled out by the schema"
        verdict = admissible(made.payload, ExecutorSpec(max_evict=3, max_prefetch=3))
        assert isinstance(verdict, Admissible)
        assert not verdict.refused
        outcomes.append(plan.outcome)
    assert outcomes


def test_a_model_that_is_not_there(
    ollama: str, make_context: Callable[..., ContextSnapshot], make_spec: Callable[..., Any]
) -> None:
    spec = make_spec({"backend": "ollama", "model": "absent:1b", "endpoint": ollama})
    decision = build("ollama", spec, Path(), Enrichment(None, None, 128)).decide(make_context())
    assert decision.outcome == "unreachable"
    assert "run ollama pull absent:1b" in (decision.reason or "")
    assert build("auto", spec, Path(), Enrichment(None, None, 128)).name.startswith(
        "heuristic (auto: model absent:1b is not on the server"
    )
