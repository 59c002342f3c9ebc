"""What users get wrong: a condition that names the object and the remedy; mending the cause lets the experiment go on."""

import json
import time
from typing import Any

import pytest
from cluster import Cluster, Manifest, Namespace, until
from experiments import SHARED_KAFKA, Experiment, manifest, shop_log
from installation import Options, images
from operator_pod import pod_name, steady, system
from servers import Files

QUIET_SECONDS, TRIES = 12, 2
REFUSALS_ALLOWED = 8


def applied(namespace: Namespace, name: str, **spec: Any) -> Experiment:
    parts = {**SHARED_KAFKA, **spec.pop("dependencies", {})}
    return Experiment.applied(namespace, manifest(name, dependencies=parts, **spec))


def from_log(source: Manifest) -> Manifest:
    return {"source": {"dataset": None, **source}, "requests": ["click"], "limit": None}


def calm(experiment: Experiment) -> None:
    """A trouble that lasts is written down once, not again and again; a server of the test's own may still come up at first."""
    kinds = "deployments,statefulsets,services,configmaps,secrets,persistentvolumeclaims"
    time.sleep(2)
    seen = [experiment.versions(kinds)]
    with steady():
        while len(seen) < 2 or (seen[-1] != seen[-2] and len(seen) <= TRIES):
            time.sleep(QUIET_SECONDS)
            seen.append(experiment.versions(kinds))
    assert seen[-1] == seen[-2], seen


def test_secret_missing_then_without_its_key(namespace: Namespace, options: Options) -> None:
    model = Files.up(namespace, options)
    planner = {"backend": "openai", "model": "any", "endpoint": model.url(""), "secretRef": {"name": "model-login"}}
    experiment = applied(namespace, "login", planner=planner)
    message = "Secret model-login of spec.planner.secretRef"
    experiment.wait_for_trouble("SecretNotFound", f"{message} does not exist; create it with the key api-key", seconds=30)
    assert not experiment.pods("redis-aura")
    calm(experiment)
    namespace.apply(namespace.secret("model-login", token="x"))
    experiment.wait_for_trouble("SecretIncomplete", f"{message} lacks the key api-key; add it", seconds=30)
    namespace.apply(namespace.secret("model-login", **{"api-key": "x"}))
    experiment.wait_for("Succeeded", seconds=240)


def test_endpoint_that_does_not_answer(namespace: Namespace) -> None:
    host = f"broker.{namespace.name}.svc"
    kafka = {"kafka": {"external": {"endpoint": f"{host}:9092"}}}
    experiment = applied(namespace, "unanswered", suspend=True, dependencies=kafka)
    told = f"spec.dependencies.kafka.external.endpoint: {host}:9092 does not answer; start the server or correct the address"
    experiment.wait_for_trouble("EndpointUnreachable", told, seconds=30)
    calm(experiment)
    alias = {"type": "ExternalName", "externalName": "aura-kafka.aura-system.svc.cluster.local"}
    namespace.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "broker"}, "spec": alias})
    experiment.wait_until_well(120)


def test_unknown_model(namespace: Namespace, options: Options) -> None:
    ollama = Files.up(namespace, options)
    ollama.put("api/tags", json.dumps({"models": [{"name": "other:1b"}]}))
    server = {"ollama": {"external": {"endpoint": ollama.url("").rstrip("/")}}}
    planner = {"backend": "ollama", "model": "smollm2:135m"}
    experiment = applied(namespace, "unknown", suspend=True, planner=planner, dependencies=server)
    told = ("spec.planner.model", "has no model smollm2:135m (it has other:1b); pull it there or name another")
    experiment.wait_for_trouble("ModelNotFound", *told, seconds=30)
    calm(experiment)
    ollama.put("api/tags", json.dumps({"models": [{"name": "other:1b"}, {"name": "smollm2:135m"}]}))
    experiment.wait_until_well(120)


def test_image_that_cannot_be_pulled(namespace: Namespace, options: Options) -> None:
    wrong = {"redis": {"embedded": {"image": "redis:no-such-tag"}}}
    experiment = applied(namespace, "unpulled", suspend=True, dependencies=wrong)
    told = ("image redis:no-such-tag of redis-", "correct spec.dependencies.redis.embedded.image")
    experiment.wait_for_trouble("ImageNotPulled", *told, seconds=90)
    experiment.patch(dependencies={"redis": {"embedded": {"image": images(options)["redis"]}}})
    experiment.wait_until_well(120)


def test_log_that_is_not_there(namespace: Namespace, options: Options) -> None:
    files = Files.up(namespace, options)
    url = files.url("log.csv")
    experiment = applied(namespace, "lost", workload=from_log({"url": url}), catalog=None)
    experiment.wait_for_trouble("BadInput", url, "404", seconds=150)
    assert experiment.pods("replayer")[0]["status"]["containerStatuses"][0]["restartCount"] <= 3
    files.put("log.csv", shop_log(20_000))
    experiment.wait_for("Succeeded", seconds=240)


def test_log_without_requests(namespace: Namespace, options: Options) -> None:
    files = Files.up(namespace, options)
    files.put("log.csv", shop_log(0, views=20_000))
    experiment = applied(namespace, "idle", workload=from_log({"url": files.url("log.csv")}), catalog=None)
    told = "the log holds no request: its actions are view; name those that are requests in workload.requests"
    experiment.wait_for_trouble("BadInput", told, seconds=150)
    files.put("log.csv", shop_log(10_000, views=10_000))
    status = experiment.wait_for("Succeeded", seconds=240)
    assert (status["events"], status["arms"]["aura"]["requests"]) == ("20000", "10000")


def test_volume_claim_missing(namespace: Namespace, options: Options) -> None:
    workload = from_log({"path": "logs/log.csv", "volumeClaim": "logs"})
    experiment = applied(namespace, "unclaimed", workload=workload, catalog=None)
    told = "PersistentVolumeClaim logs of spec.workload.source.volumeClaim does not exist; create it"
    experiment.wait_for_trouble("VolumeClaimNotFound", told, seconds=30)
    calm(experiment)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}
    namespace.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "logs"}, "spec": claim})
    Files.up(namespace, options, claim="logs").put("logs/log.csv", shop_log(20_000))
    experiment.wait_for("Succeeded", seconds=240)


def test_quota_exceeded(namespace: Namespace) -> None:
    quota: Manifest = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "0"}},
    }
    namespace.apply(quota)
    with steady():
        experiment = applied(namespace, "crowded", suspend=True)
        experiment.wait_for_trouble("QuotaExceeded", "redis-", "small", "raise the quota", seconds=60)
        calm(experiment)
    namespace.apply({**quota, "spec": {"hard": {"pods": "50"}}})
    experiment.wait_until_well(180)


def test_quota_of_objects(namespace: Namespace, cluster: Cluster) -> None:
    """The API server refuses what the operator itself makes."""
    quota: Manifest = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"services": "0"}},
    }
    namespace.apply(quota)
    until("the quota counts", lambda: (namespace.find("resourcequota", "small") or {}).get("status", {}).get("used"), 30)
    with steady():
        experiment = applied(namespace, "crowded", suspend=True)
        experiment.wait_for_trouble("QuotaExceeded", "services", "raise the quota", seconds=60)
        calm(experiment)
        assert 1 <= refusals(cluster, namespace) <= REFUSALS_ALLOWED
    namespace.apply({**quota, "spec": {"hard": {"services": "50"}}})
    experiment.wait_until_well(180)


def refusals(cluster: Cluster, namespace: Namespace) -> int:
    """How often the API server has refused something of a namespace's experiments."""
    lines = system(cluster).kubectl("logs", pod_name(cluster)).splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]
    return sum(one.get("namespace") == namespace.name and one["level"] == "warning" for one in records)


@pytest.mark.parametrize("suspend", [True, False])
def test_namespace_being_deleted(namespace: Namespace, cluster: Cluster, suspend: bool) -> None:
    with steady():
        experiment = applied(namespace, "leaving", suspend=suspend)
        experiment.wait("its servers made", lambda status: status.get("phase") in ("Provisioning", "Running", "Suspended"), 60)
        namespace.delete()
        gone = lambda: not cluster.kubectl("get", "namespace", namespace.name, "--ignore-not-found")  # noqa: E731
        until("the namespace gone", gone, 120, otherwise=lambda: str(experiment.versions()))
        assert refusals(cluster, namespace) <= REFUSALS_ALLOWED
