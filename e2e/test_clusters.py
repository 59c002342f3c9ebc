"""Planners in two clusters plan one run, and it ends with exact counts when one of the clusters is deleted."""

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import yaml
from cluster import Cluster, Manifest, Namespace, run, until
from experiments import Experiment, manifest
from installation import OUT, ROOT, Options, images
from servers import SlowModel

LIMIT = 150_000
ARMS = ("baseline", "aura", "noop", "heuristic")
THERE = "aura-planners"
ROLE = re.compile(r"^ *```yaml\n( *apiVersion: rbac.*?)^ *```", re.DOTALL | re.MULTILINE)
PLACED = "deployments,secrets,configmaps,serviceaccounts"
LOGIN_SECONDS = "3600s"


@dataclass(frozen=True)
class East:
    """The other cluster: as its administrator sees it, and the kubeconfig of a user with the documented rights."""

    name: str
    namespace: Namespace
    kubeconfig: str

    def placed(self, placement: str = "east") -> list[Manifest]:
        """What the operator has made there."""
        return self.namespace.items(PLACED, f"aura.dev/placement={placement}")

    def delete(self) -> None:
        """The whole cluster."""
        run("kind", "delete", "cluster", "--name", self.name, "--kubeconfig", str(self.namespace.cluster.kubeconfig))


@pytest.fixture
def east(options: Options) -> Iterator[East]:
    name = f"{options.cluster}-east"
    path = OUT / f"{name}.kubeconfig"
    image = ("--image", options.node_image) if options.node_image else ()
    command = ("kind", "create", "cluster", "--name", name, "--kubeconfig", str(path), "--wait", "180s")
    try:
        run(*command, *image, seconds=600)
        run("kind", "load", "docker-image", images(options)["planner"], "--name", name, seconds=600)
        there = Cluster(path).namespace(THERE)
        there.create({})
        # Where other containers find its node.
        address = '{{(index .NetworkSettings.Networks "kind").IPAddress}}'
        node = run("docker", "inspect", f"--format={address}", f"{name}-control-plane").strip()
        yield East(name, there, user(there, f"https://{node}:6443"))
    finally:
        run("kind", "delete", "cluster", "--name", name, "--kubeconfig", str(path))


def user(there: Namespace, server: str) -> str:
    """The kubeconfig of a user who may do in a namespace what docs/clusters.md says, for an address of the API server."""
    found = ROLE.search((ROOT / "docs/clusters.md").read_text(encoding="utf-8"))
    assert found, "docs/clusters.md has no Role"
    there.apply(yaml.safe_load(found[1]))
    there.kubectl("create", "serviceaccount", "aura")
    there.kubectl("create", "rolebinding", "aura", "--role=aura-placements", f"--serviceaccount={there.name}:aura")
    own = yaml.safe_load(there.cluster.kubeconfig.read_text(encoding="utf-8"))["clusters"][0]["cluster"]
    entry = {"server": server, "certificate-authority-data": own["certificate-authority-data"]}
    token = there.kubectl("create", "token", "aura", f"--duration={LOGIN_SECONDS}").strip()
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "east", "cluster": entry}],
            "users": [{"name": "aura", "user": {"token": token}}],
            "contexts": [{"name": "east", "context": {"cluster": "east", "user": "aura"}}],
            "current-context": "east",
        }
    )


def replicas(experiment: Experiment) -> Counter[str]:
    """Plans so far by the cluster whose planner made them, from the run's own file."""
    (pod,) = experiment.pods("replayer")
    # The image has no other program.
    read = ("python", "-c", "print(open('/results/plans.jsonl').read())")
    text = experiment.namespace.kubectl("exec", pod["metadata"]["name"], "--", *read)
    # The last line may be under way.
    plans = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
    return Counter("east" if plan["replica"].startswith("east/") else "home" for plan in plans)


def placement(status: Manifest, name: str = "east") -> Manifest:
    return next((one for one in status.get("placements") or [] if one["name"] == name), {})


def test_two_clusters_plan_one_run(namespace: Namespace, east: East, record_property: Callable[[str, object], None]) -> None:
    namespace.apply(namespace.secret("kube-east", kubeconfig=east.kubeconfig))
    where = {"kubeconfigSecretRef": {"name": "kube-east"}, "namespace": THERE}
    planner = {"latency": "free", "placements": [{"name": "east", **where}, {"name": "spare", **where}]}
    spec = {"workload": {"limit": LIMIT}, "trigger": {"everyEvents": 200}, "controls": ["noop", "heuristic"]}
    experiment = Experiment.applied(namespace, manifest("fleet", suspend=True, planner=planner, **spec))
    status = experiment.wait("planners in both", lambda found: found.get("planners", {}).get("ready") == 3, 300)
    assert (status["planners"]["replicas"], status["planners"]["local"]) == (3, 1)
    assert experiment.condition("PlacementsReady")["status"] == "True"
    only_what_planners_need(namespace, east)
    put_right(east)
    removed_with_its_placement(experiment, east, {"name": "east", **where})
    experiment.patch(suspend=False)
    experiment.wait_for_events(LIMIT // 10, 180)
    until("plans of both", lambda: len(replicas(experiment)) == 2, 60, otherwise=experiment.told)
    made = replicas(experiment)
    east.delete()
    events = int(experiment.status()["events"])
    assert events < LIMIT, "the run was over before its cluster was lost"
    experiment.wait_for_trouble("Unreachable", "placement east: the cluster at https://", "cannot be reached", seconds=120)
    status = experiment.wait_for("Succeeded", seconds=400)
    assert status["events"] == str(LIMIT)
    assert {name: arm["requests"] for name, arm in status["arms"].items()} == dict.fromkeys(ARMS, str(LIMIT))
    for name, arm in status["arms"].items():
        assert int(arm["hits"]) + int(arm["misses"]) == LIMIT, name
    record_property("plans", f"home {made['home']} east {made['east']}, then lost at event {events}")
    left_behind(experiment)


def only_what_planners_need(namespace: Namespace, east: East) -> None:
    """Logins of Kafka alone, no password of an arm, and nothing owned by what the cluster does not know."""
    placed = east.placed()
    assert Counter(item["kind"] for item in placed) == Counter(("Deployment", "Secret", "ConfigMap", "ServiceAccount"))
    (login,) = (item for item in placed if item["kind"] == "Secret")
    assert set(login["data"]) == {"username", "password", "mechanism", "ca.crt"}
    arms = namespace.find("secret", "fleet-passwords")
    assert arms
    assert base64.b64decode(arms["data"]["redis"]).decode() not in json.dumps(placed)
    assert not any("ownerReferences" in item["metadata"] for item in placed)


def put_right(east: East) -> None:
    """What somebody deletes or edits there is as it was after the next visit."""
    (planner,) = (item["metadata"]["name"] for item in east.placed() if item["kind"] == "Deployment")
    (account,) = (item["metadata"]["name"] for item in east.placed() if item["kind"] == "ServiceAccount")
    east.namespace.kubectl("delete", "serviceaccount", account)
    east.namespace.kubectl("scale", "deployment", planner, "--replicas=0")
    until("the account", lambda: east.namespace.find("serviceaccount", account), 60)

    def scaled() -> bool:
        found = east.namespace.find("deployment", planner)
        return bool(found and found["spec"]["replicas"] == 1 and found["status"].get("readyReplicas") == 1)

    until("the planner", scaled, 60)


def removed_with_its_placement(experiment: Experiment, east: East, kept: Manifest) -> None:
    assert east.placed("spare")
    experiment.patch(planner={"placements": [kept]})
    until("what the placement had is gone", lambda: not east.placed("spare"), 60, otherwise=experiment.told)
    experiment.wait("its entry is gone", lambda found: not placement(found, "spare"), 60)
    assert east.placed()


def left_behind(experiment: Experiment) -> None:
    """Deleting it takes no longer than the setting says, and an event tells what stays in the lost cluster."""
    experiment.delete(wait=True)
    listed = json.loads(experiment.namespace.kubectl("get", "events", "--output", "json"))["items"]
    told = [event["message"] for event in listed if event["reason"] == "LeftBehind"]
    assert told, "no event LeftBehind"
    assert f"in namespace {THERE} of the cluster at https://" in told[0]
    assert "delete deployments,secrets,configmaps,serviceaccounts -l aura.dev/run=fleet-" in told[0]


def test_placements_come_and_go_during_the_replay(new_namespace: Callable[[], Namespace], options: Options) -> None:
    """Kafka's door stays open, so that the broker is not started again."""
    ours, first, second = new_namespace(), new_namespace(), new_namespace()
    where = {}
    for name, there in (("east", first), ("west", second)):
        ours.apply(ours.secret(f"kube-{name}", kubeconfig=user(there, "https://kubernetes.default.svc")))
        where[name] = {"name": name, "kubeconfigSecretRef": {"name": f"kube-{name}"}, "namespace": there.name}
    model = SlowModel.up(ours, options)
    spec = {"workload": {"limit": LIMIT}, "trigger": {"everyEvents": 200}, "controls": ["noop", "heuristic"]}
    planner = {**model.planner, "placements": [where["east"]]}
    experiment = Experiment.applied(ours, manifest("late", planner=planner, **spec))
    experiment.wait("planners elsewhere", lambda found: placement(found).get("ready") and int(found.get("events") or 0), 240)
    broker = experiment.pods("kafka")[0]["metadata"]["uid"]
    experiment.patch(planner={"placements": [where["east"], where["west"]]})
    experiment.wait("planners in a third place", lambda found: placement(found, "west").get("ready"), 120)
    experiment.patch(planner={"placements": []})
    until("all of it is gone", lambda: not any(there.items(PLACED, "aura.dev/placement") for there in (first, second)), 60)
    assert experiment.status()["phase"] == "Running", experiment.told()
    assert experiment.pods("kafka")[0]["metadata"]["uid"] == broker
    model.release()
    status = experiment.wait_for("Succeeded", seconds=400)
    assert {name: arm["requests"] for name, arm in status["arms"].items()} == dict.fromkeys(ARMS, str(LIMIT))
    experiment.delete()
