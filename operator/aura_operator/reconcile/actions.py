"""What to do about each object: a pure comparison of what should be there with what is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from aura_operator.blueprint import Manifest, digest
from aura_operator.builders.endpoints import LOADER
from aura_operator.cluster.children import ChildKey
from aura_operator.naming import ANNOTATION_PREFIX, COMPONENT
from aura_operator.reconcile.drift import difference

__all__ = ["MISSING", "Action", "decide", "owned_by", "stamped"]

POD_LISTS = ("initContainers", "volumes", "tolerations", "imagePullSecrets")
CONTAINER_LISTS = ("command", "args", "env", "envFrom", "volumeMounts")

MISSING = "missing"
"""Why an object is made that is not there."""

STAMP = f"{ANNOTATION_PREFIX}/applied"
"""Annotation with a hash of what was applied last: a field that is no longer wanted is found by it alone."""


@dataclass(frozen=True)
class Action:
    """`apply` the manifest, `merge` the change in `manifest` into the object, or `delete` it; `why` is a path or a word."""

    verb: Literal["apply", "merge", "delete"]
    manifest: Manifest
    why: str


def decide(desired: Iterable[Manifest], observed: Mapping[ChildKey, Manifest], uid: str, *, started: bool) -> list[Action]:
    """Actions that bring what is observed of the experiment `uid` to what is desired, in the order of `desired`, deletions last.

    What holds the state of a replay that has started is never replaced: the replayer's Job and the arms' servers.
    Nothing is deleted but what the experiment owns.
    """
    wanted = {(item["kind"], item["metadata"]["name"]): item for item in desired}
    actions = [action for key, item in wanted.items() if (action := _one(item, observed.get(key), uid, started))]
    extra = [item for key, item in observed.items() if key not in wanted and key[0] != "Pod" and owned_by(item, uid)]
    return actions + [Action("delete", item, "not needed") for item in extra if not item["metadata"].get("deletionTimestamp")]


def owned_by(item: Manifest, uid: str) -> bool:
    """Whether an object belongs to the experiment `uid`, and goes when it goes."""
    return any(one.get("uid") == uid for one in item["metadata"].get("ownerReferences") or [])


def _one(item: Manifest, there: Manifest | None, uid: str, started: bool) -> Action | None:
    if there is None:
        return Action("apply", stamped(item), MISSING)
    if there["metadata"].get("deletionTimestamp") or (there["metadata"].get("ownerReferences") and not owned_by(there, uid)):
        # It comes again when it is gone, as does what an earlier experiment of this name has left: the watch will tell.
        return None
    if item["kind"] == "Secret" and item["type"] == "Opaque":
        return _secret(item, there)
    if item["kind"] == "Deployment" and started and str(item["metadata"]["labels"][COMPONENT]).startswith("redis-"):
        return _arm(item, there)
    special = {"Job": partial(_job, started=started), "PersistentVolumeClaim": partial(_claim, uid=uid)}
    return special.get(item["kind"], _whole)(item, there)


def _whole(item: Manifest, there: Manifest) -> Action | None:
    item = stamped(item)
    if item["kind"] == "StatefulSet":
        # The size of a volume is that of the first time, which Kubernetes lets nobody change.
        item = {**item, "spec": {**item["spec"], "volumeClaimTemplates": there["spec"].get("volumeClaimTemplates")}}
    if item["kind"] == "Deployment" and "replicas" not in item["spec"]:
        # An autoscaler's: left out it would go back to one, and none would keep the autoscaler from acting.
        item = {**item, "spec": {**item["spec"], "replicas": there["spec"].get("replicas") or 1}}
    path = difference(item, there)
    return Action("apply", item, path) if path else None


def _arm(item: Manifest, there: Manifest) -> Action | None:
    wanted = item["spec"].get("replicas", 1)
    same = wanted == there["spec"].get("replicas", 1)
    return _metadata(item, there) if same else _change(item, {"spec": {"replicas": wanted}}, "replicas")


def _secret(item: Manifest, there: Manifest) -> Action | None:
    """Passwords are those of the first time, but all of them have to be there."""
    whole = all((there.get("data") or {}).get(key) for key in item["data"])
    return _metadata(item, there) if whole else Action("apply", item, ".data")


def stamped(item: Manifest) -> Manifest:
    """The object as it is applied: with its stamp, and with empty lists where pods could be given more."""
    if item["kind"] in ("Job", "PersistentVolumeClaim", "Secret"):
        return item
    item, metadata = _closed(item), item["metadata"]
    annotations = {**metadata.get("annotations", {}), STAMP: digest(item)}
    return {**item, "metadata": {**metadata, "annotations": annotations}}


def _closed(item: Manifest) -> Manifest:
    """The object with an empty list wherever pods could be given more than they should have."""
    if item["kind"] not in ("Deployment", "StatefulSet"):
        return item
    template = item["spec"]["template"]
    pod = {**{key: [] for key in POD_LISTS}, **template["spec"]}
    for part in ("containers", "initContainers"):
        pod[part] = [{**{key: [] for key in CONTAINER_LISTS}, **container} for container in pod[part]]
    return {**item, "spec": {**item["spec"], "template": {**template, "spec": pod}}}


def _job(item: Manifest, there: Manifest, *, started: bool) -> Action | None:
    wanted = bool(item["spec"].get("suspend"))
    finished = any(
        condition.get("type") in ("Complete", "Failed") and condition.get("status") == "True"
        for condition in (there.get("status") or {}).get("conditions") or []
    )
    path = difference(item["spec"]["template"], there["spec"]["template"]) or _pods_of(item, there)
    loads = item["metadata"]["labels"][COMPONENT] == LOADER
    if finished and not (loads and path and not started):
        return None
    if path and not started:
        # The template of a Job cannot be changed; the next look makes it anew.
        return Action("delete", there, path)
    if wanted != bool(there["spec"].get("suspend")):
        return _change(item, {"spec": {"suspend": wanted}}, "suspend")
    return _metadata(item, there)


def _pods_of(item: Manifest, there: Manifest) -> str | None:
    """Where a Job differs in how many pods it has, which cannot be changed either."""
    wanted, found = (int(one["spec"].get("completions") or 1) for one in (item, there))
    return None if wanted == found else ".completions"


def _claim(item: Manifest, there: Manifest, *, uid: str) -> Action | None:
    """Sizes are those of the first time; whether it goes with the experiment is as the spec says now."""
    if not item["metadata"].get("ownerReferences") and owned_by(there, uid):
        return _change(item, {"metadata": {"ownerReferences": None}}, "retained")
    return _metadata(item, there)


def _metadata(item: Manifest, there: Manifest) -> Action | None:
    path = difference(item["metadata"], there["metadata"])
    return _change(item, {"metadata": item["metadata"]}, path) if path else None


def _change(item: Manifest, change: Manifest, why: str) -> Action:
    identity = {name: item["metadata"][name] for name in ("name", "namespace")}
    metadata = {**change.get("metadata", {}), **identity}
    return Action("merge", {"apiVersion": item["apiVersion"], "kind": item["kind"], **change, "metadata": metadata}, why)
