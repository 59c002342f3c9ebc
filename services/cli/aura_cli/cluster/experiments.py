"""Experiments of a namespace: found, listed and changed."""

from kubernetes.client.exceptions import ApiException

from aura_cli.cluster.connection import TIMEOUT, Connection, asking
from aura_cli.errors import InputError
from aura_operator.experiment import Experiment, UnreadableError
from aura_operator.naming import GROUP, PLURAL, VERSION

__all__ = ["all_experiments", "find_experiment", "set_suspended"]

KIND = (GROUP, VERSION)
WHAT = f"{PLURAL}.{GROUP}"


def all_experiments(connection: Connection) -> list[Experiment]:
    """Those of the namespace, by name; raises InputError where the cluster does not know the kind."""
    try:
        with asking("list", WHAT):
            found = connection.custom.list_namespaced_custom_object(*KIND, connection.namespace, PLURAL, _request_timeout=TIMEOUT)
    except ApiException as error:
        raise InputError("the cluster has no AuraExperiments; install the chart first") from error
    return [_read(body) for body in sorted(found["items"], key=lambda body: str(body["metadata"]["name"]))]


def find_experiment(connection: Connection, name: str) -> Experiment:
    """One experiment; raises InputError that names those that are there."""
    try:
        with asking("get", WHAT):
            body = connection.custom.get_namespaced_custom_object(
                *KIND, connection.namespace, PLURAL, name, _request_timeout=TIMEOUT
            )
    except ApiException as error:
        there = ", ".join(one.name for one in all_experiments(connection)) or "none"
        message = f"no experiment {name} in namespace {connection.namespace}; there is {there}; -n names another namespace"
        raise InputError(message) from error
    return _read(body)


def set_suspended(connection: Connection, experiment: Experiment, suspended: bool) -> str:
    """Set `spec.suspend`; a sentence on what comes of it. Raises InputError for an experiment that has ended."""
    if experiment.status.finished_at:
        raise InputError(f"{experiment.name} has ended ({experiment.status.phase}); nothing of it is running")
    if experiment.spec.suspend == suspended:
        return f"{experiment.name} is suspended already" if suspended else f"{experiment.name} is not suspended"
    with asking("patch", WHAT):
        connection.custom.patch_namespaced_custom_object(
            *KIND, connection.namespace, PLURAL, experiment.name, {"spec": {"suspend": suspended}}, _request_timeout=TIMEOUT
        )
    if suspended:
        return f"{experiment.name} suspended: the caches stay; kubectl aura resume {experiment.name} goes on"
    return f"{experiment.name} resumed"


def _read(body: dict[str, object]) -> Experiment:
    try:
        return Experiment.read(body)
    except UnreadableError as error:
        raise InputError(f"the experiment is of another version than this command: {error}") from error
