"""`kubectl aura logs`: the logs of an experiment's parts, side by side."""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kubernetes.client.exceptions import ApiException

from aura_cli.cluster.connection import TIMEOUT, Connection, asking
from aura_cli.cluster.experiments import find_experiment
from aura_cli.cluster.pods import EXECUTOR, component, components, pods_of
from aura_cli.cluster.text import printable
from aura_cli.errors import InputError
from aura_operator.experiment import Experiment

__all__ = ["Wanted", "about", "follow_logs", "read_logs"]

LOOK_SECONDS = 2.0
SILENCE_SECONDS = 86_400.0
"""A pod may say nothing for a day before it is read anew."""

WHAT = "pods/log"

Tell = Callable[[str], None]
Said = queue.SimpleQueue[tuple[Any, str | Exception]]
"""Lines of pods as they come, or why there are no more."""


@dataclass(frozen=True)
class Wanted:
    """Whose logs: a part (replayer, planner, executor or all), and perhaps one arm."""

    part: str
    arm: str | None

    def check(self, experiment: Experiment) -> None:
        """Raises InputError for an arm that nobody plans for."""
        arms = list(experiment.spec.planned_arms)
        if self.arm is not None and self.arm not in arms:
            raise InputError(f"--arm {self.arm}: {experiment.name} plans for no such arm; it has {', '.join(arms)}")


def about(line: str, arm: str) -> bool:
    """Whether a line of a service's log is about an arm."""
    try:
        told = json.loads(line)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("arm") == arm


def read_logs(connection: Connection, experiment: Experiment, wanted: Wanted, tell: Tell) -> None:
    """What the parts have said so far, one after the other; raises InputError where there is no pod any more."""
    pods = _pods(connection, experiment, wanted)
    if not pods:
        raise InputError(
            f"{experiment.name} is {experiment.status.phase} and has no pod of {wanted.part} now; "
            f"kubectl aura status {experiment.name} tells how it stands"
        )
    for pod in pods:
        if _container(pod) is None:
            tell(f"{pod.metadata.name} has not started yet")
            continue
        for line in _lines(connection, pod, follow=False):
            _tell(pod, line, wanted, tell)


def follow_logs(connection: Connection, experiment: Experiment, wanted: Wanted, tell: Tell) -> None:
    """What the parts say, as they say it, those that start later too; returns when the experiment has ended."""
    said: Said = queue.SimpleQueue()
    readers: dict[str, threading.Thread] = {}

    def read(pod: Any) -> None:
        try:
            for line in _lines(connection, pod, follow=True):
                said.put((pod, line))
        except Exception as error:  # noqa: BLE001 - raised again where it ends the command
            said.put((pod, error))

    while True:
        ended = bool(find_experiment(connection, experiment.name).status.finished_at)
        for pod in _pods(connection, experiment, wanted):
            container = _container(pod)
            if container and container not in readers:
                readers[container] = threading.Thread(target=read, args=(pod,), daemon=True)
                readers[container].start()
        alive = any(reader.is_alive() for reader in readers.values())
        _drain(said, wanted, tell)
        if ended and not alive:
            return


def _drain(said: Said, wanted: Wanted, tell: Tell) -> None:
    until = time.monotonic() + LOOK_SECONDS
    while (left := until - time.monotonic()) > 0:
        try:
            pod, line = said.get(timeout=left)
        except queue.Empty:
            return
        if isinstance(line, Exception):
            raise line
        _tell(pod, line, wanted, tell)


def _tell(pod: Any, line: str, wanted: Wanted, tell: Tell) -> None:
    # An executor works for one arm, so that all of its lines are about it.
    if wanted.arm is None or component(pod).startswith(EXECUTOR) or about(line, wanted.arm):
        tell(printable(f"{pod.metadata.name} | {line}"))


def _pods(connection: Connection, experiment: Experiment, wanted: Wanted) -> list[Any]:
    return pods_of(connection, experiment, components(experiment, wanted.part, wanted.arm))


def _container(pod: Any) -> str | None:
    """Id of a pod's container once it has started: another one after each restart."""
    statuses = pod.status.container_statuses or []
    return next((one.container_id for one in statuses if one.container_id), None)


def _lines(connection: Connection, pod: Any, *, follow: bool) -> Iterator[str]:
    try:
        with asking("get", WHAT):
            answer = connection.core.read_namespaced_pod_log(
                pod.metadata.name,
                connection.namespace,
                follow=follow,
                _preload_content=False,
                _request_timeout=(TIMEOUT[0], SILENCE_SECONDS if follow else TIMEOUT[1]),
            )
            yield from _split(answer.stream(64 * 1024))
    except ApiException:
        # Gone since it was listed.
        return


def _split(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)
    if rest:
        yield rest.decode("utf-8", "replace")
