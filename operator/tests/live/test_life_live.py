"""Lives of experiments: from apply to their end, with subresources, refusals and what stays."""

import json
from collections.abc import Iterator

import pytest
from live_cluster import Kubectl, Manifest, Refused, answering, eventually, experiment, listening, make_pod, tell_pod
from operator_samples import ending, progress, verdict

from aura_contract.dependencies import NO_LOGIN

pytestmark = pytest.mark.cluster

REPLAYER = "127.0.0.77"
"""An address of this machine that nothing else listens on."""


@pytest.fixture
def server() -> Iterator[str]:
    with listening() as address:
        yield address


def applied(kubectl: Kubectl, manifest: Manifest) -> None:
    kubectl("apply", "-f", "-", stdin=manifest)


def status(kubectl: Kubectl) -> Manifest:
    found = kubectl.find("ax/ax")
    return (found or {}).get("status") or {}


def phase(kubectl: Kubectl, wanted: str, seconds: float = 20) -> Manifest:
    return eventually(f"phase {wanted}", lambda: found if (found := status(kubectl)).get("phase") == wanted else None, seconds)


def job(kubectl: Kubectl) -> Manifest:
    return eventually("the replayer's Job", lambda: kubectl.find("job/ax-replayer"))


def holds(told: Manifest, condition: str) -> Manifest:
    return next(one for one in told["conditions"] if one["type"] == condition)


def test_an_experiment_runs_and_succeeds_and_keeps_its_results(kubectl: Kubectl, server: str) -> None:
    applied(kubectl, experiment("ax", server=server))
    job(kubectl)
    phase(kubectl, "Provisioning")
    events = iter(range(1, 10_000))
    with answering(REPLAYER, lambda: progress(events=min(999, next(events))).model_dump_json()):
        make_pod(kubectl, "ax", REPLAYER)
        running = phase(kubectl, "Running")
        eventually("its progress", lambda: int(status(kubectl).get("events") or 0) > 3)
        assert (status(kubectl)["hitRatio"], holds(running, "Failed")["status"]) == ("0.4568", "False")
        started = eventually("its start", lambda: status(kubectl).get("startedAt"))
    with pytest.raises(Refused, match=r"spec\.cache is fixed once the replay has started; delete the experiment"):
        kubectl.patch("ax/ax", {"spec": {"cache": {"capacity": "6%"}}})
    # Embedded servers instead would be empty, and what the replay has filled would be gone.
    for part in ("redis", "kafka"):
        with pytest.raises(Refused, match=rf"spec\.dependencies\.{part} is fixed once the replay has started"):
            kubectl.patch("ax/ax", {"spec": {"dependencies": {part: {"external": None}}}})
    message = ending(0, "done", verdict()).model_dump_json()
    tell_pod(kubectl, "ax", {"terminated": {"exitCode": 0, "message": message}}, REPLAYER)
    ended = phase(kubectl, "Succeeded")
    assert (ended["verdict"], ended["progress"], ended["startedAt"], ended["message"]) == (
        "Better", "100%", started, "the gain is real",
    )  # fmt: skip
    kubectl("wait", "--for=condition=Complete", "ax/ax", "--timeout=10s")
    kept = {"ServiceAccount/ax-pods", "ConfigMap/ax-manifest", "PersistentVolumeClaim/ax-results", "Job/ax-replayer"}
    eventually("all else is gone", lambda: kubectl.children("ax").keys() == kept)
    row = kubectl("get", "ax").splitlines()
    assert row[0].split() == ["NAME", "PHASE", "HIT-RATIO", "BASELINE", "DELTA", "PROGRESS", "PLANNERS", "AGE"]
    assert row[1].split()[:6] == ["ax", "Succeeded", "0.4200", "0.4000", "+1.50", "100%"]
    assert "the gain is real" in kubectl("get", "ax", "-o", "wide").splitlines()[1]
    events = json.loads(kubectl("get", "events", "--field-selector=involvedObject.kind=AuraExperiment", "-o", "json"))["items"]
    told = [event["reason"] for event in sorted(events, key=lambda event: str(event["eventTime"]))]
    assert [reason for reason in told if reason in ("Provisioning", "Running", "Succeeded")] == [
        "Provisioning",
        "Running",
        "Succeeded",
    ]
    assert {event["source"]["component"] for event in events} == {"aura-operator"}


def test_an_experiment_that_is_over_its_deadline_stops_its_parts_at_once(kubectl: Kubectl, server: str) -> None:
    applied(kubectl, experiment("ax", server=server, activeDeadlineSeconds=6))
    job(kubectl)
    assert phase(kubectl, "Failed")["message"].startswith("ran longer than 6 s; raise spec.activeDeadlineSeconds")
    kept = {"ServiceAccount/ax-pods", "ConfigMap/ax-manifest", "PersistentVolumeClaim/ax-results"}
    eventually("its parts are gone", lambda: kubectl.children("ax").keys() == kept)


def test_a_finished_experiment_deletes_itself_when_its_time_is_over(kubectl: Kubectl, server: str) -> None:
    ttl = {"failed": 3, "succeeded": 9999}
    applied(kubectl, experiment("ax", server=server, activeDeadlineSeconds=2, ttlSecondsAfterFinished=ttl))
    phase(kubectl, "Failed")
    eventually("it is gone", lambda: kubectl.find("ax/ax") is None)
    eventually("its volume too", lambda: not kubectl.children("ax"), 60)


def test_suspended_before_the_start_its_job_waits(kubectl: Kubectl, server: str) -> None:
    applied(kubectl, experiment("ax", server=server, suspend=True))
    assert job(kubectl)["spec"]["suspend"] is True
    assert holds(phase(kubectl, "Suspended"), "Suspended")["status"] == "True"
    kubectl.patch("ax/ax", {"spec": {"suspend": False}})
    eventually("its Job goes on", lambda: job(kubectl)["spec"]["suspend"] is False, 10)
    phase(kubectl, "Provisioning")
    kubectl.patch("ax/ax", {"spec": {"suspend": True}})
    eventually("its Job stands still", lambda: job(kubectl)["spec"]["suspend"] is True, 10)


@pytest.mark.parametrize("late", [False, True], ids=["from the start", "set later"])
def test_a_retained_volume_outlives_its_experiment(kubectl: Kubectl, server: str, late: bool) -> None:
    applied(kubectl, experiment("ax", server=server, deletionPolicy="Delete" if late else "Retain"))
    job(kubectl)
    kubectl.patch("ax/ax", {"spec": {"deletionPolicy": "Retain"}})
    volume = "persistentvolumeclaim/ax-results"
    eventually("it has no owner", lambda: "ownerReferences" not in kubectl.find(volume)["metadata"])
    kubectl("delete", "ax/ax", "--timeout=20s")
    eventually("all else is gone", lambda: kubectl.children("ax").keys() == {"PersistentVolumeClaim/ax-results"}, 60)


def test_a_deleted_experiment_is_held_up_by_no_finalizer(kubectl: Kubectl) -> None:
    applied(kubectl, experiment("ax"))
    eventually("its finalizer", lambda: kubectl.find("ax/ax")["metadata"].get("finalizers") == ["aura.dev/operator"])
    kubectl("delete", "ax/ax", "--timeout=20s")
    eventually("its objects are gone", lambda: not kubectl.children("ax"), 60)


def test_planners_are_scaled_by_the_scale_subresource(kubectl: Kubectl, server: str) -> None:
    applied(kubectl, experiment("ax", server=server))
    job(kubectl)
    kubectl("scale", "ax/ax", "--replicas=3")
    eventually("three planners", lambda: kubectl.find("deployment/ax-planner")["spec"]["replicas"] == 3, 10)
    eventually("the status says so", lambda: status(kubectl)["planners"]["replicas"] == 3, 10)
    scale = json.loads(kubectl("get", "ax/ax", "--subresource=scale", "-o", "json"))
    assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (3, 3)
    assert scale["status"]["selector"] == "app.kubernetes.io/component=planner,aura.dev/experiment=ax"


def test_a_status_cannot_be_set_with_the_spec(kubectl: Kubectl) -> None:
    applied(kubectl, {**experiment("ax"), "status": {"phase": "Succeeded", "verdict": "Better"}})
    assert phase(kubectl, "Provisioning").get("verdict", "") == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cache": {}}, "give exactly one of memory (such as 8Mi) or capacity (such as 5%)"),
        ({"planner": {"backend": "openai"}}, "backend openai needs endpoint and model"),
        ({"controls": ["noop", "noop"]}, "controls names a planner twice; each control is one further arm"),
        ({"executor": {"ttlMin": 9, "ttlMax": 8}}, "ttlMin must not be above ttlMax"),
        (
            {"dependencies": {"redis": {"external": {"endpoints": {"aura": "a:1"}}}}},
            "dependencies.redis.external.endpoints must name a server for every arm: baseline, aura and each control",
        ),
        ({"dependencies": {"kafka": {"embedded": {}, "external": {"endpoint": "k"}}}}, "give embedded or external, not both"),
        ({"dependencies": {"kafka": {"external": {"endpoint": "u:p@k:9092"}}}}, NO_LOGIN),
        ({"dependencies": {"mongodb": {"external": {"endpoint": "mongodb+srv://u:p@m/d"}}}}, NO_LOGIN),
        ({"dependencies": {"redis": {"external": {"endpoints": {"baseline": "a:1", "aura": "redis://:p@b"}}}}}, NO_LOGIN),
        ({"planner": {"backend": "ollama", "endpoint": "https://token@models.example.org"}}, NO_LOGIN),
    ],
)
def test_what_cannot_be_run_is_refused_with_a_reason(kubectl: Kubectl, changes: Manifest, message: str) -> None:
    with pytest.raises(Refused) as refused:
        applied(kubectl, experiment("ax", **changes))
    assert message in str(refused.value)


def test_an_experiment_waits_for_what_it_names_and_goes_on_when_it_is_there(kubectl: Kubectl, server: str) -> None:
    manifest = experiment("ax", server=server)
    manifest["spec"]["dependencies"]["kafka"]["external"]["secretRef"] = {"name": "login"}
    applied(kubectl, manifest)
    told = phase(kubectl, "Pending")
    assert told["message"] == (
        "Secret login of spec.dependencies.kafka.external.secretRef does not exist; "
        "create it with the key password, or ca.crt, or tls.crt with tls.key"
    )
    assert (holds(told, "Degraded")["reason"], kubectl.children("ax")) == ("SecretNotFound", {})
    kubectl("create", "secret", "generic", "login", "--from-literal=password=x")
    job(kubectl)


def test_what_is_somebody_elses_is_left_alone_and_named(kubectl: Kubectl) -> None:
    kubectl("create", "secret", "generic", "ax-passwords", "--from-literal=mine=x")
    applied(kubectl, experiment("ax"))
    message = "Secret ax-passwords exists and is not this experiment's; delete it, or give the experiment another name"
    eventually("the reason", lambda: status(kubectl).get("message") == message)
    assert "labels" not in kubectl.find("secret/ax-passwords")["metadata"]
    kubectl("delete", "secret/ax-passwords")
    eventually("it goes on", lambda: kubectl.find("deployment/ax-redis-aura"), 60)


def test_pods_that_a_quota_refuses_are_named_whatever_makes_them(kubectl: Kubectl, server: str) -> None:
    kubectl("create", "quota", "small", "--hard=pods=0")
    for manifest, part in ((experiment("ax"), "kafka"), (experiment("bx", server=server), "replayer")):
        applied(kubectl, manifest)
        name = manifest["metadata"]["name"]

        def told(name: str = name) -> str:
            found = (kubectl.find(f"ax/{name}") or {}).get("status") or {}
            return str(next((one["message"] for one in found.get("conditions", []) if one["type"] == "Degraded"), ""))

        wanted = f"the API server refuses the pods of {part}: "
        eventually(f"why {name} gets no pods of {part}", lambda told=told, wanted=wanted: wanted in told(), 30)  # type: ignore[misc]
        assert "exceeded quota: small" in told()
