"""What is in Secrets is nowhere else: not in a status, an event, another object or the operator's log."""

import base64
import json
import secrets
from collections.abc import Iterator

import pytest
import yaml
from live_cluster import Kubectl, Manifest, Operator, eventually, experiment, listening

pytestmark = pytest.mark.cluster

KINDS = (
    "ax,configmaps,services,serviceaccounts,networkpolicies,poddisruptionbudgets,persistentvolumeclaims,"
    "deployments,replicasets,statefulsets,jobs,events"
)
PARTS = ("redis", "kafka", "mongodb", "milvus")
KEYS = ("username", "password", "ca.crt", "tls.crt", "tls.key", "api-key", "mechanism")


def canary(what: str) -> str:
    return f"canary-{what}-{secrets.token_hex(6)}"


def secret(kubectl: Kubectl, name: str, texts: dict[str, str]) -> list[str]:
    """Make a Secret; returns its values."""
    kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": texts})
    return list(texts.values())


def kubeconfig(words: list[str]) -> str:
    """Of a server that is refused, with everything that may be secret in it."""
    server, token = words
    return yaml.safe_dump(
        {
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{"name": "c", "cluster": {"server": f"https://u:{server}@"}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        }
    )  # fmt: skip


@pytest.fixture
def address() -> Iterator[str]:
    with listening() as found:
        yield found


def told(kubectl: Kubectl, name: str) -> Manifest:
    return (kubectl.find(f"ax/{name}") or {}).get("status") or {}


def generated(kubectl: Kubectl, name: str) -> list[str]:
    """The passwords that were made for an experiment's own servers."""
    found = eventually("the passwords", lambda: kubectl.find(f"secret/{name}"))
    return [base64.b64decode(value).decode() for key, value in found["data"].items() if key in PARTS]


def test_no_secret_is_in_any_other_object_or_in_the_log(kubectl: Kubectl, operator: Operator, address: str) -> None:
    words = []
    for part in ("redis", "kafka", "mongodb", "milvus", "ollama", "model"):
        words += secret(kubectl, f"{part}-login", {key: canary(f"{part}-{key.replace('.', '-')}") for key in KEYS})
    login = [canary("server"), canary("token")]
    secret(kubectl, "kube", {"kubeconfig": kubeconfig(login)})
    words += login
    plain = {
        part: {"external": {"endpoint": address, "tls": True, "secretRef": {"name": f"{part}-login"}}}
        for part in ("kafka", "mongodb", "milvus", "ollama")
    }
    arms = {"endpoints": {"baseline": address, "aura": address}, "tls": True, "secretRef": {"name": "redis-login"}}
    parts = {**plain, "redis": {"external": arms}}
    planner = {"backend": "ollama", "model": "m"}
    place = {"name": "east", "kubeconfigSecretRef": {"name": "kube"}, "namespace": "theirs"}
    away = {**parts, "kafka": {"external": {"endpoint": "127.0.0.1:9", "secretRef": {"name": "kafka-login"}}}}
    several = {
        "outside": experiment("outside", dependencies=parts, planner=planner),
        "placed": experiment("placed", dependencies=parts, planner={**planner, "placements": [place]}),
        "away": experiment("away", dependencies=away, planner={"backend": "heuristic", "secretRef": {"name": "model-login"}}),
        "own": experiment("own", catalog={"source": {"dataset": "complete-journey"}}, dependencies={"mongodb": {}}),
    }
    for one in several.values():
        kubectl("apply", "-f", "-", stdin=one)
    eventually("all of them were looked at", lambda: all(told(kubectl, name).get("phase") for name in several), 40)
    eventually("planners", lambda: kubectl.find("deployment/outside-planner"), 40)
    eventually("the trouble", lambda: "127.0.0.1:9 does not answer" in json.dumps(told(kubectl, "away")), 40)
    eventually("the kubeconfig is refused", lambda: "has the server https://***@" in json.dumps(told(kubectl, "placed")), 40)
    eventually("servers of its own", lambda: kubectl.find("statefulset/own-mongodb"), 40)
    words += generated(kubectl, "own-passwords")
    assert len(words) == 6 * len(KEYS) + 2 + len(PARTS)
    objects = kubectl("get", KINDS, "-o", "yaml")
    assert all(f"name: {name}\n" in objects for name in several)
    texts = {"objects": objects, "the log": operator.log(), "describe": kubectl("describe", "ax")}
    for word in words:
        for form in (word, base64.b64encode(word.encode()).decode().rstrip("=")):
            assert [where for where, text in texts.items() if form in text] == [], word
