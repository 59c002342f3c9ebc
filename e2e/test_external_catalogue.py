"""MongoDB, Milvus and a model server of somebody else, in another namespace: TLS with a CA of theirs, logins from Secrets."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster import Manifest, Namespace, run
from experiments import Experiment, manifest, shop_log
from installation import Options
from servers import Catalogue, Files, catalogue_and_model

ITEMS = 2000
TRIGGER = 2000
REQUESTS = 20_000


def catalogue(maker: str) -> str:
    kinds = ("bread", "milk", "cheese", "apples", "soap")
    rows = (f"i{at},{kinds[at % 5]} of {maker} {at},{kinds[at % 5]},brand {at % 37}" for at in range(ITEMS))
    return "\n".join(["item,title,category,brand", *rows, ""])


def wanted(name: str, files: Files, servers: Catalogue, **spec: Any) -> Manifest:
    dependencies = {
        part: {"external": {"endpoint": endpoint, "tls": True, "secretRef": {"name": f"{part}-login"}}}
        for part, endpoint in servers.endpoints.items()
    }
    return manifest(
        name,
        workload={"source": {"dataset": None, "url": files.url("log.csv")}, "requests": ["click"], "limit": None},
        catalog={"source": {"dataset": None, "url": files.url("catalogue.csv")}},
        trigger={"everyEvents": TRIGGER},
        planner={"backend": "ollama", "model": "tiny", "mode": "lockstep", "latency": "free"},
        dependencies=dependencies,
        **spec,
    )


def loaded(experiment: Experiment) -> bool:
    jobs = [job for job in experiment.children("jobs") if job["metadata"]["name"] == f"{experiment.name}-loader"]
    return any((job.get("status") or {}).get("succeeded") for job in jobs)


def plans(experiment: Experiment) -> list[str]:
    """A line for each window that planners were asked about."""
    command = (sys.executable, "-m", "aura_cli.cluster", "plans", experiment.name, "--last", "100")
    namespace = experiment.namespace
    text = run(*command, "--namespace", namespace.name, environment=namespace.cluster.environment, seconds=180)
    return [line for line in text.splitlines() if line.startswith("window ")]


def test_a_run_with_them_knows_the_catalogue_and_goes_planned(
    new_namespace: Callable[[], Namespace], options: Options, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    theirs, ours = new_namespace(), new_namespace()
    servers, files = catalogue_and_model(theirs, options, tmp_path), Files.up(theirs, options)
    files.put("catalogue.csv", catalogue("theirs"))
    files.put("log.csv", shop_log(REQUESTS, items=ITEMS))
    ours.apply(*(ours.secret(f"{part}-login", **login) for part, login in servers.logins.items()))
    experiment = Experiment.applied(ours, wanted("reader", files, servers, suspend=True))
    experiment.wait("the catalogue loaded", lambda _: loaded(experiment), 300)
    # Who reads the file from here on, and not the servers, is found out.
    files.put("catalogue.csv", catalogue("nobody"))
    ours.kubectl("delete", "pods", "--selector", "app.kubernetes.io/component=planner")
    experiment.patch(suspend=False)
    status = experiment.wait_for("Succeeded", seconds=300)
    assert {arm["requests"] for arm in status["arms"].values()} == {str(REQUESTS)}
    assert int(status["arms"]["aura"]["plansApplied"]) > 0

    found = plans(experiment)
    record_property("windows", len(found))
    assert len(found) >= REQUESTS // TRIGGER - 1
    assert [line for line in found if not re.match(r"window \d+, aura: planned by ollama/tiny in ", line)] == []
    asked = theirs.kubectl("logs", "deployment/model", "--container", "front")
    assert len(re.findall(r"(bread|milk|cheese|apples|soap) of theirs \d+", asked)) > 10
    assert "of nobody" not in asked
    calls = theirs.kubectl("logs", "deployment/milvus", "--container", "front").splitlines()
    assert {"passed on Insert", "passed on Search"} <= set(calls)
    assert [call for call in calls if call.startswith("refused")] == []


@pytest.mark.parametrize("part", ["mongodb", "milvus"])
def test_a_wrong_password_is_a_trouble_that_says_so(
    new_namespace: Callable[[], Namespace], options: Options, tmp_path: Path, part: str
) -> None:
    theirs, ours = new_namespace(), new_namespace()
    servers, files = catalogue_and_model(theirs, options, tmp_path), Files.up(theirs, options)
    files.put("catalogue.csv", catalogue("theirs"))
    wrong = {**servers.logins, part: {**servers.logins[part], "password": "another"}}
    ours.apply(*(ours.secret(f"{name}-login", **login) for name, login in wrong.items()))
    experiment = Experiment.applied(ours, wanted("stranger", files, servers, suspend=True))
    sentence = (
        f"correct AURA_{part.upper()}_USERNAME and AURA_{part.upper()}_PASSWORD, in Kubernetes the Secret's username and password"
    )
    experiment.wait_for_trouble("PartFailing", "loader ended", sentence, seconds=300)
    ours.apply(ours.secret(f"{part}-login", **servers.logins[part]))
    experiment.wait("the catalogue loaded", lambda _: loaded(experiment), 300)
