"""What the watches have seen: the objects of every experiment, small enough to keep for thousands of them."""

import json
import threading
import zlib
from collections.abc import Iterator

from aura_operator.blueprint import Manifest
from aura_operator.cluster.kinds import Kind, kind_of
from aura_operator.naming import EXPERIMENT

__all__ = ["ChildKey", "Children", "Owner"]

Owner = tuple[str, str]
"""Namespace and name of an experiment."""

ChildKey = tuple[str, str]
"""Kind and name of one of its objects."""


def _packed(manifest: Manifest) -> bytes:
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "managedFields"}
    return zlib.compress(json.dumps({**manifest, "metadata": metadata}, separators=(",", ":")).encode(), 1)


def _age(manifest: Manifest) -> int:
    return int(manifest["metadata"].get("resourceVersion") or 0)


class Children:
    """Objects by owner; a few hundred bytes each, since thousands of them are kept. Threads may share it."""

    def __init__(self) -> None:
        self._found: dict[Owner, dict[ChildKey, tuple[int, bytes]]] = {}
        self._lock = threading.Lock()

    def put(self, manifest: Manifest) -> Owner | None:
        """Keep an object unless a newer state of it is known; its owner, or None when nothing was new."""
        owner, key, age = _owner(manifest), _key(manifest), _age(manifest)
        if owner is None:
            return None
        with self._lock:
            known = self._found.setdefault(owner, {})
            if key in known and known[key][0] >= age:
                return None
            known[key] = (age, _packed(manifest))
        return owner

    def drop(self, manifest: Manifest) -> Owner | None:
        """Forget an object; its owner, or None when it was not known."""
        owner, key = _owner(manifest), _key(manifest)
        with self._lock:
            known = self._found.get(owner or ("", ""), {})
            if known.pop(key, None) is None:
                return None
            if not known and owner:
                del self._found[owner]
        return owner

    def replace(self, kind: Kind, manifests: Iterator[Manifest]) -> set[Owner]:
        """Take a whole listing of a kind for the truth; the owners of what has changed."""
        changed, listed = set(), set()
        for manifest in manifests:
            owner = _owner(manifest)
            if owner:
                listed.add((owner, manifest["metadata"]["name"]))
                changed.add(self.put(manifest))
        with self._lock:
            for owner, known in list(self._found.items()):
                for key in [key for key in known if key[0] == kind.name and (owner, key[1]) not in listed]:
                    del known[key]
                    changed.add(owner)
        return {owner for owner in changed if owner is not None}

    def of(self, owner: Owner) -> dict[ChildKey, Manifest]:
        """All known objects of an experiment."""
        with self._lock:
            packed = {key: data for key, (_, data) in self._found.get(owner, {}).items()}
        return {key: json.loads(zlib.decompress(data)) for key, data in packed.items()}


def _owner(manifest: Manifest) -> Owner | None:
    metadata = manifest["metadata"]
    name = (metadata.get("labels") or {}).get(EXPERIMENT)
    return (metadata.get("namespace", ""), name) if name else None


def _key(manifest: Manifest) -> ChildKey:
    return kind_of(manifest).name, manifest["metadata"]["name"]
