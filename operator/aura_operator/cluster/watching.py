"""Watches on the kinds that experiments own: each a thread that lists once and then follows the changes."""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from itertools import chain

from kubernetes.watch import Watch

from aura_operator.cluster.children import Children, Owner
from aura_operator.cluster.client import ApiError, Cluster, Selector
from aura_operator.cluster.kinds import EVENTS, Kind
from aura_operator.naming import FIELD_MANAGER, MANAGED_BY

__all__ = ["Watches"]

OWN: Selector = {"label_selector": f"{MANAGED_BY}={FIELD_MANAGER}"}
REFUSALS: Selector = {"field_selector": "reason=FailedCreate"}
"""Events that tell why a Job or a StatefulSet has no pods: neither has a condition for it, as Deployments have."""
ROUND_SECONDS = 300
PAUSE_SECONDS, GONE_SECONDS = 2.0, 30.0

log = logging.getLogger(__name__)


class Watches:
    """Keeps `children` up to date; `changed` is called from the watches' threads with the owner of what has changed.

    Only objects with the operator's label are asked for, so that it never sees other people's Secrets; events have no labels.
    """

    def __init__(
        self,
        cluster: Cluster,
        kinds: Sequence[Kind],
        namespaces: Sequence[str],
        children: Children,
        changed: Callable[[Owner], None],
    ) -> None:
        self._cluster, self._children, self._changed = cluster, children, changed
        self._stop = threading.Event()
        self._namespaces: Sequence[str | None] = namespaces or [None]
        self._watchers: list[Watch] = []
        self._synced: list[threading.Event] = []
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        """Watch another kind."""
        self._synced += [self._start(kind, namespace) for namespace in self._namespaces]

    def wait(self, seconds: float) -> bool:
        """Whether every kind was listed within `seconds`."""
        until = time.monotonic() + seconds
        return all(synced.wait(max(0.0, until - time.monotonic())) for synced in self._synced)

    def stop(self) -> None:
        """End all threads."""
        self._stop.set()
        for watcher in self._watchers:
            watcher.stop()

    def _start(self, kind: Kind, namespace: str | None) -> threading.Event:
        synced, watcher = threading.Event(), Watch()
        self._watchers.append(watcher)
        threading.Thread(
            target=self._run, args=(kind, namespace, watcher, synced), name=f"watch-{kind.name}", daemon=True
        ).start()
        return synced

    def _run(self, kind: Kind, namespace: str | None, watcher: Watch, synced: threading.Event) -> None:
        since = ""
        while not self._stop.is_set():
            try:
                if not since:
                    since = self._list(kind, namespace)
                    synced.set()
                since = self._follow(kind, namespace, watcher, since)
            except ApiError as error:
                if error.status != 410 and not self._stop.is_set():
                    log.warning("watch of %s ended: %s; listing again", kind.name, error)
                    # A kind that is no longer served may come again.
                    pause = GONE_SECONDS if error.gone else PAUSE_SECONDS
                    self._stop.wait(pause * (0.5 + random.random()))
                since = ""
            except Exception:
                # A watch that has ended for good would leave the operator blind to its kind.
                log.exception("watch of %s failed; listing again", kind.name)
                self._stop.wait(PAUSE_SECONDS)
                since = ""

    def _list(self, kind: Kind, namespace: str | None) -> str:
        pages = self._cluster.pages(kind, namespace, _selector(kind))
        first, since = next(pages)
        items = chain(first, chain.from_iterable(later for later, _ in pages))
        # A list leaves out what its items all have.
        found = ({"apiVersion": kind.api_version, "kind": kind.name, **item} for item in items)
        if kind == EVENTS:
            changed = {self._children.refused(item) for item in found}
        else:
            changed = {*self._children.replace(kind, namespace, found, int(since))}
        self._tell(*changed)
        return since

    def _follow(self, kind: Kind, namespace: str | None, watcher: Watch, since: str) -> str:
        for change, manifest in self._cluster.watch(kind, namespace, _selector(kind), since, watcher, ROUND_SECONDS):
            since = manifest["metadata"]["resourceVersion"]
            if change == "BOOKMARK":
                continue
            if kind == EVENTS:
                self._tell(self._children.refused(manifest) if change != "DELETED" else None)
            else:
                self._tell(self._children.drop(manifest) if change == "DELETED" else self._children.put(manifest))
        return since

    def _tell(self, *owners: Owner | None) -> None:
        for owner in owners:
            if owner is not None:
                self._changed(owner)


def _selector(kind: Kind) -> Selector:
    return REFUSALS if kind == EVENTS else OWN
