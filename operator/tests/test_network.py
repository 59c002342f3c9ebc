"""Who may connect to whom, as a network that enforces the policies would have it, beside a file that a reviewer reads.

`pytest --update-golden` writes that file again.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm
import pytest
import yaml
from pod_security import pod_specs
from policies import Pod, allowed

sys.path.append(str(Path(__file__).parent / "builders"))

from sample_blueprints import BLUEPRINTS, PLACED_EMBEDDED

from aura_operator.blueprint import Blueprint
from aura_operator.builders import endpoints, stages
from aura_operator.builders.door import PORT as DOOR_PORT
from aura_operator.builders.endpoints import CLIENTS, HTTP_PORT
from aura_operator.naming import COMPONENT

GOLDEN = Path(__file__).parent / "golden" / "network.yaml"
INTERNET = Pod(address="203.0.113.7")
STRANGER = Pod({"app": "stranger"}, "shop")
ELSEWHERE = Pod({"app": "stranger"}, "elsewhere")
EXPERIMENTS = {**BLUEPRINTS, "placed": PLACED_EMBEDDED}
ADDRESS = re.compile(r"grocer-([a-z0-9$()_A-Z-]+)\.shop\.svc:([0-9]+)")
OPEN = {HTTP_PORT, DOOR_PORT}
"""Progress and metrics, and the door, which asks for a password: everybody may connect to them."""

Found = list[dict[str, Any]]


def objects(blueprint: Blueprint) -> Found:
    return [*stages.servers(blueprint), *stages.loading(blueprint), *stages.workers(blueprint)]


def pods(found: Found) -> dict[str, Pod]:
    """The pods of all workloads, by component."""
    made = {}
    for item in found:
        for spec in pod_specs(item):
            template = item["spec"].get("template", item)
            ports = {port["name"]: port["containerPort"] for one in spec["containers"] for port in one.get("ports", [])}
            labels = template["metadata"]["labels"]
            made[labels[COMPONENT]] = Pod(labels, item["metadata"]["namespace"], ports)
    return made


def matrix(found: Found) -> dict[str, Any]:
    """Who may connect to each port, and to the internet."""
    named = pods(found)
    everybody = {**named, "a stranger in the namespace": STRANGER, "a stranger elsewhere": ELSEWHERE, "the internet": INTERNET}
    rows: dict[str, Any] = {}
    for name, target in named.items():
        for port_name, port in target.ports.items():
            who = [other for other, pod in everybody.items() if other != name and allowed(found, pod, target, port)]
            rows[f"{name}:{port_name}"] = "everybody" if len(who) == len(everybody) - 1 else who
        shut = [
            port for port in (22, 8081) if any(allowed(found, pod, target, port) for pod in everybody.values() if pod != target)
        ]
        assert shut == [], (name, shut)
    rows["the internet"] = [name for name, pod in named.items() if allowed(found, pod, INTERNET, 443)]
    return rows


@pytest.fixture(scope="module")
def chart() -> Found:
    tool = helm.required()
    return helm.template(tool, {"shared": {part: {"enabled": True} for part in ("kafka", "mongodb", "milvus", "ollama")}})


def test_who_may_connect_is_as_in_the_golden_file(chart: Found, request: pytest.FixtureRequest) -> None:
    found = {f"experiment, {name}": matrix(objects(blueprint)) for name, blueprint in EXPERIMENTS.items()}
    # The chart's test is a hook, and its pod is gone when it has ended.
    found["chart with all shared servers"] = matrix([item for item in chart if item["kind"] != "Pod"])
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(yaml.safe_dump(found, sort_keys=False, width=120), encoding="utf-8")
    assert found == yaml.safe_load(GOLDEN.read_text(encoding="utf-8")), (
        "read what changed; pytest --update-golden writes it again"
    )


def used(blueprint: Blueprint) -> set[tuple[str, str, int]]:
    """Connections of a run, from what its pods are told: component, component of the server, port."""
    made = objects(blueprint)
    (config,) = (item for item in made if item["kind"] == "ConfigMap")
    found = set()
    for item in made:
        for spec in pod_specs(item):
            component = item["metadata"]["labels"][COMPONENT]
            service = component.partition("-")[0]
            if service not in CLIENTS:
                continue
            # All services but the executor read the manifest, and each talks to its own parts.
            text = json.dumps(spec) + (config["data"]["experiment.yaml"] if service != "executor" else "")
            for server, port in ADDRESS.findall(text):
                if server.partition("-")[0] in CLIENTS[service]:
                    found |= {(component, name, int(port)) for name in _shards(server, blueprint)}
    return found


def _shards(server: str, blueprint: Blueprint) -> Iterator[str]:
    for shard in blueprint.shards:
        yield server.replace("$(AURA_SHARD)", str(shard))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_connection_of_a_run_is_let_through_and_no_other(name: str) -> None:
    blueprint = EXPERIMENTS[name]
    found = objects(blueprint)
    named = pods(found)
    connections = used(blueprint)
    assert connections or name == "external"
    assert [one for one in connections if not allowed(found, named[one[0]], named[one[1]], one[2])] == []
    for source in named:
        for target in named:
            for port in set(named[target].ports.values()) - OPEN:
                let = source != target and allowed(found, named[source], named[target], port)
                assert let == ((source, target, port) in connections), (source, target, port)
    for server in named.keys() - {endpoints.OLLAMA}:
        for port in set(named[server].ports.values()) - OPEN:
            assert not any(allowed(found, pod, named[server], port) for pod in (STRANGER, ELSEWHERE, INTERNET)), server


def test_name_servers_are_reached_by_all_who_look_up_names() -> None:
    for blueprint in EXPERIMENTS.values():
        found = objects(blueprint)
        dns = Pod({"k8s-app": "kube-dns"}, "kube-system")
        for name, pod in pods(found).items():
            if name.partition("-")[0] in CLIENTS:
                assert allowed(found, pod, dns, 53, "UDP"), name
                assert allowed(found, pod, dns, 53), name
