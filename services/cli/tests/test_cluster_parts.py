"""`kubectl aura` apart from the cluster: texts, choices, the reader's pod, errors before anything is asked."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from pod_security import violations
from rich.console import Console

from aura_cli.cluster.app import main
from aura_cli.cluster.connection import Connection, asking
from aura_cli.cluster.logs import about
from aura_cli.cluster.plans import Decision, last_decisions, lines
from aura_cli.cluster.pods import components
from aura_cli.cluster.reader import PYTHON, reader_pod
from aura_cli.cluster.results import Results
from aura_cli.cluster.story import not_well, show
from aura_cli.cluster.text import excerpt, printable
from aura_cli.errors import AuraError, InterruptedRunError
from aura_cli.signals import interruptible
from aura_contract.experiment import ExperimentSpec
from aura_contract.plan import Plan
from aura_contract.receipt import Receipt
from aura_contract.status import ExperimentStatus
from aura_operator.blueprint import Blueprint
from aura_operator.builders import replayer
from aura_operator.experiment import Experiment
from aura_operator.settings import OperatorSettings

Command = Callable[..., tuple[int, str, str]]

UID = "6f1c0b9e-3f6e-4c1b-9a53-0b6f1a2c3d4e"
SPEC = {
    "workload": {"source": {"url": "https://example.org/log.csv"}},
    "cache": {"capacity": "5%"},
    "planner": {"backend": "heuristic"},
    "controls": ["noop"],
    "pods": {"nodeSelector": {"disk": "fast"}, "imagePullSecrets": ["registry"]},
}
RUNNING: dict[str, Any] = {
    "phase": "Running",
    "message": "the log is being replayed",
    "run": "grocer-6f1c0b9e",
    "startedAt": "2026-05-04T12:00:00Z",
    "progress": "42%",
    "totalEvents": "400000",
    "planners": {"replicas": 3, "ready": 2},
    "arms": {
        "noop": {"planner": "noop", "hitRatio": "0.3990", "plansDecided": "9", "plansApplied": "0", "plansRefused": "0"},
        "aura": {"planner": "heuristic", "hitRatio": "0.4568", "plansDecided": "9", "plansApplied": "7", "plansRefused": "1"},
        "baseline": {"hitRatio": "0.4000"},
    },
}


def experiment(**status: Any) -> Experiment:
    told = ExperimentStatus.model_validate(status)
    created = datetime(2026, 5, 4, 12, tzinfo=UTC)
    return Experiment("grocer", "shop", UID, 1, created, False, (), ExperimentSpec.model_validate(SPEC), told)


def shown(found: Experiment) -> list[str]:
    out = io.StringIO()
    show(Console(file=out, width=200, highlight=False, markup=False, emoji=False), found)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.fixture
def kubectl_aura(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kubectl-aura", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def kubeconfig(folder: Path, server: str) -> Path:
    path = folder / "config"
    contexts = [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}]
    clusters = [{"name": "c", "cluster": {"server": server}}]
    told = {"contexts": contexts, "clusters": clusters, "users": [{"name": "u", "user": {}}], "current-context": "here"}
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **told}))
    return path


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain – ünï ✓\tand a tab", "plain – ünï ✓\tand a tab"),
        ("\x1b[2J\x07", r"\u001b[2J\u0007"),
        ("\x9b31m\x7f", r"\u009b31m\u007f"),
        ("a\u202eb\u2066c\ufeff", r"a\u202eb\u2066c\ufeff"),
        ("a\u2028b\rc", r"a\u2028b\rc"),
    ],
)
def test_nothing_that_a_terminal_would_act_on_is_printed(text: str, safe: str) -> None:
    assert printable(text) == safe


def test_escaped_json_is_the_same_json() -> None:
    line = json.dumps({"answer": "\x1b[31m \u202e \x7f \x9d \U000e0041"}, ensure_ascii=False)
    assert json.loads(printable(line)) == json.loads(line)
    assert printable(line).isprintable()


def test_an_excerpt_is_one_line() -> None:
    assert excerpt("one\n two\x1b three", 12) == r"one two\u001…"


def test_status_tells_of_every_arm_the_baseline_first() -> None:
    assert shown(experiment(**RUNNING)) == [
        "grocer in shop: Running, 42% of 400,000 events",
        "the log is being replayed",
        "run grocer-6f1c0b9e, started 2026-05-04T12:00:00Z",
        "planners 2 of 3 ready",
        "",
        "arm       planner    hit ratio  against baseline  backend reads  plans applied  refused  unplanned",
        "baseline  none          0.4000                                –",
        "aura      heuristic     0.4568      +5.68 points              –         7 of 9        1",
        "noop      noop          0.3990      -0.10 points              –         0 of 9        0",
    ]


def test_status_of_the_end_has_verdict_and_backend_reads() -> None:
    arms = {"baseline": {"hitRatio": "0.4", "backendReads": "262052"}, "aura": {"hitRatio": "0.5", "backendReads": "225391"}}
    end = {"phase": "Succeeded", "verdict": "Better", "reason": "it gained", "deltaPoints": "+1.50", "interval": "[+1.3, +1.8]"}
    lines = shown(experiment(**end, finishedAt="2026-05-04T13:00:00Z", arms=arms))
    assert lines[:3] == ["grocer in shop: Succeeded", "Better: it gained", "delta +1.50 points, 95 % interval [+1.3, +1.8]"]
    assert "262,052" in lines[-2]
    assert "225,391" in lines[-1]


def test_conditions_that_are_well_are_not_told() -> None:
    told = {"Ready": "False", "DependenciesReady": "True", "Progressing": "True", "Degraded": "True", "Complete": "False"}
    conditions = [{"type": name, "status": status, "reason": "Because"} for name, status in told.items()]
    assert [one.type for one in not_well(experiment(conditions=conditions).status)] == ["Ready", "Degraded"]


@pytest.mark.parametrize(("failed", "found"), [("True", ["Failed"]), ("False", [])])
def test_after_the_end_only_a_failure_is_not_well(failed: str, found: list[str]) -> None:
    told = {"Ready": "False", "DependenciesReady": "False", "Progressing": "False", "Failed": failed}
    conditions = [{"type": name, "status": status, "reason": "Because"} for name, status in told.items()]
    status = experiment(conditions=conditions, finishedAt="2026-05-04T13:00:00Z").status
    assert [one.type for one in not_well(status)] == found


@pytest.mark.parametrize(
    ("part", "arm", "found"),
    [
        ("all", None, {"replayer", "planner", "executor-aura", "executor-noop"}),
        ("executor", "noop", {"executor-noop"}),
        ("planner", "noop", {"planner"}),
    ],
)
def test_parts_are_found_by_their_components(part: str, arm: str | None, found: set[str]) -> None:
    assert components(experiment(), part, arm) == found


@pytest.mark.parametrize(
    ("line", "found"), [('{"arm":"aura"}', True), ('{"arm":"noop"}', False), ('["aura"]', False), ("arm aura", False)]
)
def test_lines_about_an_arm(line: str, found: bool) -> None:
    assert about(line, "aura") is found


def template(**changes: Any) -> dict[str, Any]:
    spec = ExperimentSpec.model_validate({**SPEC, **changes})
    (job,) = replayer.build(Blueprint("grocer", "shop", UID, spec, OperatorSettings()))
    return dict(job["spec"]["template"])


def test_the_reader_reads_and_may_do_nothing_else() -> None:
    pod = reader_pod(template(), experiment(), "grocer-reader-1")
    assert not list(violations(pod))
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert container["image"] == OperatorSettings().images.replayer
    assert spec["volumes"] == [{"name": "results", "persistentVolumeClaim": {"claimName": "grocer-results", "readOnly": True}}]
    assert [mount["readOnly"] for mount in container["volumeMounts"]] == [True]
    assert (spec["automountServiceAccountToken"], spec["restartPolicy"], "env" in container) == (False, "Never", False)
    assert (spec["nodeSelector"], spec["imagePullSecrets"]) == ({"disk": "fast"}, [{"name": "registry"}])
    assert pod["metadata"]["ownerReferences"][0]["uid"] == UID


def test_a_job_without_results_is_of_another_version() -> None:
    job = template()
    job["spec"]["volumes"] = []
    with pytest.raises(AuraError, match="has no volume at /results"):
        reader_pod(job, experiment(), "grocer-reader-1")


class Here(Results):
    """Result files of the folder that is named as the pod, read as in the container."""

    def path(self, name: str) -> str:
        return f"{self.pod}/{name}"

    def run(self, script: str, *arguments: str) -> Iterator[bytes]:
        command = (sys.executable, *PYTHON[1:], script, *arguments)
        # Nothing of a shell's or of Debian's is there.
        done = subprocess.run(command, env={"PATH": ""}, capture_output=True, check=False)
        if done.returncode:
            raise AuraError(f"reading the results failed: {done.stderr.decode().strip()}")
        yield done.stdout


def here(folder: Path) -> Results:
    return Here(Connection(ApiClient(), "shop"), str(folder), "replayer")


def planned(arm: str, window: int) -> str:
    return Plan(plan_id=f"{arm}-{window}", arm=arm, window=window, planner="p", latency_s=0, outcome="planned").model_dump_json()


def test_the_last_plans_of_an_arm_are_read_where_they_lie(tmp_path: Path) -> None:
    several = [planned(arm, window) for window in range(40) for arm in ("aura", "noop")]
    # The replayer is just writing the last one.
    (tmp_path / "plans.jsonl").write_text("\n".join([*several, several[-2][:30]]), encoding="utf-8")
    found = [decision.plan.plan_id for decision in last_decisions(here(tmp_path), 3, "aura")]
    assert found == ["aura-37", "aura-38", "aura-39"]
    assert len(last_decisions(here(tmp_path), 7, None)) == 7
    assert last_decisions(here(tmp_path), 3, "bandit") == []


def test_before_the_first_plan_there_is_no_file(tmp_path: Path) -> None:
    assert last_decisions(here(tmp_path), 3, None) == []


def test_a_file_is_read_whole_and_one_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_bytes(b"<html>\xff" * 100_000)
    assert here(tmp_path).read("report.html") == b"<html>\xff" * 100_000
    with pytest.raises(AuraError, match=r"failed: .*/none\.html: No such file or directory$"):
        here(tmp_path).read("none.html")


def test_what_a_model_said_is_escaped() -> None:
    plan = Plan(
        plan_id="p1", arm="aura", window=3, planner="llama3.2:1b", latency_s=1.25, evict=("item:1",), outcome="planned",
        answer='{"x": "\x1b]0;owned\x07"}', policy={"frequency": "high", "rules": [{"on": "request", "expand": "covisit"}]},
    )  # fmt: skip
    receipt = Receipt(
        plan_id="p1", run="r", arm="aura", window=3, planner="llama3.2:1b", outcome="applied", requested={"evict": 1},
        effective={"evict": 1}, refused={"held_out": 2}, latency_ms=1.0,
    )  # fmt: skip
    assert list(lines(Decision(plan, receipt))) == [
        "window 3, aura: planned by llama3.2:1b in 1.25 s",
        "  plan p1: frequency high, admit all, covisit on request (high, 10), evict 1",
        "  applied: evicted 1, prefetched 0; left out 2 held_out",
        r'  the model said: {"x": "\u001b]0;owned\u0007"}',
    ]


@pytest.mark.parametrize("command", ["status", "logs", "report", "plans", "suspend", "resume"])
def test_every_command_has_an_example(command: str, kubectl_aura: Command) -> None:
    code, out, _ = kubectl_aura(command, "--help")
    assert code == 0
    assert f"Example: kubectl aura {command} quickstart" in out


def test_no_kubeconfig(kubectl_aura: Command) -> None:
    code, _, err = kubectl_aura("status")
    assert code == 2
    assert err.startswith("kubectl aura: the kubeconfig cannot be used: ")
    assert err.endswith("; name one by --kubeconfig or KUBECONFIG\n")


def test_a_context_that_is_not_there(kubectl_aura: Command, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "http://127.0.0.1:9")
    code, _, err = kubectl_aura("status", "--kubeconfig", path, "--context", "there")
    assert (code, err) == (2, "kubectl aura: --context there: the kubeconfig has no such context; it has here\n")


def test_a_cluster_that_does_not_answer(kubectl_aura: Command, tmp_path: Path) -> None:
    code, _, err = kubectl_aura("status", "--kubeconfig", kubeconfig(tmp_path, "http://127.0.0.1:9"))
    assert code == 3
    assert err.startswith("kubectl aura: the cluster does not answer: ")
    assert "refused" in err


def test_ctrl_c_in_a_websocket_is_no_fault_of_the_cluster() -> None:
    def interrupted() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise ApiException(status=0, reason="")  # noqa: B904 - as the client does it

    with pytest.raises(InterruptedRunError), interruptible(), asking("get", "pods/exec"):
        interrupted()


@pytest.mark.parametrize(
    ("status", "reason", "code", "sentence"),
    [
        (403, 'User "u" cannot get', 4, 'not allowed: a role of yours needs the verb get on pods/exec (User "u" cannot get)'),
        (403, "exceeded quota", 1, "the API server refuses to get pods/exec: exceeded quota"),
        (0, "Handshake status 403 Forbidden -+-+- {}", 4, "needs the verb get on pods/exec (Handshake status 403 Forbidden)"),
        (401, "Unauthorized", 4, "the cluster does not know the kubeconfig's user; log in again"),
        (0, "reset", 3, "the connection to the cluster broke: reset"),
        (500, "Internal", 1, "the API server refuses to get pods/exec: Internal"),
    ],
)
def test_each_refusal_is_a_sentence(status: int, reason: str, code: int, sentence: str) -> None:
    with pytest.raises(AuraError) as error, asking("get", "pods/exec"):
        raise ApiException(status=status, reason=reason)
    assert error.value.exit_code == code
    assert str(error.value).endswith(sentence)
