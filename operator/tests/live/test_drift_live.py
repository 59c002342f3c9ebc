"""What is made for an experiment, and that it comes back; nothing is written when nothing has changed."""

import json
import time
from collections.abc import Callable, Iterator

import pytest
from live_cluster import Kubectl, Manifest, Operator, custom_kind, eventually, experiment, listening

pytestmark = pytest.mark.cluster

BACK_SECONDS = 10.0
QUIET_SECONDS = 30.0

OWN = {
    "ServiceAccount/ax-pods", "Secret/ax-passwords", "ConfigMap/ax-manifest", "PersistentVolumeClaim/ax-results",
    "StatefulSet/ax-kafka", "Service/ax-kafka", "Deployment/ax-redis-aura", "Service/ax-redis-aura",
    "Deployment/ax-redis-baseline", "Service/ax-redis-baseline",
}  # fmt: skip
WORKERS = {
    "Deployment/ax-planner", "Deployment/ax-executor-aura", "Job/ax-replayer", "Service/ax-replayer",
    "PodDisruptionBudget/ax-planner",
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[str]:
    with listening() as address:
        yield address


def made(kubectl: Kubectl, manifest: Manifest, wanted: set[str]) -> dict[str, Manifest]:
    """Apply an experiment and wait for its objects."""
    kubectl("apply", "-f", "-", stdin=manifest)
    name = manifest["metadata"]["name"]
    return eventually(f"{wanted}", lambda: found if wanted <= (found := kubectl.children(name)).keys() else None, 30)


def test_servers_are_made_first_and_belong_to_the_experiment(kubectl: Kubectl) -> None:
    found = made(kubectl, experiment("ax"), OWN)
    assert not WORKERS & found.keys()
    uid = kubectl.find("ax/ax")["metadata"]["uid"]
    assert {item["metadata"]["ownerReferences"][0]["uid"] for name, item in found.items() if name in OWN} == {uid}


def test_workers_are_made_where_the_user_brings_the_servers(kubectl: Kubectl, server: str) -> None:
    found = made(kubectl, experiment("ax", server=server), WORKERS)
    assert not {"StatefulSet/ax-kafka", "Secret/ax-passwords"} & found.keys()


def versions(kubectl: Kubectl) -> dict[str, str]:
    found = {key: item["metadata"]["resourceVersion"] for name in ("ax", "bx") for key, item in kubectl.children(name).items()}
    listed = json.loads(kubectl("get", "ax", "-o", "json"))["items"]
    return found | {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in listed}


def test_nothing_is_written_while_nothing_changes(kubectl: Kubectl, operator: Operator, server: str) -> None:
    made(kubectl, experiment("ax"), OWN)
    made(kubectl, experiment("bx", server=server), {name.replace("/ax", "/bx") for name in WORKERS})
    time.sleep(8)
    before, written = versions(kubectl), operator.writes()
    time.sleep(QUIET_SECONDS)
    assert versions(kubectl) == before
    assert operator.writes() == written


@pytest.mark.parametrize("restored", ["with", "without"])
def test_a_restarted_operator_writes_nothing_but_what_was_changed_without_it(
    kubectl: Kubectl, operator: Operator, server: str, restored: str
) -> None:
    made(kubectl, experiment("ax"), OWN)
    time.sleep(5)
    before = versions(kubectl)
    assert operator.stop() == 0
    if restored == "with":
        kubectl("delete", "service/ax-kafka")
    operator.start()
    if restored == "with":
        eventually("the Service is back", lambda: kubectl.find("service/ax-kafka"), BACK_SECONDS)
    time.sleep(5)
    after = versions(kubectl)
    assert {key for key in before if after.get(key) != before[key]} == ({"Service/ax-kafka"} if restored == "with" else set())


@pytest.mark.parametrize("embedded", [True, False], ids=["servers", "workers"])
def test_deleted_objects_are_back_within_ten_seconds(kubectl: Kubectl, server: str, embedded: bool) -> None:
    wanted = OWN - {"PersistentVolumeClaim/ax-results"} if embedded else WORKERS
    before = made(kubectl, experiment("ax", server=None if embedded else server), wanted)
    for name in sorted(wanted):
        kubectl("delete", name, "--wait=false")

    def back() -> dict[str, Manifest] | None:
        found = kubectl.children("ax")
        new = {key for key in wanted & found.keys() if found[key]["metadata"]["uid"] != before[key]["metadata"]["uid"]}
        return found if new == wanted else None

    after = eventually("all are back", back, BACK_SECONDS)
    if embedded:
        assert after["Secret/ax-passwords"]["data"] == before["Secret/ax-passwords"]["data"], "running servers know the old ones"


ADDED = {"spec": {"template": {"spec": {"containers": [{"name": "redis", "env": [{"name": "ADDED", "value": "1"}]}]}}}}
EDITS: dict[str, tuple[str, Manifest, str, Callable[[Manifest], object]]] = {
    "a variable that was added": (
        "deployment/ax-redis-aura", ADDED, "strategic",
        lambda found: found["spec"]["template"]["spec"]["containers"][0].get("env"),
    ),
    "an image": (
        "statefulset/ax-kafka",
        {"spec": {"template": {"spec": {"containers": [{"name": "kafka", "image": "other"}]}}}}, "strategic",
        lambda found: found["spec"]["template"]["spec"]["containers"][0]["image"],
    ),
    "the number of pods": (
        "deployment/ax-redis-aura", {"spec": {"replicas": 0}}, "merge", lambda found: found["spec"]["replicas"],
    ),
    "the manifest": (
        "configmap/ax-manifest", {"data": {"experiment.yaml": "x"}}, "merge", lambda found: found["data"]["experiment.yaml"],
    ),
    "a port": (
        "service/ax-kafka", {"spec": {"ports": [{"port": 9999}]}}, "merge",
        lambda found: [port["port"] for port in found["spec"]["ports"]],
    ),
    "the label of the experiment": (
        "service/ax-redis-aura", {"metadata": {"labels": {"aura.dev/experiment": None}}}, "merge",
        lambda found: found["metadata"]["labels"].get("aura.dev/experiment"),
    ),
    "the label of the operator": (
        "deployment/ax-redis-baseline", {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}, "merge",
        lambda found: found["metadata"]["labels"].get("app.kubernetes.io/managed-by"),
    ),
    "a password": (
        "secret/ax-passwords", {"data": {"redis": None}}, "merge", lambda found: found["data"].get("redis"),
    ),
}  # fmt: skip


def test_edited_objects_are_back_within_ten_seconds(kubectl: Kubectl, operator: Operator) -> None:
    made(kubectl, experiment("ax"), OWN)
    before = {what: read(kubectl.find(name)) for what, (name, _, _, read) in EDITS.items()}
    for name, change, how, _ in EDITS.values():
        kubectl.patch(name, change, how=how)
    until = time.monotonic() + BACK_SECONDS
    left = dict(EDITS)
    while left and time.monotonic() < until:
        left = {what: edit for what, edit in left.items() if edit[3](kubectl.find(edit[0])) != before[what]}
    assert not list(left)
    written = to_children(operator)
    time.sleep(3)
    assert to_children(operator) == written, "and it stays at that"


def to_children(operator: Operator) -> dict[str, float]:
    """Writes to anything but experiments, whose status follows what becomes of pods."""
    return {what: count for what, count in operator.writes().items() if "AuraExperiment" not in what}


def test_a_field_that_is_no_longer_wanted_goes(kubectl: Kubectl) -> None:
    manifest = experiment("ax", pods={"nodeSelector": {"disk": "fast"}})
    made(kubectl, manifest, OWN)
    assert selector(kubectl) == {"disk": "fast"}
    kubectl.patch("ax/ax", {"spec": {"pods": {"nodeSelector": None}}})
    eventually("no node selector", lambda: selector(kubectl) is None)


def selector(kubectl: Kubectl) -> object:
    return kubectl.find("deployment/ax-redis-aura")["spec"]["template"]["spec"].get("nodeSelector")


def test_a_prometheus_operator_that_comes_later_is_seen(kubectl: Kubectl, server: str) -> None:
    made(kubectl, experiment("ax", server=server), WORKERS)
    kubectl("apply", "-f", "-", stdin=custom_kind("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"))
    try:
        monitors = eventually("a ServiceMonitor", lambda: kubectl("get", "servicemonitors", "-o", "name").split(), 60)
        kubectl("delete", monitors[0])
        eventually("it is back", lambda: kubectl.find(monitors[0]), BACK_SECONDS)
    finally:
        kubectl("delete", "crd", "servicemonitors.monitoring.coreos.com")
