"""`kubectl aura` against a real API server: what it says of experiments, and of what it may not or cannot do."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from live_cluster import Kubectl, Manifest, eventually, experiment, listening

pytestmark = pytest.mark.cluster

Aura = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server() -> Iterator[str]:
    with listening() as address:
        yield address


@pytest.fixture
def aura(kubectl: Kubectl) -> Aura:
    """The command in the test's namespace: exit code, standard output and standard error."""
    environment = {**os.environ, "KUBECONFIG": str(kubectl.kubeconfig), "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"}

    def run(command: str, *arguments: str) -> tuple[int, str, str]:
        flags = () if "--kubeconfig" in arguments else ("-n", kubectl.namespace)
        line = [sys.executable, "-m", "aura_cli.cluster", command, *arguments, *flags]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    return run


def applied(kubectl: Kubectl, manifest: Manifest) -> None:
    kubectl("apply", "-f", "-", stdin=manifest)
    eventually("a first look", lambda: ((kubectl.find("ax/ax") or {}).get("status") or {}).get("conditions"))


def test_status_names_what_is_not_well(kubectl: Kubectl, aura: Aura, server: str) -> None:
    applied(
        kubectl, experiment("ax", server=server, planner={"backend": "openai", "endpoint": "http://127.0.0.1:9", "model": "m"})
    )
    eventually("its trouble", lambda: "EndpointUnreachable" in kubectl("describe", "ax/ax"))
    code, out, err = aura("status", "ax")
    assert (code, err) == (0, "")
    assert out.startswith(f"ax in {kubectl.namespace}: Pending\nspec.planner.endpoint: 127.0.0.1:9 does not answer")
    assert "\nNot well:\n" in out
    assert "  Degraded=True  EndpointUnreachable: spec.planner.endpoint: 127.0.0.1:9 does not answer" in out
    assert aura("status") == (0, out, ""), "it is the only one of the namespace"


def test_suspend_and_resume(kubectl: Kubectl, aura: Aura, server: str) -> None:
    applied(kubectl, experiment("ax", server=server))
    code, out, _ = aura("suspend", "ax")
    assert (code, out) == (0, "ax suspended: the caches stay; kubectl aura resume ax goes on\n")
    assert (kubectl.find("ax/ax") or {})["spec"]["suspend"] is True
    assert aura("suspend", "ax")[:2] == (0, "ax is suspended already\n")
    assert aura("resume", "ax")[:2] == (0, "ax resumed\n")
    assert (kubectl.find("ax/ax") or {})["spec"]["suspend"] is False


def test_what_has_ended_is_not_suspended(kubectl: Kubectl, aura: Aura, server: str) -> None:
    applied(kubectl, experiment("ax", server=server, activeDeadlineSeconds=1))
    eventually("its end", lambda: (kubectl.find("ax/ax") or {})["status"].get("finishedAt"))
    assert aura("suspend", "ax") == (2, "", "kubectl aura: ax has ended (Failed); nothing of it is running\n")
    code, _, err = aura("report", "ax")
    assert (code, err.partition(";")[0]) == (2, "kubectl aura: ax is Failed: its report ended without a verdict")


@pytest.mark.parametrize("command", ["status", "logs", "report", "plans", "suspend", "resume"])
def test_no_such_experiment_names_those_that_are_there(kubectl: Kubectl, aura: Aura, command: str) -> None:
    there = f"no experiment bx in namespace {kubectl.namespace}; there is %s; -n names another namespace\n"
    assert aura(command, "bx") == (2, "", f"kubectl aura: {there % 'none'}")
    kubectl("apply", "-f", "-", stdin=experiment("ax"))
    assert aura(command, "bx") == (2, "", f"kubectl aura: {there % 'ax'}")


def test_what_is_not_there_yet(kubectl: Kubectl, aura: Aura) -> None:
    applied(kubectl, experiment("ax"))
    code, _, err = aura("report", "ax")
    assert (code, err.partition("; ")[0]) == (2, "kubectl aura: ax is Provisioning: its report is written at the end")
    assert aura("plans", "ax") == (2, "", "kubectl aura: ax is Provisioning and has no replayer: it has no results yet\n")
    code, _, err = aura("logs", "ax", "--part", "planner")
    assert (code, err.partition(";")[0]) == (2, "kubectl aura: ax is Provisioning and has no pod of planner now")
    code, _, err = aura("logs", "ax", "--arm", "baseline")
    assert (code, err) == (2, "kubectl aura: --arm baseline: ax plans for no such arm; it has aura\n")


def kubeconfig_of(kubectl: Kubectl, folder: Path, *rules: Manifest) -> Path:
    """A kubeconfig of a service account with these rights in the test's namespace."""
    kubectl("create", "serviceaccount", "user")
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "user"}, "rules": list(rules)}
    kubectl("apply", "-f", "-", stdin=role)
    kubectl("create", "rolebinding", "user", "--role=user", f"--serviceaccount={kubectl.namespace}:user")
    told = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    told["users"][0]["user"] = {"token": kubectl("create", "token", "user").strip()}
    told["contexts"][0]["context"]["namespace"] = kubectl.namespace
    path = folder / "user.kubeconfig"
    path.write_text(json.dumps(told))
    return path


def test_a_missing_right_is_named_by_its_verb(kubectl: Kubectl, aura: Aura, tmp_path: Path, server: str) -> None:
    applied(kubectl, experiment("ax", server=server))
    eventually("the replayer's Job", lambda: kubectl.find("job/ax-replayer"))
    experiments = {"apiGroups": ["aura.dev"], "resources": ["auraexperiments"], "verbs": ["get", "list"]}
    pods = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    jobs = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]}
    user = ("--kubeconfig", str(kubeconfig_of(kubectl, tmp_path, experiments, pods, jobs)))
    assert aura("status", "ax", *user)[0] == 0, "the namespace is that of the context"
    for command, right in (("suspend", "patch on auraexperiments.aura.dev"), ("plans", "create on pods")):
        code, out, err = aura(command, "ax", *user)
        assert (code, out) == (4, "")
        assert err.startswith(f"kubectl aura: not allowed: a role of yours needs the verb {right} (")
    kubectl("delete", "role", "user")
    code, _, err = aura("status", *user)
    assert (code, "needs the verb list on auraexperiments.aura.dev (" in err) == (4, True)
