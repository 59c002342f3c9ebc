"""kubectl and helm against the cluster under test, and waiting that says what was seen instead."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

__all__ = ["OBJECTS", "Cluster", "Manifest", "Namespace", "NotSeen", "Refused", "run", "until"]

Manifest = dict[str, Any]
Found = TypeVar("Found")

OBJECTS = (
    "deployments,statefulsets,jobs,pods,services,configmaps,secrets,serviceaccounts,persistentvolumeclaims,"
    "networkpolicies,poddisruptionbudgets"
)
"""Every kind that the operator may make in a cluster without a Prometheus Operator."""


class Refused(AssertionError):
    """A command that failed: its command line and what it said."""


class NotSeen(AssertionError):
    """What was waited for did not come."""


def run(*command: str, stdin: str | None = None, seconds: float = 120, environment: Mapping[str, str] | None = None) -> str:
    """Run a command and return what it printed; raises Refused with its error output."""
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        raise Refused(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-6000:]}")
    return done.stdout


def until(
    what: str,
    look: Callable[[], Found | None],
    seconds: float,
    *,
    otherwise: Callable[[], str] = lambda: "",
    pause: float = 1.0,
) -> Found:
    """What `look` returns as soon as it is true; raises NotSeen with `otherwise` when it is not within `seconds`."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise NotSeen(f"not seen within {seconds:g} s: {what}\n{otherwise()}")
        time.sleep(pause)


@dataclass(frozen=True)
class Cluster:
    """The cluster behind a kubeconfig."""

    kubeconfig: Path

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = 120) -> str:
        """What kubectl printed; raises Refused."""
        return run("kubectl", *arguments, stdin=stdin, seconds=seconds, environment=self.environment)

    def helm(self, *arguments: str, stdin: str | None = None, seconds: float = 420) -> str:
        """What helm printed; raises Refused."""
        return run("helm", *arguments, stdin=stdin, seconds=seconds, environment=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """Environment of kubectl and helm."""
        return {"KUBECONFIG": str(self.kubeconfig)}

    def namespace(self, name: str) -> "Namespace":
        """A namespace by its name; it need not exist."""
        return Namespace(self, name)


@dataclass(frozen=True)
class Namespace:
    """kubectl inside one namespace."""

    cluster: Cluster
    name: str

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = 120) -> str:
        """What kubectl printed; raises Refused."""
        return self.cluster.kubectl("--namespace", self.name, *arguments, stdin=stdin, seconds=seconds)

    def create(self, labels: Mapping[str, str]) -> None:
        """Make the namespace."""
        metadata = {"name": self.name, "labels": dict(labels)}
        self.cluster.kubectl(
            "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        )

    def delete(self, *, wait: bool = False) -> None:
        """Delete the namespace with everything in it."""
        self.cluster.kubectl("delete", "namespace", self.name, "--ignore-not-found", f"--wait={str(wait).lower()}")

    def apply(self, *manifests: Manifest, arguments: Sequence[str] = ()) -> str:
        """kubectl apply; raises Refused with the API server's message."""
        return self.kubectl("apply", "-f", "-", *arguments, stdin=yaml.safe_dump_all(manifests))

    def items(self, kinds: str, selector: str = "") -> list[Manifest]:
        """All objects of some kinds under a label selector."""
        chosen = ("--selector", selector) if selector else ()
        found: list[Manifest] = json.loads(self.kubectl("get", kinds, *chosen, "--output", "json"))["items"]
        return found

    def find(self, kind: str, name: str) -> Manifest | None:
        """One object, or None."""
        text = self.kubectl("get", kind, name, "--ignore-not-found", "--output", "json")
        found: Manifest | None = json.loads(text) if text.strip() else None
        return found

    def secret(self, name: str, **values: str) -> Manifest:
        """A Secret's manifest; double underscores in the names of keys stand for dots."""
        data = {key.replace("__", "."): value for key, value in values.items()}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
