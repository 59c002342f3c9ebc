"""What others delete or edit is as it was within ten seconds."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from cluster import Manifest, Namespace, until
from experiments import Experiment, manifest
from operator_pod import steady

LIMIT_SECONDS = 10


def test_drift_is_corrected(namespace: Namespace, record_property: Callable[[str, object], None]) -> None:
    with steady():
        # All parts are up, and none of them does anything.
        experiment = Experiment.applied(namespace, manifest("still", suspend=True))
        experiment.wait_until_well(180)
        until("the executor", lambda: namespace.find("deployment", "still-executor-aura"), 60, otherwise=experiment.told)
        until("the planner", lambda: experiment.status()["planners"]["ready"] == 1, 60, otherwise=experiment.told)
        took = {
            **{f"deleted {kind}": deleted(namespace, kind, name) for kind, name in DELETED.items()},
            **{f"edited {what}": edited(namespace, edit) for what, edit in EDITS.items()},
        }
    record_property("slowest", f"{max(took, key=lambda what: took[what])} {max(took.values()):.1f} s")
    assert not {what: seconds for what, seconds in took.items() if seconds > LIMIT_SECONDS}


DELETED = {
    "deployment": "still-executor-aura",
    "service": "still-redis-aura",
    "configmap": "still-manifest",
    "networkpolicy": "still-redis-aura",
    "serviceaccount": "still-pods",
    "statefulset": "still-kafka",
}


@dataclass(frozen=True)
class Edit:
    """A patch of an object, and the JSON path at which the text has to begin with `wanted` again, or to be empty."""

    kind: str
    name: str
    patch: Manifest
    path: str
    wanted: str
    how: str = "merge"


ADDED = {"name": "planner", "env": [{"name": "ADDED", "value": "1"}]}
EDITS = {
    "replicas": Edit("deployment", "still-planner", {"spec": {"replicas": 0}}, ".spec.replicas", "1"),
    "variable": Edit(
        "deployment",
        "still-planner",
        {"spec": {"template": {"spec": {"containers": [ADDED]}}}},
        ".spec.template.spec.containers[0].env[?(@.name=='ADDED')].value",
        "",
        "strategic",
    ),
    "label": Edit(
        "deployment",
        "still-planner",
        {"metadata": {"labels": {"aura.dev/experiment": None}}},
        r".metadata.labels.aura\.dev/experiment",
        "still",
    ),
    "selector": Edit("service", "still-redis-aura", {"spec": {"selector": {"app": "x"}}}, ".spec.selector.app", ""),
    "manifest": Edit("configmap", "still-manifest", {"data": {"experiment.yaml": "x"}}, r".data.experiment\.yaml", "apiVersion"),
}


def deleted(namespace: Namespace, kind: str, name: str) -> float:
    """Seconds until there is another one."""
    before = uid(namespace, kind, name)
    namespace.kubectl("delete", kind, name, "--wait=false")
    return seconds(f"{kind} {name} again", lambda: uid(namespace, kind, name) not in ("", before))


def uid(namespace: Namespace, kind: str, name: str) -> str:
    found = namespace.find(kind, name)
    return str(found["metadata"]["uid"]) if found else ""


def edited(namespace: Namespace, edit: Edit) -> float:
    """Seconds until a field of the object is as it was."""
    namespace.kubectl("patch", edit.kind, edit.name, f"--type={edit.how}", f"--patch={json.dumps(edit.patch)}")

    def right() -> bool:
        value = namespace.kubectl("get", edit.kind, edit.name, f"--output=jsonpath={{{edit.path}}}")
        return value.startswith(edit.wanted) if edit.wanted else not value

    return seconds(f"{edit.kind} {edit.name} as it was at {edit.path}", right)


def seconds(what: str, look: Callable[[], bool]) -> float:
    started = time.monotonic()
    until(what, look, 4 * LIMIT_SECONDS, pause=0.5)
    return time.monotonic() - started
