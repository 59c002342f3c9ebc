"""The operator with a thousand experiments against an API server: how soon, with how much memory, and how quiet afterwards.

All parts of the experiments are the user's own, at a socket of this machine. No controller runs but the operator, so that every
write is its own or the benchmark's; their pods would wait for a node anyway.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import kubernetes
import urllib3

sys.path.append(str(Path(__file__).parents[2] / "tests" / "support"))

from live_cluster import GIVEN, Kubectl, Operator, cluster, experiment, listening
from results import Result, below

__all__ = ["operator_benchmarks", "operator_hour_benchmarks"]

EXPERIMENTS, PER_SECOND = 1000, 10.0
CHILDREN_SECONDS, MEMORY_MB = 5.0, 250.0
SETTLE_SECONDS, QUIET_SECONDS = 30.0, 60.0
HOUR_SECONDS, WEIGH_SECONDS, GROWTH = 3600.0, 30.0, 1.1
NAMESPACE = "aura-benchmark"
LAST = "poddisruptionbudgets"
"""The kind that is made last for each experiment."""

KINDS = ("serviceaccounts", "configmaps", "persistentvolumeclaims", "networkpolicies", "deployments", "jobs", "services", LAST)
WATCHED = {*KINDS, "secrets", "statefulsets", "auraexperiments", "events"}
READS = ("GET", "LIST", "WATCH", "CONNECT")


class Births:
    """When the last object of each experiment was seen, by its name."""

    def __init__(self, client: kubernetes.client.ApiClient) -> None:
        self.seen: dict[str, float] = {}
        self._client = client
        # It ends with the process.
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        listing = kubernetes.client.PolicyV1Api(self._client).list_namespaced_pod_disruption_budget
        # It breaks off with the cluster.
        with suppress(urllib3.exceptions.HTTPError):
            for event in kubernetes.watch.Watch().stream(listing, NAMESPACE, timeout_seconds=3600):
                if event["type"] == "ADDED":
                    name = event["raw_object"]["metadata"]["labels"]["aura.dev/experiment"]
                    self.seen.setdefault(name, time.monotonic())


def operator_benchmarks() -> list[Result]:
    """All figures from one run."""
    with _a_thousand() as (kubectl, client, operator, delays):
        spent = _processor_seconds(operator.process.pid)
        print(f"operator: {spent:.1f} s of processor for {EXPERIMENTS} experiments, {_peak_mb(operator.process.pid):.0f} MB")
        print(f"children: median {delays[EXPERIMENTS // 2]:.2f} s, p99 {_p99(delays):.2f} s, slowest {delays[-1]:.2f} s")
        _check(kubectl)
        time.sleep(SETTLE_SECONDS)
        before, spent = _writes(client), _processor_seconds(operator.process.pid)
        time.sleep(QUIET_SECONDS)
        written = {what: count - before.get(what, 0) for what, count in _writes(client).items() if count != before.get(what, 0)}
        spent = _processor_seconds(operator.process.pid) - spent
        print(f"quiet minute: {spent:.1f} s of processor, writes: {written or 'none'}")
        return [
            below("operator_children_p99_s", _p99(delays), "s after apply", CHILDREN_SECONDS),
            below("operator_memory_mb", _peak_mb(operator.process.pid), "MB at most", MEMORY_MB),
            below("operator_quiet_writes", sum(written.values()), "writes in a minute", 1),
        ]


def operator_hour_benchmarks() -> list[Result]:
    """An hour with them: the operator's largest size in its last fifth over the largest in its first."""
    with _a_thousand() as (_, _, operator, _):
        time.sleep(SETTLE_SECONDS)
        sizes, end = [], time.monotonic() + HOUR_SECONDS
        while time.monotonic() < end:
            sizes.append(_megabytes(operator.process.pid, "VmRSS"))
            time.sleep(WEIGH_SECONDS)
        fifth = max(1, len(sizes) // 5)
        print(f"operator: {sizes[0]:.0f} MB at first, {sizes[-1]:.0f} MB at last, {len(sizes)} times in {HOUR_SECONDS:g} s")
        return [below("operator_hour_growth", max(sizes[-fifth:]) / max(sizes[:fifth]), "times", GROWTH)]


@contextmanager
def _a_thousand() -> Iterator[tuple[Kubectl, kubernetes.client.ApiClient, Operator, list[float]]]:
    """An operator with the experiments, once all of their objects are there, and how long each took, sorted."""
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder)) as kubeconfig, listening() as server:
        _without_controllers(kubeconfig)
        kubectl = Kubectl(kubeconfig, NAMESPACE)
        kubectl("create", "namespace", NAMESPACE)
        operator = Operator(kubeconfig, Path(folder))
        try:
            client = kubernetes.config.new_client_from_config(str(kubeconfig))
            yield kubectl, client, operator, _delays(client, operator, server)
        finally:
            operator.stop()
            kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _delays(client: kubernetes.client.ApiClient, operator: Operator, server: str) -> list[float]:
    births = Births(client)
    applied = _apply(client, server)
    end = time.monotonic() + 900
    while len(births.seen) < EXPERIMENTS and time.monotonic() < end:
        time.sleep(0.2)
    if len(births.seen) < EXPERIMENTS:
        raise RuntimeError(
            f"only {len(births.seen)} experiments had all of their objects; the operator's log: {operator.log()[-3000:]}"
        )
    return sorted(births.seen[name] - when for name, when in applied.items())


def _apply(client: kubernetes.client.ApiClient, server: str) -> dict[str, float]:
    """Create the experiments at their pace; when each was sent."""
    interface = kubernetes.client.CustomObjectsApi(client)
    sent: dict[str, float] = {}

    def create(name: str) -> None:
        sent[name] = time.monotonic()
        body = experiment(name, server=server)
        interface.create_namespaced_custom_object("aura.dev", "v1alpha1", NAMESPACE, "auraexperiments", body)

    begin = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        under_way = []
        for number in range(EXPERIMENTS):
            time.sleep(max(0.0, begin + number / PER_SECOND - time.monotonic()))
            under_way.append(pool.submit(create, f"ax-{number}"))
    for one in under_way:
        one.result()
    return sent


def _check(kubectl: Kubectl) -> None:
    """Every experiment has all of its objects."""
    for kind in KINDS:
        found = kubectl("get", kind, "-l", "app.kubernetes.io/managed-by=aura-operator", "-o", "name").split()
        owners = 2 if kind == "deployments" else 1
        if len(found) < owners * EXPERIMENTS:
            raise RuntimeError(f"{len(found)} {kind} for {EXPERIMENTS} experiments")


def _writes(client: kubernetes.client.ApiClient) -> dict[str, int]:
    """Writes of all clients since the API server's start, to the kinds that the operator writes."""
    text = client.call_api(*client.param_serialize("GET", "/metrics", auth_settings=["BearerToken"])).response.data.decode()
    found: dict[str, int] = {}
    for line in text.splitlines():
        if line.startswith("apiserver_request_total{"):
            inside, _, value = line.removeprefix("apiserver_request_total{").rpartition("} ")
            labels = dict(part.split("=", 1) for part in inside.replace('"', "").split(","))
            if labels["resource"] in WATCHED and labels["verb"] not in READS and labels["subresource"] != "token":
                what = f"{labels['verb']} {labels['resource']}"
                found[what] = found.get(what, 0) + int(float(value))
    return found


def _without_controllers(kubeconfig: Path) -> None:
    """Take the controllers out of a cluster of our own."""
    if os.environ.get(GIVEN):
        return
    node = json.loads(Kubectl(kubeconfig)("get", "nodes", "-o", "json"))["items"][0]["metadata"]["name"]
    manifests = [f"/etc/kubernetes/manifests/kube-{name}.yaml" for name in ("controller-manager", "scheduler")]
    subprocess.run(["docker", "exec", node, "mv", *manifests, "/root/"], check=True)


def _p99(values: list[float]) -> float:
    return values[int(0.99 * (len(values) - 1))]


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    return _megabytes(pid, "VmHWM")


def _megabytes(pid: int, what: str) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024
