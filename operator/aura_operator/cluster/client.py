"""Reading and writing objects of the API server. Calls block: the operator makes them in threads."""

import json
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError, ResourceNotFoundError
from kubernetes.watch import Watch

from aura_contract.experiment import API_VERSION, KIND
from aura_operator.blueprint import Manifest
from aura_operator.cluster.kinds import Kind, kind_of
from aura_operator.naming import FIELD_MANAGER

__all__ = ["EXPERIMENTS", "ApiError", "Cluster", "Selector", "change_of", "connect"]

EXPERIMENTS = Kind(API_VERSION, KIND)
TIMEOUT = (5.0, 30.0)
PAGE = 500

Selector = Mapping[str, str]
"""`label_selector` or `field_selector`, as the API server takes them."""


class ApiError(Exception):
    """What the API server answered instead of doing as asked; `status` 0 when it did not answer at all."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason

    @property
    def gone(self) -> bool:
        """Whether the object, or the place in the history, is no longer there."""
        return self.status in (404, 410)


def connect(cache: Path, pool: int) -> "Cluster":
    """A client by the pod's service account, or by the kubeconfig; `cache` is a folder for what was discovered."""
    settings = Configuration()
    try:
        config.load_incluster_config(settings)
    except config.ConfigException:
        config.load_kube_config(client_configuration=settings)
    settings.connection_pool_maxsize = pool
    return Cluster(ApiClient(settings), cache)


class Cluster:
    """Objects as plain dictionaries; every method raises ApiError. Threads may share it."""

    def __init__(self, client: ApiClient, cache: Path) -> None:
        self._dynamic = DynamicClient(client, cache_file=str(cache / "discovery.json"))
        self._resources: dict[Kind, Any] = {}
        self._discovery = threading.Lock()

    def serves(self, kind: Kind) -> bool:
        """Whether the cluster knows a kind; asks again each time, since definitions come and go."""
        try:
            listed = self._decoded(partial(self._dynamic.request, "get", f"/apis/{kind.api_version}"))
        except ApiError as error:
            if error.gone:
                return False
            raise
        return any(entry.get("kind") == kind.name for entry in listed.get("resources") or [])

    def apply(self, manifest: Manifest, *, force: bool = True) -> Manifest:
        """Server-side apply: the object as it is now; without `force` others' fields are a conflict, status 409."""
        return self._write("server_side_apply", manifest, field_manager=FIELD_MANAGER, force_conflicts=force)

    def create(self, manifest: Manifest) -> Manifest:
        """Make an object; one of its name that is there already is a conflict, status 409."""
        return self._write("create", manifest, field_manager=FIELD_MANAGER)

    def replace(self, manifest: Manifest) -> Manifest:
        """Put the object as it is given: also takes out what others have added."""
        return self._write("replace", manifest, field_manager=FIELD_MANAGER)

    def _write(self, verb: str, manifest: Manifest, **options: Any) -> Manifest:
        metadata = manifest["metadata"]
        place = {"name": metadata["name"], "namespace": metadata.get("namespace")}
        return self._call(kind_of(manifest), verb, body=manifest, **place, **options)

    def merge(self, kind: Kind, namespace: str, name: str, change: Manifest) -> Manifest:
        """Merge a change into an object."""
        options = {"content_type": "application/merge-patch+json", "field_manager": FIELD_MANAGER}
        return self._call(kind, "patch", body=change, name=name, namespace=namespace, **options)

    def write_status(self, namespace: str, name: str, change: Manifest) -> Manifest:
        """Merge a change into the status of an experiment; null removes a field."""
        options = {"content_type": "application/merge-patch+json", "field_manager": FIELD_MANAGER}
        resource = self._resource(EXPERIMENTS).subresources["status"]
        return self._decoded(resource.patch, body={"status": change}, name=name, namespace=namespace, **options)

    def read(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """One object, or None."""
        try:
            return self._call(kind, "get", name=name, namespace=namespace)
        except ApiError as error:
            if error.gone:
                return None
            raise

    def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object and what it owns, if it is there."""
        try:
            self._call(kind, "delete", name=name, namespace=namespace, propagation_policy="Background")
        except ApiError as error:
            if not error.gone:
                raise

    def pages(self, kind: Kind, namespace: str | None, selector: Selector) -> Iterator[tuple[list[Manifest], str]]:
        """All objects under a selector, by pages: each with the history's place that a watch may start from."""
        token = None
        while True:
            found = self._call(
                kind, "get", namespace=namespace, limit=PAGE, **selector, **({"_continue": token} if token else {})
            )
            yield found["items"], found["metadata"]["resourceVersion"]
            token = found["metadata"].get("continue")
            if not token:
                return

    def watch(
        self, kind: Kind, namespace: str | None, selector: Selector, since: str, watcher: Watch, seconds: int
    ) -> Iterator[tuple[str, Manifest]]:
        """Changes after a place in the history, for at most `seconds`: ADDED, MODIFIED, DELETED or BOOKMARK, and the object."""
        resource = self._resource(kind)
        options: dict[str, Any] = {**selector, "resource_version": since, "timeout_seconds": seconds}
        # A connection that died without a word ends too.
        options["_request_timeout"] = (TIMEOUT[0], seconds + TIMEOUT[1])
        try:
            for event in watcher.stream(
                resource.get, namespace=namespace, serialize=False, allow_watch_bookmarks=True, **options
            ):
                yield change_of(event)
        except (ApiException, DynamicApiError, urllib3.exceptions.HTTPError) as error:
            raise _error(error) from error

    def _resource(self, kind: Kind) -> Any:
        # Discovery starts over for a kind that it does not know, which must not happen under another thread's hands.
        with self._discovery:
            if kind not in self._resources:
                try:
                    self._resources[kind] = self._dynamic.resources.get(api_version=kind.api_version, kind=kind.name)
                except ResourceNotFoundError as error:
                    raise ApiError(404, "NotFound", f"the cluster serves no {kind.name} of {kind.api_version}") from error
                except (ApiException, DynamicApiError, urllib3.exceptions.HTTPError) as error:
                    raise _error(error) from error
            return self._resources[kind]

    def _call(self, kind: Kind, verb: str, **options: Any) -> Manifest:
        return self._decoded(getattr(self._resource(kind), verb), **options)

    def _decoded(self, call: Any, **options: Any) -> Manifest:
        try:
            answer = call(serialize=False, _request_timeout=TIMEOUT, **options)
            found: Manifest = json.loads(answer.data)
        except (ApiException, DynamicApiError, urllib3.exceptions.HTTPError) as error:
            raise _error(error) from error
        return found


def change_of(event: dict[str, Any] | None) -> tuple[str, Manifest]:
    """Kind of change and object of a watch's event; raises ApiError for None, which a line becomes that was cut off."""
    if event is None:
        raise ApiError(0, "Unreadable", "the watch was cut off in the middle of a line")
    return event["type"], event["raw_object"]


def _error(error: Exception) -> ApiError:
    status, body = getattr(error, "status", 0) or 0, getattr(error, "body", None)
    try:
        said = json.loads(body or "{}")
    except ValueError:
        said = {}
    reason = said.get("reason") or getattr(error, "reason", None) or type(error).__name__
    return ApiError(status, str(reason), str(said.get("message") or reason))
