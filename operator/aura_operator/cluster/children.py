"""What the watches have seen: the objects of every experiment, small enough to keep for thousands of them."""

import json
import re
import threading
import zlib
from collections.abc import Iterable, Iterator
from itertools import count

from aura_contract.experiment import KIND
from aura_operator.blueprint import Manifest
from aura_operator.cluster.kinds import PODS, Kind, kind_of
from aura_operator.naming import EXPERIMENT

__all__ = ["ChildKey", "Children", "Owner"]

Owner = tuple[str, str]
"""Namespace and name of an experiment."""

ChildKey = tuple[str, str]
"""Kind and name of one of its objects."""

STATUS = ("observedGeneration", "readyReplicas", "succeeded", "loadBalancer", "conditions")
REFUSED = "ReplicaFailure"
CONDITIONS = ("Complete", "Failed", REFUSED)
"""Of the status of everything but pods only this much is looked at; the rest changes often and would wake for nothing."""

REFUSABLE = ("Job", "StatefulSet")
POD_NAME = re.compile(r' "[^"]*"(?= is forbidden)')
REFUSALS_KEPT = 2000
"""Refusals of other people's pods are told of too."""

GONE = b""
"""In place of an object that was deleted, so that an older state of it that comes late is not taken for news."""


class Children:
    """Objects by owner; a few hundred bytes each, since thousands of them are kept. Threads may share it."""

    def __init__(self) -> None:
        self._found: dict[Owner, dict[ChildKey, tuple[int, bytes]]] = {}
        self._owners: dict[tuple[str, ChildKey], Owner] = {}
        self._versions: dict[Owner, int] = {}
        self._refusals: dict[tuple[str, ChildKey], str] = {}
        self._count = count(1)
        self._lock = threading.Lock()

    def put(self, manifest: Manifest) -> Owner | None:
        """Keep an object unless a newer state of it is known; its owner, or None when nothing was new."""
        key, age, packed = _key(manifest), _age(manifest), _packed(manifest)
        place = (manifest["metadata"].get("namespace", ""), key)
        with self._lock:
            if key[0] == "Pod":
                self._admitted(manifest)
            # Who takes an object's labels away does not make it another's.
            owner = _controller(manifest) or self._owners.get(place) or _labelled(manifest)
            if owner is None:
                return None
            self._move(place, owner)
            before = self._found[owner].get(key, (0, GONE))
            if before[0] >= age:
                return None
            self._found[owner][key] = (age, packed)
            return self._changed(owner) if packed != before[1] else None

    def drop(self, manifest: Manifest) -> Owner | None:
        """Forget an object; its owner, or None when it was not known, or a later one of its name is."""
        key, age = _key(manifest), _age(manifest)
        with self._lock:
            return self._drop((manifest["metadata"].get("namespace", ""), key), age)

    def refused(self, event: Manifest) -> Owner | None:
        """Keep why a Job or StatefulSet gets no pod, until it has one; its owner, or None when that is no news or nobody's."""
        target = event["involvedObject"]
        if target.get("kind") not in REFUSABLE:
            return None
        place = (target.get("namespace", ""), (target["kind"], target["name"]))
        # Each try of a Job is a pod of another name, which is no news.
        why = POD_NAME.sub("", str(event.get("message", "")))
        with self._lock:
            if self._refusals.get(place) == why:
                return None
            self._refusals[place] = why
            if len(self._refusals) > REFUSALS_KEPT:
                del self._refusals[next(iter(self._refusals))]
            owner = self._owners.get(place)
            return self._changed(owner) if owner else None

    def replace(self, kind: Kind, namespace: str | None, manifests: Iterable[Manifest], version: int) -> set[Owner]:
        """Take a whole listing of a kind, as of `version`, for the truth; the owners of what has changed."""
        changed: set[Owner | None] = set()
        listed = set()
        for manifest in manifests:
            listed.add((manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]))
            changed.add(self.put(manifest))
        with self._lock:
            known = [place for place in self._owners if place[1][0] == kind.name and namespace in (None, place[0])]
            # What was made since the listing is not in it.
            changed |= {self._drop(place, version) for place in known if (place[0], place[1][1]) not in listed}
        return {owner for owner in changed if owner is not None}

    def of(self, owner: Owner) -> dict[ChildKey, Manifest]:
        """All known objects of an experiment."""
        with self._lock:
            packed = {key: data for key, (_, data) in self._found.get(owner, {}).items() if data != GONE}
            refusals = {key: why for key in packed if (why := self._refusals.get((owner[0], key)))}
        found = {key: json.loads(zlib.decompress(data)) for key, data in packed.items()}
        for key, why in refusals.items():
            status = found[key].setdefault("status", {})
            status["conditions"] = [*(status.get("conditions") or ()), {"type": REFUSED, "status": "True", "message": why}]
        return found

    def version(self, owner: Owner) -> int:
        """A number that is another one whenever an object of the experiment has changed."""
        return self._versions.get(owner, 0)

    def _changed(self, owner: Owner) -> Owner:
        self._versions[owner] = next(self._count)
        return owner

    def _move(self, place: tuple[str, ChildKey], owner: Owner) -> None:
        before = self._owners.get(place)
        if before != owner:
            if before is not None:
                self._found[before].pop(place[1], None)
                self._changed(before)
            self._owners[place] = owner
            self._found.setdefault(owner, {})

    def _admitted(self, pod: Manifest) -> None:
        namespace = pod["metadata"].get("namespace", "")
        for reference in pod["metadata"].get("ownerReferences") or []:
            self._refusals.pop((namespace, (reference.get("kind", ""), reference.get("name", ""))), None)

    def _drop(self, place: tuple[str, ChildKey], age: int) -> Owner | None:
        owner = self._owners.get(place)
        known = self._found[owner] if owner else {}
        if owner is None or known.get(place[1], (0, GONE))[1] == GONE or known[place[1]][0] > age:
            return None
        known[place[1]] = (age, GONE)
        self._refusals.pop(place, None)
        self._changed(owner)
        if all(data == GONE for _, data in known.values()):
            self._forget(owner)
        return owner

    def _forget(self, owner: Owner) -> None:
        for key in self._found.pop(owner):
            self._owners.pop((owner[0], key), None)
        self._versions.pop(owner, None)


def _packed(manifest: Manifest) -> bytes:
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in ("managedFields", "resourceVersion")}
    kept = {**manifest, "metadata": metadata}
    if kind_of(manifest) != PODS and "status" in manifest:
        kept["status"] = dict(_kept(manifest["status"] or {}))
    return zlib.compress(json.dumps(kept, separators=(",", ":"), sort_keys=True).encode(), 1)


def _kept(status: Manifest) -> Iterator[tuple[str, object]]:
    for name in STATUS:
        if name == "conditions":
            found = [condition for condition in status.get(name) or [] if condition.get("type") in CONDITIONS]
            yield name, [{key: one.get(key) for key in ("type", "status", "message")} for one in found]
        elif name in status:
            yield name, status[name]


def _age(manifest: Manifest) -> int:
    return int(manifest["metadata"].get("resourceVersion") or 0)


def _controller(manifest: Manifest) -> Owner | None:
    references = manifest["metadata"].get("ownerReferences") or []
    namespace = manifest["metadata"].get("namespace", "")
    return next(((namespace, one["name"]) for one in references if one.get("controller") and one.get("kind") == KIND), None)


def _labelled(manifest: Manifest) -> Owner | None:
    metadata = manifest["metadata"]
    name = (metadata.get("labels") or {}).get(EXPERIMENT)
    return (metadata.get("namespace", ""), name) if name else None


def _key(manifest: Manifest) -> ChildKey:
    return kind_of(manifest).name, manifest["metadata"]["name"]
