"""Placements against a real API server, which is both clusters here: another namespace, and a user with the documented rights."""

import base64
import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from live_cluster import ROOT, Kubectl, Manifest, Operator, Refused, eventually, experiment, listening

pytestmark = pytest.mark.cluster

ROLE = re.compile(r"^ *```yaml\n( *apiVersion: rbac.*?)^ *```", re.DOTALL | re.MULTILINE)
PLACED = "deployments,secrets,configmaps,serviceaccounts"
ADVICE = "give the user of Secret kube the Role of docs/clusters.md"


@pytest.fixture
def server() -> Iterator[str]:
    with listening() as address:
        yield address


@dataclass(frozen=True)
class Elsewhere:
    """The other cluster's namespace, and what it takes to log in there."""

    kubectl: Kubectl
    server: str
    authority: str
    token: str

    def config(self, **changes: Any) -> str:
        """A kubeconfig; `user` and `server` may be others."""
        server = changes.get("server", self.server)
        return yaml.safe_dump(
            {
                "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority-data": self.authority}}],
                "users": [{"name": "u", "user": changes.get("user", {"token": self.token})}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )

    def placed(self) -> dict[str, Manifest]:
        """Everything that placements have there."""
        found = self.kubectl("get", PLACED, "-l", "aura.dev/placement", "-o", "json", "--show-managed-fields")
        return {item["kind"]: item for item in json.loads(found)["items"]}

    def writes(self) -> list[tuple[str, Any, Any]]:
        """What the operator wrote last there, and when; a cluster's own controllers write their status whenever they like."""
        return [
            (kind, entry["time"], entry["fieldsV1"])
            for kind, item in self.placed().items()
            for entry in item["metadata"]["managedFields"]
            if entry["manager"] == "aura-operator"
        ]


@pytest.fixture
def elsewhere(kubectl: Kubectl) -> Iterator[Elsewhere]:
    there = Kubectl(kubectl.kubeconfig, f"{kubectl.namespace[:50]}-there")
    there("create", "namespace", there.namespace)
    found = ROLE.search((ROOT / "docs" / "clusters.md").read_text())
    assert found
    there("apply", "-f", "-", stdin=yaml.safe_load(found[1]))
    for name in ("aura", "nobody"):
        there("create", "serviceaccount", name)
    there("create", "rolebinding", "aura", "--role=aura-placements", f"--serviceaccount={there.namespace}:aura")
    entry = administrator(kubectl.kubeconfig)["clusters"][0]["cluster"]
    token = there("create", "token", "aura").strip()
    yield Elsewhere(there, entry["server"], entry["certificate-authority-data"], token)
    there("delete", "namespace", there.namespace, "--wait=false")


def administrator(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def secret(kubectl: Kubectl, text: str) -> None:
    data = {"kubeconfig": base64.b64encode(text.encode()).decode()}
    kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "kube"}, "data": data})


def placing(namespace: str, server: str | None, **changes: Any) -> Manifest:
    where = {"name": "east", "kubeconfigSecretRef": {"name": "kube"}, "namespace": namespace, **changes}
    return experiment("ax", server=server, planner={"backend": "heuristic", "placements": [where]})


def entry(kubectl: Kubectl) -> Manifest:
    status = (kubectl.find("ax/ax") or {}).get("status") or {}
    return next(iter(status.get("placements") or []), {})


def condition(kubectl: Kubectl, name: str) -> Manifest:
    status = (kubectl.find("ax/ax") or {}).get("status") or {}
    return next((one for one in status.get("conditions") or [] if one["type"] == name), {})


def says(kubectl: Kubectl, reason: str, message: str, seconds: float = 30) -> None:
    """Entry and summary say the same, and the replay is brought up all the same."""
    eventually(f"{reason}: {entry(kubectl)}", lambda: entry(kubectl).get("reason") == reason, seconds)
    assert entry(kubectl)["message"] == message
    summed = condition(kubectl, "PlacementsReady")
    assert (summed["status"], summed["reason"], summed["message"]) == ("False", reason, f"placement east: {message}")
    assert condition(kubectl, "Degraded")["status"] == "True"
    eventually("the replayer's Job", lambda: kubectl.find("job/ax-replayer"))


@pytest.mark.parametrize(
    ("text", "reason", "message"),
    [
        (
            None,
            "SecretNotFound",
            "kubeconfig of Secret kube cannot be read: the Secret does not exist; create it with the key kubeconfig",
        ),
        ("", "SecretIncomplete", "kubeconfig of Secret kube cannot be read: the Secret lacks the key; add it"),
        ("clusters: a: b", "KubeconfigInvalid", "kubeconfig of Secret kube is not valid YAML at line 1, column 12"),
        (
            {"exec": {"command": "touch", "args": ["/tmp/ran"]}},
            "KubeconfigRefused",
            (
                "kubeconfig of Secret kube is refused: user u uses exec, which would run a program in the operator's pod; "
                "give a token, client-certificate-data with client-key-data, or username with password"
            ),
        ),
        (
            {"token": "expired"},
            "Unauthorized",
            "the cluster at {server} does not know who asks (401); renew the token, certificate or password in Secret kube",
        ),
    ],
)
def test_a_login_that_cannot_be_used_is_named(
    kubectl: Kubectl, elsewhere: Elsewhere, server: str, text: Any, reason: str, message: str
) -> None:
    if text is not None:
        secret(kubectl, elsewhere.config(user=text) if isinstance(text, dict) else text)
    kubectl("apply", "-f", "-", stdin=placing(elsewhere.kubectl.namespace, server))
    says(kubectl, reason, message.replace("{server}", elsewhere.server))
    secret(kubectl, elsewhere.config())
    eventually("it goes on by itself", lambda: elsewhere.placed().keys() >= {"Deployment", "ConfigMap"}, 30)
    # Nothing was made before, so nothing holds up its deletion.
    kubectl("delete", "ax/ax", "--timeout=30s")
    assert not elsewhere.placed()


def test_a_user_without_rights_is_told_what_it_lacks(kubectl: Kubectl, elsewhere: Elsewhere, server: str) -> None:
    there = elsewhere.kubectl
    secret(kubectl, elsewhere.config(user={"token": there("create", "token", "nobody").strip()}))
    kubectl("apply", "-f", "-", stdin=placing(there.namespace, server))
    refusal = (
        f'deployments.apps is forbidden: User "system:serviceaccount:{there.namespace}:nobody" cannot list resource '
        f'"deployments" in API group "apps" in the namespace "{there.namespace}"'
    )
    says(kubectl, "Forbidden", f"the cluster at {elsewhere.server} forbids it: {refusal}; {ADVICE}")


def test_a_namespace_that_is_not_there_is_named(kubectl: Kubectl, elsewhere: Elsewhere, server: str) -> None:
    # Somebody who may ask in namespaces that do not exist; with a client certificate.
    secret(kubectl, kubectl.kubeconfig.read_text())
    kubectl("apply", "-f", "-", stdin=placing("nowhere", server))
    advice = "create it there, or correct the placement's namespace"
    says(kubectl, "NamespaceNotFound", f"the cluster at {elsewhere.server} has no namespace nowhere; {advice}")


def test_a_cluster_that_does_not_answer_holds_up_nothing(kubectl: Kubectl, elsewhere: Elsewhere, server: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}"
        secret(kubectl, elsewhere.config(server=address))
        kubectl("apply", "-f", "-", stdin=placing(elsewhere.kubectl.namespace, server))
        advice = "start it, or correct server in Secret kube"
        says(kubectl, "Unreachable", f"the cluster at {address} cannot be reached (no answer within 2 s); {advice}")
        started = time.monotonic()
        kubectl("apply", "-f", "-", stdin=experiment("bx", server=server))
        eventually("another experiment's Job", lambda: kubectl.find("job/bx-replayer"))
        assert time.monotonic() - started < 10


def up(kubectl: Kubectl, elsewhere: Elsewhere, server: str | None) -> dict[str, Manifest]:
    """Objects of a placement, once they are there and the entry tells of the planners."""
    secret(kubectl, elsewhere.config())
    kubectl("apply", "-f", "-", stdin=placing(elsewhere.kubectl.namespace, server))
    eventually(f"objects: {entry(kubectl)}", lambda: "Deployment" in elsewhere.placed(), 30)
    eventually("planners are awaited", lambda: entry(kubectl).get("reason") == "Unschedulable", 30)
    return elsewhere.placed()


def test_planners_are_placed_put_right_and_removed_with_their_placement(
    kubectl: Kubectl, elsewhere: Elsewhere, operator: Operator, server: str
) -> None:
    found, there = up(kubectl, elsewhere, server), elsewhere.kubectl
    assert found.keys() == {"Deployment", "ConfigMap", "ServiceAccount"}
    assert not any("ownerReferences" in item["metadata"] for item in found.values())
    assert "aura.dev/placements" in kubectl.find("ax/ax")["metadata"]["finalizers"]  # type: ignore[index]
    name = found["Deployment"]["metadata"]["name"]
    there("delete", f"configmap/{found['ConfigMap']['metadata']['name']}")
    added = {"name": "planner", "env": [{"name": "ADDED", "value": "1"}]}
    there.patch(f"deployment/{name}", {"spec": {"replicas": 7, "template": {"spec": {"containers": [added]}}}}, how="strategic")
    eventually("the ConfigMap", lambda: "ConfigMap" in elsewhere.placed())

    def right() -> bool:
        spec = elsewhere.placed()["Deployment"]["spec"]
        return spec["replicas"] == 1 and "ADDED" not in json.dumps(spec["template"])

    eventually("the Deployment", right)
    assert operator.stop() == 0
    before = elsewhere.writes()
    assert {kind for kind, *_ in before} == {"Deployment", "ConfigMap", "ServiceAccount"}
    operator.start()
    time.sleep(4)
    assert elsewhere.writes() == before
    kubectl.patch("ax/ax", {"spec": {"planner": {"placements": []}}})
    eventually("all of it is gone", lambda: not elsewhere.placed())
    eventually("its entry too", lambda: not entry(kubectl) and not condition(kubectl, "PlacementsReady"))


def test_a_deleted_experiment_leaves_nothing_elsewhere_whatever_goes_first(
    kubectl: Kubectl, elsewhere: Elsewhere, server: str
) -> None:
    up(kubectl, elsewhere, server)
    kubectl("delete", "secret", "kube")
    kubectl("delete", "ax/ax", "--timeout=30s")
    assert not elsewhere.placed()


def test_a_cluster_that_is_gone_holds_up_a_deletion_for_a_bounded_time_and_is_told_of(
    kubectl: Kubectl, elsewhere: Elsewhere, operator: Operator, server: str
) -> None:
    up(kubectl, elsewhere, server)
    run = kubectl.find("ax/ax")["status"]["run"]  # type: ignore[index]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}"
        secret(kubectl, elsewhere.config(server=address))
        kubectl("delete", "ax/ax", "--wait=false")
        told = eventually("the condition", lambda: condition(kubectl, "PlacementsReady").get("reason") == "Removing" or None)
        # The time counts from the deletion, not from the operator's start.
        assert told
        assert operator.stop() == 0
        operator.start()
        eventually("it is gone", lambda: kubectl.find("ax/ax") is None, 30)
    events = [one for one in json.loads(kubectl("get", "events", "-o", "json"))["items"] if one["reason"] == "LeftBehind"]
    command = (
        f"kubectl -n {elsewhere.kubectl.namespace} delete deployments,secrets,configmaps,serviceaccounts "
        f"-l aura.dev/run={run},aura.dev/placement=east"
    )
    message = (
        f"placement east: planners, Secrets and ConfigMap stay in namespace {elsewhere.kubectl.namespace} of the cluster at "
        f"{address}, which was tried for 12 s (Unreachable); remove them there: {command}"
    )
    assert [event["message"] for event in events] == [message]
    elsewhere.kubectl(*command.split()[3:])
    assert not elsewhere.placed()


def test_an_embedded_kafka_has_a_door_from_its_first_start(kubectl: Kubectl, elsewhere: Elsewhere) -> None:
    secret(kubectl, elsewhere.config())
    kubectl("apply", "-f", "-", stdin=placing(elsewhere.kubectl.namespace, None))
    kafka = eventually("Kafka", lambda: kubectl.find("statefulset/ax-kafka"), 30)
    service = kubectl.find("service/ax-kafka-door")
    assert service
    (port,) = service["spec"]["ports"]
    variables = {one["name"]: one.get("value") for one in kafka["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert variables["KAFKA_ADVERTISED_LISTENERS"].endswith(f",DOOR://192.0.2.8:{port['nodePort']}")
    assert kafka["metadata"]["generation"] == 1
    assert (entry(kubectl)["reason"], entry(kubectl)["message"]) == ("Pending", "waiting until the experiment's own parts are up")
    kubectl.patch("ax/ax", {"spec": {"planner": {"placements": []}}})
    eventually("the door is gone", lambda: not kubectl.find("service/ax-kafka-door") and not kubectl.find("secret/ax-kafka-door"))
    kafka = kubectl.find("statefulset/ax-kafka") or {}
    assert "DOOR" not in json.dumps(kafka["spec"])


def test_placements_do_not_come_to_a_broker_without_a_door_once_the_replay_has_started(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=experiment("ax"))
    placements = placing("there", None)["spec"]["planner"]["placements"]
    kubectl.patch("ax/ax", {"status": {"startedAt": "2026-05-04T12:00:00Z"}}, subresource="status")
    with pytest.raises(
        Refused, match=r"spec\.planner\.placements cannot come once the replay has started with an embedded Kafka"
    ):
        kubectl.patch("ax/ax", {"spec": {"planner": {"placements": placements}}})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"planner": {"backend": "heuristic", "placements": [{"name": "a"}, {"name": "a"}]}},
            "placements has a name twice; give each placement a name of its own",
        ),
        (
            {"planner": {"backend": "auto", "placements": [{"name": "a"}]}},
            "planner.placements reach no embedded MongoDB, Milvus or",
        ),
        (
            {"planner": {"backend": "heuristic", "placements": [{"name": "a"}]}, "controls": ["ollama"]},
            "planner.placements reach no embedded MongoDB, Milvus or Ollama",
        ),
        (
            {"planner": {"backend": "heuristic", "placements": [{"name": "a"}]}, "dependencies": {"mongodb": {}}},
            "planner.placements reach no embedded MongoDB, Milvus or Ollama",
        ),
        (
            {
                "planner": {"backend": "heuristic", "placements": [{"name": "a"}]},
                "catalog": {"source": {"path": "items.csv", "volumeClaim": "items"}},
            },
            "planner.placements have no volume of this cluster",
        ),
    ],
)
def test_placements_that_reach_nothing_are_refused(kubectl: Kubectl, spec: Manifest, message: str) -> None:
    for one in spec["planner"]["placements"]:
        one |= {"kubeconfigSecretRef": {"name": "kube"}, "namespace": "there"}
    with pytest.raises(Refused, match=re.escape(message)):
        kubectl("apply", "-f", "-", stdin=experiment("ax", **spec))
