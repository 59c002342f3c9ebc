"""The connection to a cluster: kubeconfig, context and namespace as kubectl takes them, errors as sentences."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from aura_cli.errors import AuraError, ForbiddenError, InputError, PartLostError

__all__ = ["Connection", "asking", "connect"]

TIMEOUT = (10.0, 30.0)
"""Seconds to connect and to wait for an answer."""

UNAUTHORIZED, FORBIDDEN = 401, 403


@dataclass(frozen=True)
class Connection:
    """Clients of one cluster, and the namespace that is meant."""

    api: client.ApiClient
    namespace: str

    @property
    def core(self) -> client.CoreV1Api:
        """Pods and volumes."""
        return client.CoreV1Api(self.api)

    @property
    def batch(self) -> client.BatchV1Api:
        """Jobs."""
        return client.BatchV1Api(self.api)

    @property
    def custom(self) -> client.CustomObjectsApi:
        """Experiments."""
        return client.CustomObjectsApi(self.api)


def connect(kubeconfig: str | None, context: str | None, namespace: str | None) -> Connection:
    """The cluster of a context, by default the current one of $KUBECONFIG or ~/.kube/config; raises InputError.

    Without `namespace` it is the context's own, else `default`.
    """
    try:
        contexts, current = config.list_kube_config_contexts(kubeconfig)
        chosen = current if context is None else next((one for one in contexts if one["name"] == context), None)
        if chosen is None:
            names = ", ".join(one["name"] for one in contexts)
            raise InputError(f"--context {context}: the kubeconfig has no such context; it has {names}")
        settings = client.Configuration()
        config.load_kube_config(kubeconfig, context, client_configuration=settings, persist_config=False)
    except config.ConfigException as error:
        reason = str(error).partition(": ")[2] or str(error)
        raise InputError(f"the kubeconfig cannot be used: {reason}; name one by --kubeconfig or KUBECONFIG") from error
    settings.retries = False
    return Connection(client.ApiClient(settings), namespace or chosen["context"].get("namespace") or "default")


@contextmanager
def asking(verb: str, what: str) -> Iterator[None]:
    """Turns the errors of a call into sentences; `verb` and `what` name the right that the call needs.

    Raises PartLostError when nobody answers, ForbiddenError, and AuraError for all else but what is not found.
    """
    try:
        yield
    except ApiException as error:
        if error.status == 404:
            raise
        if isinstance(error.__context__, KeyboardInterrupt):
            # A websocket's client takes it for a fault of the connection.
            raise KeyboardInterrupt from error
        raise _refusal(error, verb, what) from error
    except (HTTPError, OSError) as error:
        raise PartLostError(f"the cluster does not answer: {error}; is it running, and is it the right context?") from error


def _refusal(error: ApiException, verb: str, what: str) -> AuraError:
    text = _message(error)
    if error.status == UNAUTHORIZED:
        return ForbiddenError("the cluster does not know the kubeconfig's user; log in again")
    # Quotas and admission refuse with the same status; a websocket tells of its status in words alone.
    if (error.status == FORBIDDEN and "cannot " in text) or "status 403" in text:
        return ForbiddenError(f"not allowed: a role of yours needs the verb {verb} on {what} ({text})")
    if not error.status:
        return PartLostError(f"the connection to the cluster broke: {text}")
    return AuraError(f"the API server refuses to {verb} {what}: {text}")


def _message(error: ApiException) -> str:
    try:
        told: Any = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        told = error.reason
    return str(told).partition(" -+-+- ")[0]
