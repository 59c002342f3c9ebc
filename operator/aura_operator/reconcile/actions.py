"""What to do about each object: a pure comparison of what should be there with what is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from aura_operator.blueprint import Manifest
from aura_operator.builders.endpoints import LOADER
from aura_operator.cluster.children import ChildKey
from aura_operator.naming import COMPONENT
from aura_operator.reconcile.drift import difference

__all__ = ["Action", "decide"]


@dataclass(frozen=True)
class Action:
    """`apply` the manifest, `merge` the change in `manifest` into the object, or `delete` it; `why` is a path or a word."""

    verb: Literal["apply", "merge", "delete"]
    manifest: Manifest
    why: str


def decide(desired: Iterable[Manifest], observed: Mapping[ChildKey, Manifest], *, started: bool) -> list[Action]:
    """Actions that bring what is observed to what is desired, in the order of `desired`, deletions last.

    What holds the state of a replay that has started is never replaced: the replayer's Job and the arms' servers.
    """
    wanted = {(item["kind"], item["metadata"]["name"]): item for item in desired}
    actions = [action for key, item in wanted.items() if (action := _one(item, observed.get(key), started))]
    extra = [item for key, item in observed.items() if key not in wanted and key[0] != "Pod"]
    return actions + [Action("delete", item, "not needed") for item in extra if not item["metadata"].get("deletionTimestamp")]


def _one(item: Manifest, there: Manifest | None, started: bool) -> Action | None:
    if there is None:
        return Action("apply", item, "missing")
    if there["metadata"].get("deletionTimestamp"):
        # It comes again when it is gone: the watch will tell.
        return None
    if item["kind"] == "Job":
        return _job(item, there, started)
    if item["kind"] == "PersistentVolumeClaim" or (item["kind"] == "Secret" and item["type"] == "Opaque"):
        # Sizes and passwords are those of the first time.
        return None if not (path := difference(item["metadata"], there["metadata"])) else _merge(item, "metadata", path)
    frozen = started and str(item["metadata"]["labels"][COMPONENT]).startswith("redis-") and item["kind"] == "Deployment"
    if frozen:
        wanted = item["spec"].get("replicas", 1)
        return None if wanted == there["spec"].get("replicas", 1) else _change(item, {"spec": {"replicas": wanted}}, "replicas")
    path = difference(item, there)
    return Action("apply", item, path) if path else None


def _job(item: Manifest, there: Manifest, started: bool) -> Action | None:
    wanted = bool(item["spec"].get("suspend"))
    finished = any(
        condition.get("type") in ("Complete", "Failed") and condition.get("status") == "True"
        for condition in (there.get("status") or {}).get("conditions") or []
    )
    path = difference(item["spec"]["template"], there["spec"]["template"])
    loads = item["metadata"]["labels"][COMPONENT] == LOADER
    if finished and not (loads and path and not started):
        return None
    if path and not started:
        # The template of a Job cannot be changed; the next look makes it anew.
        return Action("delete", there, path)
    if wanted != bool(there["spec"].get("suspend")):
        return _change(item, {"spec": {"suspend": wanted}}, "suspend")
    return None


def _merge(item: Manifest, part: str, path: str) -> Action:
    return _change(item, {part: item[part]}, path)


def _change(item: Manifest, change: Manifest, why: str) -> Action:
    identity = {name: item["metadata"][name] for name in ("name", "namespace")}
    metadata = {**change.get("metadata", {}), **identity}
    return Action("merge", {"apiVersion": item["apiVersion"], "kind": item["kind"], **change, "metadata": metadata}, why)
