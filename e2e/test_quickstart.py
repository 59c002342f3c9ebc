"""A slice of the quick start from `kubectl apply` to its verdict, beside the same slice by `aura run`."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster import Manifest, Namespace, Refused, until
from experiments import Experiment, manifest
from installation import OUT
from operator_pod import steady
from test_refused import FIXED

LIMIT = 150_000
APART = 0.005
# Free latency: charged, the seconds that a busy machine takes for a plan would be part of what is compared.
SPEC: dict[str, Any] = {
    "workload": {"limit": LIMIT},
    "cache": {"capacity": "5%"},
    "trigger": {"everyEvents": 5000},
    "planner": {"latency": "free"},
    "controls": ["noop", "random"],
}
CHILDREN = "deployments,statefulsets,jobs,services,configmaps,secrets,serviceaccounts,persistentvolumeclaims,networkpolicies"

Record = Callable[[str, object], None]


@pytest.fixture
def local_run(tmp_path: Path) -> Iterator[Callable[[], Manifest]]:
    """`aura run` of the same slice, under way while the cluster works; waits and gives its verdict."""
    path, out = tmp_path / "slice.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(manifest("slice", **SPEC)), encoding="utf-8")
    log = (OUT / "aura-run.log").open("w", encoding="utf-8")
    command = [str(part) for part in (Path(sys.executable).with_name("aura"), "run", path, "--out", out)]
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def verdict() -> Manifest:
        assert process.wait(300) == 0, f"aura run failed; see {log.name}"
        found: Manifest = json.loads((out / "verdict.json").read_text(encoding="utf-8"))
        return found

    with log:
        yield verdict
        process.terminate()
        process.wait(30)


def test_quickstart_slice(namespace: Namespace, local_run: Callable[[], Manifest], record_property: Record) -> None:
    with steady():
        experiment, started = Experiment.applied(namespace, manifest("slice", **SPEC)), time.monotonic()
        experiment.wait("Running", lambda status: status.get("startedAt") or status.get("phase") == "Running", 300)
        running = time.monotonic() - started
        record_property("running_after_s", round(running, 1))
        written_while_running(experiment)
        namespace.kubectl("wait", "--for=condition=Complete", "ax/slice", "--timeout=420s", seconds=440)
        record_property("complete_after_s", round(time.monotonic() - started, 1))
        status, local = experiment.status(), local_run()
        assert status["phase"] == "Succeeded", experiment.told()
        same_counts(status, local)
        columns(namespace, status)
        ending(experiment, local)
        quiet_after_the_end(experiment)
        for field, change in {"workload": {"limit": 1000}, "cache": {"capacity": "6%"}, "seed": 2}.items():
            with pytest.raises(Refused, match=f"spec.{field} {FIXED}"):
                experiment.patch(**{field: change})


def written_while_running(experiment: Experiment) -> None:
    """Nothing but the resource's status changes while the log is replayed."""
    experiment.wait_for_events(1, 60)
    before = experiment.versions(CHILDREN)
    time.sleep(5)
    after = experiment.versions(CHILDREN)
    if experiment.status()["phase"] == "Running":
        own = "AuraExperiment slice"
        assert {**after, own: ""} == {**before, own: ""}


def same_counts(status: Manifest, local: Manifest) -> None:
    assert status["events"] == str(local["events"]) == str(LIMIT)
    assert status["dataSha256"] == local["data_sha256"]
    assert status["arms"].keys() == local["arms"].keys()
    for name, arm in status["arms"].items():
        here = local["arms"][name]
        assert arm["requests"] == str(here["requests"]), name
        assert int(arm["hits"]) + int(arm["misses"]) == here["requests"], name
        assert abs(float(arm["hitRatio"]) - here["hit_ratio"]) <= APART, f"{name}: {arm['hitRatio']} and {here['hit_ratio']}"


def columns(namespace: Namespace, status: Manifest) -> None:
    header, row = namespace.kubectl("get", "ax", "slice", "--output", "wide").splitlines()
    names = header.split()
    assert names == ["NAME", "PHASE", "HIT-RATIO", "BASELINE", "DELTA", "PROGRESS", "PLANNERS", "AGE", "VERDICT", "REASON"]
    shown = dict(zip(names, row.split(maxsplit=len(names) - 1), strict=True))
    assert (shown["PHASE"], shown["PROGRESS"], shown["VERDICT"]) == ("Succeeded", "100%", status["verdict"])
    assert (shown["HIT-RATIO"], shown["BASELINE"]) == (status["hitRatio"], status["baselineHitRatio"])
    assert shown["DELTA"] == status["deltaPoints"]
    assert shown["REASON"] == status["message"] == status["reason"]


def ending(experiment: Experiment, local: Manifest) -> None:
    """The replayer's termination message holds the verdict, as `aura run` writes it."""
    (pod,) = experiment.pods("replayer")
    told = json.loads(pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"])
    assert told["exit_code"] == 0
    assert told["verdict"]["events"] == local["events"]
    assert told["verdict"]["arms"]["aura"]["requests"] == local["arms"]["aura"]["requests"]


def quiet_after_the_end(experiment: Experiment) -> None:
    """Servers and workers are gone, and then nothing is written any more."""
    parts = "deployments,statefulsets,services"
    until("servers and workers removed", lambda: not experiment.children(parts), 60, otherwise=experiment.told)
    # Their pods take as long as they are given to stop.
    until("pods gone", lambda: len(experiment.children("pods")) == 1, 60, otherwise=experiment.told)
    time.sleep(2)
    before = experiment.versions()
    time.sleep(20)
    assert experiment.versions() == before
