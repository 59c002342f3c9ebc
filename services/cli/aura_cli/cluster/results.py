"""Result files of an experiment, read inside a pod that has their volume: the replayer's own, or one made for it."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from kubernetes.stream.ws_client import ERROR_CHANNEL

from aura_cli.cluster.connection import TIMEOUT, Connection, asking
from aura_cli.cluster.pods import REPLAYER, pods_of
from aura_cli.cluster.reader import CONTAINER, FOLDER, LIFETIME, PYTHON, reader_pod
from aura_cli.errors import AuraError, InputError, PartLostError
from aura_operator.experiment import Experiment

__all__ = ["Results", "results"]

START_SECONDS = 120.0
POLL_SECONDS = 0.5
IDLE_SECONDS = 30.0
WHOLE = """\
import shutil, sys
try:
    with open(sys.argv[1], "rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
except OSError as error:
    sys.exit(f"{error.filename}: {error.strerror}")
"""
"""Prints a file."""

HOPELESS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "ErrImageNeverPull")


@dataclass(frozen=True)
class Results:
    """A container that sees the result files in FOLDER."""

    connection: Connection
    pod: str
    container: str

    def run(self, script: str, *arguments: str) -> Iterator[bytes]:
        """What a Python script prints in the container; raises AuraError when it fails."""
        with asking("get", "pods/exec"):
            socket = stream(
                self.connection.core.connect_get_namespaced_pod_exec,
                self.pod,
                self.connection.namespace,
                container=self.container,
                command=[*PYTHON, script, *arguments],
                stdin=False,
                stdout=True,
                stderr=True,
                tty=False,
                binary=True,
                _preload_content=False,
            )
            try:
                yield from _output(socket)
            finally:
                # It has ended, and nobody waits for a goodbye.
                socket.close(timeout=0)

    def read(self, name: str) -> bytes:
        """A whole result file; raises AuraError when it cannot be read."""
        return b"".join(self.run(WHOLE, self.path(name)))

    def path(self, name: str) -> str:
        """Where a result file lies in the container."""
        return f"{FOLDER}/{name}"


def _output(socket: Any) -> Iterator[bytes]:
    """Standard output until the command ends."""
    complaint, silent_since = b"", time.monotonic()
    while socket.is_open():
        socket.update(timeout=1)
        found = socket.read_stdout(timeout=0)
        complaint += socket.read_stderr(timeout=0)
        if found:
            silent_since = time.monotonic()
            yield found
        if time.monotonic() - silent_since > IDLE_SECONDS:
            raise PartLostError(f"the pod has sent nothing for {IDLE_SECONDS:g} s; try again")
    if found := socket.read_stdout(timeout=0):
        yield found
    complaint += socket.read_stderr(timeout=0)
    if not socket.peek_channel(ERROR_CHANNEL):
        raise PartLostError("the connection to the pod broke; try again")
    if socket.returncode:
        raise AuraError(f"reading the results failed: {complaint.decode('utf-8', 'replace').strip() or socket.returncode}")


@contextmanager
def results(connection: Connection, experiment: Experiment) -> Iterator[Results]:
    """Access to the result files; a pod that had to be made for it is removed afterwards.

    Raises InputError when there are none.
    """
    running = [pod for pod in pods_of(connection, experiment, {REPLAYER}) if _runs(pod)]
    if running:
        yield Results(connection, running[-1].metadata.name, REPLAYER)
        return
    pod = reader_pod(_template(connection, experiment), experiment, f"{experiment.name}-reader-{secrets.token_hex(3)}")
    name = pod["metadata"]["name"]
    _create(connection, pod)
    try:
        _wait(connection, name)
        yield Results(connection, name, CONTAINER)
    finally:
        _remove(connection, name)


def _template(connection: Connection, experiment: Experiment) -> Any:
    """The pod template of the replayer's Job, in the API's own words."""
    try:
        with asking("get", "jobs"):
            job = connection.batch.read_namespaced_job(
                f"{experiment.name}-{REPLAYER}", connection.namespace, _request_timeout=TIMEOUT
            )
    except ApiException as error:
        claim = f"{experiment.name}-results"
        end = f"the volume {claim} may have what it left" if experiment.status.finished_at else "it has no results yet"
        raise InputError(f"{experiment.name} is {experiment.status.phase} and has no replayer: {end}") from error
    return connection.api.sanitize_for_serialization(job.spec.template)


def _create(connection: Connection, pod: dict[str, Any]) -> None:
    try:
        with asking("create", "pods"):
            connection.core.create_namespaced_pod(connection.namespace, pod, _request_timeout=TIMEOUT)
    except KeyboardInterrupt:
        # Whether it was made is not known.
        _remove(connection, pod["metadata"]["name"])
        raise


def _runs(pod: Any) -> bool:
    return pod.status.phase == "Running" and not pod.metadata.deletion_timestamp


def _wait(connection: Connection, name: str) -> None:
    until, why = time.monotonic() + START_SECONDS, "no node has taken it"
    while time.monotonic() < until:
        with asking("get", "pods"):
            pod = connection.core.read_namespaced_pod(name, connection.namespace, _request_timeout=TIMEOUT)
        if pod.status.phase == "Running":
            return
        why = _obstacle(pod) or why
        if pod.status.phase in ("Succeeded", "Failed") or why.startswith(HOPELESS):
            break
        time.sleep(POLL_SECONDS)
    raise AuraError(f"the pod that reads the results does not start: {why}")


def _obstacle(pod: Any) -> str:
    for status in pod.status.container_statuses or []:
        waiting = status.state.waiting
        if waiting and waiting.reason:
            return f"{waiting.reason}: {waiting.message}" if waiting.message else str(waiting.reason)
    found = (one.message for one in pod.status.conditions or [] if one.status == "False" and one.message)
    return str(next(found, pod.status.message or ""))


def _remove(connection: Connection, name: str) -> None:
    """Delete the pod; where even that fails it ends by itself after LIFETIME seconds and goes with the experiment."""
    try:
        with asking("delete", "pods"):
            connection.core.delete_namespaced_pod(name, connection.namespace, grace_period_seconds=0, _request_timeout=TIMEOUT)
    except ApiException:
        return
    except AuraError as error:
        raise AuraError(f"the pod {name} could not be removed and ends by itself after {LIFETIME} s: {error}") from error
