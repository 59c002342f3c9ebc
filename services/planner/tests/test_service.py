"""The process against a real broker."""

import json
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aura_bus import Publisher, Subscriber, ensure_topics
from aura_cli.embedded.ports import free_port
from aura_contract.base import CONTRACT_VERSION
from aura_contract.context import ContextSnapshot
from aura_contract.plan import Plan
from aura_contract.topics import Topics, message_key
from aura_planner import main
from aura_planner.pipeline import plan_id

MakeContext = Callable[..., ContextSnapshot]
Start = Callable[..., Any]


ARMS = ("aura", "noop", "random", "heuristic")
BACKLOG = 10_000


class Wire:
    """The test's own ends of the topics."""

    def __init__(self, broker: str) -> None:
        self.prefix = f"t{uuid.uuid4().hex[:8]}-"
        self.topics = Topics(self.prefix)
        ensure_topics(broker, self.topics.partitions)
        self._publisher = Publisher(broker)
        self._plans = Subscriber(broker, [self.topics.plan])

    def send(self, context: ContextSnapshot | bytes, *, flush: bool = True) -> None:
        raw = isinstance(context, bytes)
        value = context if raw else context.model_dump_json().encode()
        key = b"garbage" if raw else message_key(context.experiment, context.arm)
        slot = 0 if raw or context.arm not in ARMS else ARMS.index(context.arm)
        self._publisher.publish(self.topics.context, key, value, slot=slot)
        if flush:
            self.flush()

    def flush(self) -> None:
        self._publisher.flush(60)

    def plans(self, count: int, seconds: float = 20.0) -> list[tuple[bytes, Plan]]:
        """The next `count` plans, and then none for a moment."""
        found: list[tuple[bytes, Plan]] = []
        deadline = time.monotonic() + seconds
        while len(found) < count and time.monotonic() < deadline:
            message = self._plans.poll(0.2)
            if message:
                found.append((message.key, Plan.model_validate_json(message.value)))
        extra = self._plans.poll(0.5)
        assert extra is None, extra
        assert len(found) == count
        return found

    def some(self, seconds: float) -> list[Plan]:
        """Plans that are there, or come within `seconds`."""
        found, message = [], self._plans.poll(seconds)
        while message:
            found.append(Plan.model_validate_json(message.value))
            message = self._plans.poll(0.0)
        return found

    def close(self) -> None:
        self._plans.close()


@pytest.fixture
def wire(broker: str) -> Any:
    wire = Wire(broker)
    yield wire
    wire.close()


def test_one_plan_a_context_for_every_arm(wire: Wire, planner_process: Start, make_context: MakeContext) -> None:
    planner = planner_process({"backend": "heuristic"}, prefix=wire.prefix, controls=["noop", "random"])
    for window in range(3):
        for arm in ("aura", "noop", "random"):
            wire.send(make_context(window=window, arm=arm))
    plans = wire.plans(9)
    assert {(p.arm, p.window) for _, p in plans} == {(a, w) for a in ("aura", "noop", "random") for w in range(3)}
    for key, plan in plans:
        context = make_context(window=plan.window, arm=plan.arm)
        assert key == message_key("quickstart", plan.arm)
        assert plan.plan_id == f"r1-{plan.arm}-{plan.window}-{context.context_id[:8]}"
        assert plan.context_id == context.context_id
        assert plan.apply_at == context.workload.end_v + round(plan.latency_s * 1000)
        assert plan.expires_at - plan.apply_at == context.expires_at - context.workload.end_v
    outcomes = {plan.arm: plan.outcome for _, plan in plans}
    assert outcomes == {"aura": "planned", "noop": "noop", "random": "planned"}
    assert 'aura_planner_plans_total{arm="noop",outcome="noop"} 3.0' in planner.get("/metrics")
    assert 'aura_planner_plans_total{arm="aura",outcome="unreachable"} 0.0' in planner.get("/metrics")
    assert 'aura_planner_latency_seconds_count{arm="aura"} 3.0' in planner.get("/metrics")
    assert 'aura_planner_contexts_waiting{arm="aura"} 0.0' in planner.get("/metrics")
    assert planner.get("/healthz") == "ok\n"
    assert planner.get("/readyz") == "ok\n"
    line = planner.logged("plan published")
    assert {"experiment", "run", "arm", "window", "plan_id"} <= line.keys()
    status, seconds = planner.stop()
    assert status == 0
    assert seconds < 2


def test_planners_that_come_and_go_share_the_work(
    wire: Wire, planner_process: Start, make_context: MakeContext, wait_for: Callable[..., Any]
) -> None:
    def planned(planner: Any) -> set[tuple[str, int]]:
        return {(line["arm"], line["window"]) for line in planner.lines if "plan_id" in line}

    def arms_of(planner: Any, window: int) -> set[str]:
        return {arm for arm, number in planned(planner) if number == window}

    def send(window: int) -> set[str]:
        contexts = [make_context(window=window, arm=arm) for arm in ARMS]
        for context in contexts:
            wire.send(context)
        return {plan_id(context) for context in contexts}

    def until_planned(ids: set[str]) -> None:
        deadline = time.monotonic() + 40
        while not ids <= seen.keys() and time.monotonic() < deadline:
            for plan in wire.some(0.5):
                # A window that is planned twice has one id, and the second plan is ignored by executor and replayer alike.
                seen.setdefault(plan.plan_id or "", (plan.arm or "", plan.window or 0))
        assert ids <= seen.keys()

    seen: dict[str, tuple[str, int]] = {}
    spec = {"prefix": wire.prefix, "controls": list(ARMS[1:])}
    first = planner_process({"backend": "heuristic"}, **spec)
    until_planned(send(0))
    second = planner_process({"backend": "heuristic"}, **spec)
    shares: list[int] = []
    window = 0
    while shares != [2, 2] and window < 40:
        window += 1
        until_planned(send(window))
        time.sleep(0.5)  # plans are logged after they were sent
        shares = [len(arms_of(planner, window)) for planner in (first, second)]
    assert shares == [2, 2]
    first.stop(9)
    until_planned(send(window + 1))
    wait_for(lambda: arms_of(second, window + 1) == set(ARMS), 5, "all arms")
    assert sorted(seen.values()) == sorted((arm, number) for arm in ARMS for number in range(window + 2))


def test_other_runs_and_garbage_are_skipped(wire: Wire, planner_process: Start, make_context: MakeContext) -> None:
    planner = planner_process({"backend": "noop"}, prefix=wire.prefix)
    for garbage in (b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"run": "r1", "arm": "aura"}'):
        wire.send(garbage)
    wire.send(make_context(run="another"))
    wire.send(make_context(arm="stranger"))
    wire.send(make_context(version=99))
    wire.send(make_context(window=7))
    wire.send(make_context(window=8, version=CONTRACT_VERSION - 1))
    assert [plan.window for _, plan in wire.plans(2)] == [7, 8], "messages of the version before are read"
    metrics = planner.get("/metrics")
    assert 'aura_planner_discarded_total{reason="context_not_json"} 3.0' in metrics
    assert 'aura_planner_discarded_total{reason="context_schema"} 3.0' in metrics
    assert 'aura_planner_discarded_total{reason="context_arm"} 1.0' in metrics
    assert 'aura_planner_discarded_total{reason="context_version"} 1.0' in metrics


def test_redelivery_gives_the_same_plan(wire: Wire, planner_process: Start, make_context: MakeContext) -> None:
    planner_process({"backend": "random"}, prefix=wire.prefix)
    wire.send(make_context())
    wire.send(make_context())
    first, second = (plan for _, plan in wire.plans(2))
    assert first.plan_id == second.plan_id
    assert (first.evict, first.prefetch, first.policy) == (second.evict, second.prefetch, second.policy)


def test_what_was_committed_is_not_planned_again(wire: Wire, planner_process: Start, make_context: MakeContext) -> None:
    first = planner_process({"backend": "noop"}, prefix=wire.prefix)
    wire.send(make_context(window=1))
    wire.plans(1)
    assert first.stop()[0] == 0
    wire.send(make_context(window=2))
    planner_process({"backend": "noop"}, prefix=wire.prefix)
    assert [plan.window for _, plan in wire.plans(1, 40)] == [2]


def test_sigterm_in_the_middle_of_a_model_call(
    wire: Wire, planner_process: Start, make_context: MakeContext, fake_server: Any, wait_for: Callable[..., Any]
) -> None:
    fake_server.steps = ["hang"]
    block = {"backend": "ollama", "model": "tiny", "endpoint": fake_server.url, "timeoutSeconds": 60}
    planner = planner_process(block, prefix=wire.prefix, controls=["noop"])
    wire.send(make_context(window=1))
    wait_for(lambda: fake_server.seen, 20, "the model was not asked")
    wire.send(make_context(window=1, arm="noop"))
    assert [plan.arm for _, plan in wire.plans(1)] == ["noop"], "a slow arm must not delay another"
    assert planner.get("/healthz") == "ok\n"
    status, seconds = planner.stop()
    assert status == 0
    assert seconds < 2
    assert "Traceback" not in planner.log_path.read_text()
    planner_process({"backend": "noop"}, prefix=wire.prefix, controls=["noop"])
    assert [plan.arm for _, plan in wire.plans(1, 40)] == ["aura"], "what was not committed, and only that, is delivered again"


def test_windows_that_ended_in_the_queue_are_not_asked_for(
    wire: Wire, planner_process: Start, make_context: MakeContext, fake_server: Any, wait_for: Callable[..., Any]
) -> None:
    fake_server.steps = ["hang", (200, {"message": {"content": "no"}, "done": True})]
    block = {"backend": "ollama", "model": "tiny", "endpoint": fake_server.url, "timeoutSeconds": 3}
    planner = planner_process(block, prefix=wire.prefix)
    wire.send(make_context(window=0))
    wait_for(lambda: fake_server.seen, 20, "the model was not asked")
    for window in range(1, 4):
        wire.send(make_context(window=window))
    plans = sorted((plan for _, plan in wire.plans(4, 40)), key=lambda plan: plan.window or 0)
    assert [plan.window for plan in plans] == [0, 1, 2, 3]
    assert [plan.outcome for plan in plans] == ["timeout", "timeout", "timeout", "invalid"]
    assert ["is waiting already" in (plan.reason or "") for plan in plans] == [False, True, True, False]
    metrics = planner.get("/metrics")
    assert 'aura_planner_discarded_total{reason="superseded"} 2.0' in metrics
    assert "aura_planner_llm_latency_seconds_count 2.0" in metrics


def test_a_backlog_of_ten_thousand_windows_is_drained_by_two_calls_of_a_slow_model(
    wire: Wire, planner_process: Start, make_context: MakeContext, fake_server: Any
) -> None:
    fake_server.steps = ["hang", (200, {"message": {"content": "no"}, "done": True})]
    for window in range(BACKLOG):
        wire.send(make_context(window=window), flush=False)
    wire.flush()
    block = {"backend": "ollama", "model": "tiny", "endpoint": fake_server.url, "timeoutSeconds": 20}
    planner = planner_process(block, prefix=wire.prefix)
    outcomes: dict[int, str] = {}
    deadline = time.monotonic() + 120
    while len(outcomes) < BACKLOG and time.monotonic() < deadline:
        outcomes |= {plan.window or 0: plan.outcome for plan in wire.some(1)}
    # The oldest may be asked for before the others were seen; what the newest is asked for still counts.
    assert outcomes == dict.fromkeys(range(BACKLOG - 1), "timeout") | {BACKLOG - 1: "invalid"}
    metrics = planner.get("/metrics")
    assert 'aura_planner_contexts_waiting{arm="aura"} 0.0' in metrics
    asked = re.search(r"aura_planner_llm_latency_seconds_count (\d)\.0", metrics)
    assert asked
    assert int(asked[1]) <= 2, "ten thousand windows, two calls"


def test_windows_of_another_shard_end_nothing(
    wire: Wire, planner_process: Start, make_context: MakeContext, fake_server: Any, wait_for: Callable[..., Any]
) -> None:
    fake_server.steps = ["hang", (200, {"message": {"content": "no"}, "done": True})]
    planner_process({"backend": "ollama", "model": "tiny", "endpoint": fake_server.url, "timeoutSeconds": 3}, prefix=wire.prefix)
    wire.send(make_context(window=0))
    wait_for(lambda: fake_server.seen, 20, "the model was not asked")
    wire.send(make_context(window=1))
    wire.send(make_context(window=3, shard=1))
    plans = [plan for _, plan in wire.plans(3, 40)]
    assert sorted((plan.shard, plan.window, plan.outcome) for plan in plans) == [
        (0, 0, "timeout"), (0, 1, "invalid"), (1, 3, "invalid"),
    ]  # fmt: skip


def test_a_broker_that_is_away_ends_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main, "KAFKA_WAIT_S", 0.5)
    monkeypatch.setattr(main.logs, "setup", lambda *_: None)
    manifest = tmp_path / "experiment.json"
    spec = {"workload": {"source": {"path": "x"}}, "cache": {"capacity": "5%"}, "planner": {"backend": "noop"}}
    head = {"apiVersion": "aura.dev/v1alpha1", "kind": "AuraExperiment", "metadata": {"name": "x"}}
    manifest.write_text(json.dumps({**head, "spec": spec}), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    assert main.main(["--manifest", str(manifest), "--run", "r1", "--kafka", address]) == 1
    assert capsys.readouterr().err.startswith(f"aura-planner: Kafka at {address} does not answer")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"env": {"AURA_LISTEN": "nowhere"}}, "--listen nowhere cannot be used"),
        ({"planner": {"backend": "recorded", "recording": "gone.jsonl"}}, "gone.jsonl: the recording cannot be read"),
        ({"planner": {"backend": "wizard"}}, "spec.planner.backend: "),
    ],
)
def test_bad_input_ends_in_one_sentence(planner_process: Start, flags: dict[str, Any], sentence: str) -> None:
    planner = planner_process(**{"planner": {"backend": "noop"}, "prefix": "bad-", **flags})
    assert planner.process.wait(60) == 2
    text = planner.log_path.read_text()
    assert sentence in text
    assert "Traceback" not in text
