"""A real API server, the operator as a process beside it, and replayers that only seem to run."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any, TypeVar, cast

from aura_operator.naming import labels

__all__ = [
    "GIVEN",
    "ROOT",
    "Kubectl",
    "Manifest",
    "NoCluster",
    "Operator",
    "Refused",
    "answering",
    "cluster",
    "custom_kind",
    "eventually",
    "experiment",
    "listening",
    "make_pod",
    "tell_pod",
]

Manifest = dict[str, Any]
Found = TypeVar("Found")

CHILDREN = (
    "serviceaccounts,secrets,configmaps,persistentvolumeclaims,services,networkpolicies,poddisruptionbudgets,"
    "statefulsets,deployments,jobs"
)
GIVEN = "KUBECONFIG_TEST"
"""Names the kubeconfig of a cluster to use; without it one is made by kind, and removed afterwards."""

ROOT = Path(__file__).parents[2]
HTTP_PORT = 8080
"""Where the operator asks every replayer for its progress."""


class NoCluster(Exception):
    """There is no cluster to use, and no means to make one."""


class Refused(Exception):
    """kubectl's error output."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl in one namespace."""

    kubeconfig: Path
    namespace: str = "default"

    def __call__(self, *arguments: str, stdin: object = None) -> str:
        """Its output; raises Refused."""
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace, *arguments],
            input=None if stdin is None else json.dumps(stdin),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise Refused(done.stderr.strip())
        return done.stdout

    def find(self, what: str) -> Manifest | None:
        """An object by KIND/NAME, or None."""
        text = self("get", what, "--ignore-not-found", "-o", "json")
        return cast(Manifest, json.loads(text)) if text else None

    def children(self, experiment: str) -> dict[str, Manifest]:
        """All objects of an experiment, by Kind/name."""
        listed = json.loads(self("get", CHILDREN, "-l", f"aura.dev/experiment={experiment}", "-o", "json"))
        return {f"{item['kind']}/{item['metadata']['name']}": item for item in listed["items"]}

    def patch(self, what: str, change: Manifest, *, how: str = "merge", **options: str) -> None:
        """Patch an object, or its subresource."""
        flags = [f"--{name}={value}" for name, value in options.items()]
        self("patch", what, "--type", how, "-p", json.dumps(change), *flags)


@contextmanager
def cluster(folder: Path) -> Iterator[Path]:
    """The kubeconfig of a cluster in which no pod is started, with the definition of experiments; raises NoCluster."""
    given = os.environ.get(GIVEN)
    if given:
        _prepare(Path(given))
        yield Path(given)
        return
    if not shutil.which("kind") or not shutil.which("kubectl"):
        raise NoCluster(f"needs kind and kubectl, or {GIVEN}")
    path, image = folder / "kubeconfig", os.environ.get("KIND_NODE_IMAGE")
    flags = ["--name", f"aura-test-{uuid.uuid4().hex[:6]}", "--kubeconfig", str(path)]
    try:
        subprocess.run(
            ["kind", "create", "cluster", "--wait", "180s", *flags, *(["--image", image] if image else [])], check=True
        )
        _prepare(path)
        yield path
    finally:
        subprocess.run(["kind", "delete", "cluster", *flags], check=False)


def _prepare(path: Path) -> None:
    kubectl = Kubectl(path)
    kubectl("cordon", "--selector=kubernetes.io/hostname")
    kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    eventually("experiments are served", lambda: _served(kubectl), 60)


def _served(kubectl: "Kubectl") -> bool:
    try:
        kubectl("get", "ax", "--all-namespaces")
    except Refused:
        return False
    return True


def eventually(what: str, look: Callable[[], Found | None], seconds: float = 20.0) -> Found:
    """What `look` returns as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.2)
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Operator:
    """`aura-operator` outside the cluster; it can be stopped and started again."""

    def __init__(self, kubeconfig: Path, folder: Path, *flags: str) -> None:
        self._kubeconfig, self._folder, self._flags = kubeconfig, folder, flags
        self.start()

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self._port = _free_port()
        log = (self._folder / "operator.log").open("a")
        command = [sys.executable, "-m", "aura_operator", "--listen", f"127.0.0.1:{self._port}", *self._flags]
        environment = {**os.environ, "KUBECONFIG": str(self._kubeconfig), "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        eventually("the operator is ready", self._ready, 90)

    def stop(self) -> int:
        """Stop it; its exit status."""
        self.process.terminate()
        return self.process.wait(30)

    def writes(self) -> dict[str, float]:
        """Writes to the API server since its start, by verb and kind as its metrics label them."""
        found = re.findall(r"^aura_operator_writes_total\{(.*)\} (\S+)$", self._get("metrics"), re.MULTILINE)
        return {what: float(count) for what, count in found}

    def log(self) -> str:
        """What it has said so far."""
        return (self._folder / "operator.log").read_text()

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log()[-3000:]
        try:
            return self._get("readyz") == "ok\n"
        except OSError:
            return False

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/{path}", timeout=5) as answer:
            return str(answer.read().decode())


@contextmanager
def listening() -> Iterator[str]:
    """A server that the operator can reach, HOST:PORT."""
    server = ThreadingTCPServer(("127.0.0.1", 0), BaseRequestHandler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@contextmanager
def answering(address: str, answer: Callable[[], str]) -> Iterator[None]:
    """A replayer's /progress at an address of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer().encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer((address, HTTP_PORT), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


def experiment(name: str, *, server: str | None = None, **changes: Any) -> Manifest:
    """An experiment with its own servers, or with all of them at `server`."""
    spec: Manifest = {
        "workload": {"source": {"url": "https://example.org/log.csv"}},
        "cache": {"capacity": "5%"},
        "planner": {"backend": "heuristic"},
    }
    if server is not None:
        arms = {"external": {"endpoints": {"baseline": server, "aura": server}}}
        spec["dependencies"] = {"redis": arms, "kafka": {"external": {"endpoint": server}}}
    return {"apiVersion": "aura.dev/v1alpha1", "kind": "AuraExperiment", "metadata": {"name": name}, "spec": {**spec, **changes}}


def custom_kind(group: str, version: str, kind: str, plural: str) -> Manifest:
    """As much of another operator as the API server needs to know a kind of its."""
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    anything = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    annotations = {"api-approved.kubernetes.io": "unapproved, a test"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": annotations},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": names,
            "versions": [{"name": version, "served": True, "storage": True, "schema": anything}],
        },
    }


def make_pod(kubectl: Kubectl, name: str, address: str) -> None:
    """A replayer's pod that no scheduler will take, and whose status seems to be that of a running one.

    Younger by more than the second in which ages are told than the one that the Job has made, for the newest pod counts.
    """
    eventually("the Job's own pod", lambda: kubectl("get", "pods", "-l", f"job-name={name}-replayer", "-o", "name").strip())
    time.sleep(1.1)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{name}-replayer-pod", "labels": labels(name, "replayer")},
        "spec": {"schedulingGates": [{"name": "aura.dev/test"}], "containers": [{"name": "replayer", "image": "none"}]},
    }
    kubectl("create", "-f", "-", stdin=pod)
    tell_pod(kubectl, name, {"running": {}}, address)


def tell_pod(kubectl: Kubectl, name: str, state: Manifest, address: str) -> None:
    """Set the state of the pod's container."""
    container = {"name": "replayer", "image": "none", "imageID": "", "ready": True, "restartCount": 0, "state": state}
    status = {"podIP": address, "podIPs": [{"ip": address}], "containerStatuses": [container]}
    kubectl.patch(f"pod/{name}-replayer-pod", {"status": status}, subresource="status")
