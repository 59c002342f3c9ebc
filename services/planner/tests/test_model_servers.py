"""Ollama and OpenAI reasoners against a real HTTP server that behaves and misbehaves as told."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aura_cli.embedded.ports import free_port
from aura_contract.context import ContextSnapshot
from aura_planner.decision import Decision, Reasoner
from aura_planner.enrichment import Enrichment
from aura_planner.reasoners import build

MakeContext = Callable[..., ContextSnapshot]
GOOD = '{"frequency":"high","admit":"all","long":[],"short":[],"protect":[1],"seeds":[2,1],"drop":[]}'


def ollama(text: str, **changes: Any) -> dict[str, Any]:
    whole = {"model": "tiny", "message": {"role": "assistant", "content": text}, "done": True, "done_reason": "stop"}
    return whole | {"prompt_eval_count": 321, "eval_count": 33} | changes


def openai(text: str | None, finish: str = "stop") -> dict[str, Any]:
    return {
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 300, "completion_tokens": 40},
    }


@pytest.fixture
def reasoner(fake_server: Any, make_spec: Callable[..., Any]) -> Callable[..., Reasoner]:
    def make(backend: str = "ollama", **planner: Any) -> Reasoner:
        block = {"backend": backend, "model": "tiny", "endpoint": fake_server.url, "timeoutSeconds": 5, **planner}
        return build(backend, make_spec(block, seed=7), Path(), Enrichment(None, None, 128))

    return make


def test_ollama_ok(fake_server: Any, reasoner: Callable[..., Reasoner], make_context: MakeContext) -> None:
    fake_server.steps = [(200, ollama(GOOD))]
    one = reasoner()
    assert one.name == "ollama/tiny"
    decision = one.decide(make_context())
    assert decision.outcome == "planned"
    assert decision.policy is not None
    assert (decision.policy.frequency, decision.policy.protect) == ("high", ("cat0",))
    assert len(decision.seeds) == 2
    assert (decision.prompt_tokens, decision.answer_tokens, decision.answer) == (321, 33, GOOD)
    assert decision.model_s > 0
    (body,) = fake_server.seen
    assert fake_server.paths == ["/api/chat"]
    assert body["stream"] is False
    assert body["keep_alive"]
    assert body["format"]["required"][0] == "frequency"
    assert {"temperature", "seed", "num_ctx", "num_predict"} == body["options"].keys()


def test_ollama_sees_a_constant_prefix_and_options(
    fake_server: Any, reasoner: Callable[..., Reasoner], make_context: MakeContext
) -> None:
    fake_server.steps = [(200, ollama(GOOD))]
    one = reasoner()
    for window in range(3):
        one.decide(make_context(window=window, cache={"hit_ratio": 0.1 * window}))
    assert len({json.dumps([body["messages"][0], body["options"], body["model"]]) for body in fake_server.seen}) == 1
    assert len({body["messages"][1]["content"] for body in fake_server.seen}) == 3


@pytest.mark.parametrize(
    ("steps", "outcome", "discarded", "words"),
    [
        ([(200, ollama(GOOD, done=False))], "invalid", "incomplete", "before the answer was complete"),
        ([(200, ollama(GOOD[:40], done=False, done_reason=None))], "invalid", "incomplete", "before the answer was complete"),
        ([(200, ollama(GOOD[:26], done_reason="length"))], "invalid", "schema", "admit"),
        ([(200, ollama("I cannot do that."))], "invalid", "no_object", "no JSON object"),
        ([(200, ollama(GOOD.replace("[2,1]", "[99]")))], "invalid", "unknown_item", "'99'"),
        ([(404, {"error": "model 'tiny' not found"})], "unreachable", "unreachable", "run ollama pull tiny"),
        ([(404, b"404 page not found")], "unreachable", "unreachable", "HTTP 404: 404 page not found"),
        ([(400, {"error": "bad format"})], "unreachable", "unreachable", "HTTP 400: bad format"),
        ([(200, b"<html>")], "unreachable", "unreachable", "HTTP 200: not JSON; check the endpoint"),
        ([(200, {"hello": "world"})], "unreachable", "unreachable", "not answer as Ollama does"),
        ([(500, {"error": "boom"}), (200, ollama(GOOD))], "planned", None, None),
        (["drop", (200, ollama(GOOD))], "planned", None, None),
        ([(200, ollama(GOOD[:60], done_reason="length"))], "planned", None, None),
        ([(200, ollama(f"```json\n{GOOD}\n``` \ud800"))], "planned", None, None),
    ],
)
def test_ollama_scripts(
    fake_server: Any,
    reasoner: Callable[..., Reasoner],
    make_context: MakeContext,
    steps: list[Any],
    outcome: str,
    discarded: str | None,
    words: str | None,
) -> None:
    fake_server.steps = steps
    decision = reasoner().decide(make_context())
    assert (decision.outcome, decision.discarded) == (outcome, discarded), decision
    assert (words or "") in (decision.reason or "")
    if outcome != "planned":
        assert (decision.seeds, decision.evict, decision.policy) == ((), (), None)


@pytest.mark.parametrize("step", ["hang", "trickle"])
def test_ollama_timeout(fake_server: Any, reasoner: Callable[..., Reasoner], make_context: MakeContext, step: str) -> None:
    fake_server.steps = [step]
    decision, seconds = _timed(reasoner(timeoutSeconds=0.5), make_context())
    assert decision.outcome == "timeout"
    assert "timeoutSeconds: 0.5" in (decision.reason or "")
    assert 0.4 < seconds < 1.5


def test_ollama_refused_connection(reasoner: Callable[..., Reasoner], make_context: MakeContext) -> None:
    one = reasoner(endpoint=f"http://user:secret@127.0.0.1:{free_port()}", timeoutSeconds=1)
    decision, seconds = _timed(one, make_context())
    assert decision.outcome == "unreachable"
    assert "does not answer" in (decision.reason or "")
    assert "secret" not in (decision.reason or "")
    assert seconds < 1.5


def test_ollama_keys_style(fake_server: Any, reasoner: Callable[..., Reasoner], make_context: MakeContext) -> None:
    fake_server.steps = [(200, ollama('{"evict":["item:i0"],"prefetch":[{"k":"item:i3","v":"anything","ttl":300}]}'))]
    decision = reasoner(style="keys").decide(make_context())
    assert (decision.evict, decision.seeds, dict(decision.ttl)) == (("i0",), ("i3",), {"i3": 300})


def test_auto(fake_server: Any, reasoner: Callable[..., Reasoner], make_context: MakeContext, caplog: Any) -> None:
    fake_server.steps = [(200, ollama(GOOD))]
    assert reasoner("auto").name == "ollama/tiny"
    assert reasoner("auto", model=None).name == "ollama/llama3.2:1b"
    fallback = reasoner("auto", model="large:70b")
    assert "model large:70b is not on the server; run ollama pull large:70b" in fallback.name
    assert fallback.name.startswith("heuristic (auto: ")
    decision = fallback.decide(make_context())
    assert decision.outcome == "planned"
    assert decision.planner == "heuristic"
    assert "large:70b" in (decision.reason or "")
    assert sum("fell back" in record.message for record in caplog.records) == 1


def test_auto_without_a_server(reasoner: Callable[..., Reasoner]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert reasoner("auto", endpoint=url).name == f"heuristic (auto: Ollama at {url} does not answer)"


def test_openai_finds_the_form_that_the_server_takes(
    fake_server: Any, reasoner: Callable[..., Reasoner], make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURA_OPENAI_API_KEY", "sk-not-for-logs")
    fake_server.steps = [(400, {"error": {"message": "response_format json_schema is not supported"}}), (200, openai(GOOD))]
    one = reasoner("openai")
    decision = one.decide(make_context())
    assert decision.outcome == "planned"
    assert (decision.prompt_tokens, decision.answer_tokens) == (300, 40)
    assert [body["response_format"]["type"] for body in fake_server.seen] == ["json_schema", "json_object"]
    assert fake_server.headers[0]["Authorization"] == "Bearer sk-not-for-logs"
    assert fake_server.paths == ["/v1/chat/completions"] * 2
    one.decide(make_context())
    assert fake_server.seen[-1]["response_format"]["type"] == "json_object"


@pytest.mark.parametrize("usage", [None, [], "many", {}, {"prompt_tokens": "300", "completion_tokens": [40]}])
def test_openai_counts_that_are_none_are_not_known(
    fake_server: Any, reasoner: Callable[..., Reasoner], make_context: MakeContext, usage: Any
) -> None:
    fake_server.steps = [(200, openai(GOOD) | {"usage": usage})]
    decision = reasoner("openai").decide(make_context())
    assert (decision.outcome, decision.prompt_tokens, decision.answer_tokens) == ("planned", None, None)


def test_ollama_with_a_reason_that_is_none_has_not_finished(
    fake_server: Any, reasoner: Callable[..., Reasoner], make_context: MakeContext
) -> None:
    fake_server.steps = [(200, ollama(GOOD, done_reason=["stop"]))]
    assert reasoner().decide(make_context()).discarded == "incomplete"


@pytest.mark.parametrize(
    ("step", "outcome", "words"),
    [
        ((401, {"error": {"message": "bad key sk-not-for-logs"}}), "unreachable", "set AURA_OPENAI_API_KEY"),
        ((404, {"error": {"message": "no such model, sk-not-for-logs"}}), "unreachable", "HTTP 404: no such model"),
        ((200, openai(None)), "invalid", "said nothing"),
        ((200, openai(GOOD, "content_filter")), "invalid", "before the answer was complete"),
        ((200, {"choices": []}), "unreachable", "chat completions"),
        ((400, {"error": "no"}), "unreachable", "HTTP 400: no"),
    ],
)
def test_openai_scripts(
    fake_server: Any,
    reasoner: Callable[..., Reasoner],
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
    step: Any,
    outcome: str,
    words: str,
) -> None:
    monkeypatch.setenv("AURA_OPENAI_API_KEY", "sk-not-for-logs")
    fake_server.steps = [step]
    decision = reasoner("openai").decide(make_context())
    assert decision.outcome == outcome
    assert words in (decision.reason or "")
    assert "sk-not-for-logs" not in repr(decision)


def _timed(one: Reasoner, context: ContextSnapshot) -> tuple[Decision, float]:
    started = time.monotonic()
    return one.decide(context), time.monotonic() - started
