"""Every right of every service account, beside a file that a reviewer reads: `pytest --update-golden` writes it again."""

import re
import sys
from pathlib import Path
from typing import Any

import helm
import pytest
import yaml
from rights import EVERYWHERE, Rights, granted, rights, table, tokens

sys.path.append(str(Path(__file__).parent / "builders"))

from sample_blueprints import BLUEPRINTS, PLACED_EMBEDDED, PLACED_EXTERNAL

from aura_operator.builders import stages
from aura_operator.placements.objects import objects as placed_objects
from aura_operator.placements.objects import place

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "operator/tests/golden/rights.yaml"
ALL_SHARED = {"shared": {part: {"enabled": True} for part in ("kafka", "mongodb", "milvus", "ollama")}}
CHARTS: dict[str, dict[str, Any]] = {
    "chart, scope cluster": {},
    "chart, scope cluster, two replicas": {"operator": {"replicas": 2}},
    "chart, scope namespaced in a and b": {"scope": "namespaced", "watchNamespaces": ["a", "b"]},
    "chart with all shared servers": ALL_SHARED,
}
DANGEROUS = {"*", "escalate", "bind", "impersonate", "approve", "sign"}
FORBIDDEN = re.compile(
    r"^(\*.*|.*\.rbac\.authorization\.k8s\.io|.*\.authentication\.k8s\.io|.*\.admissionregistration\.k8s\.io"
    r"|pods/(exec|attach|portforward|ephemeralcontainers)|serviceaccounts/token|nodes/proxy|.*\.certificates\.k8s\.io)$"
)
REASONS = {(EVERYWHERE, "secrets", verb) for verb in ("get", "list", "watch")}
"""Secrets of every namespace: allowed with scope cluster alone, for the reason that docs/security.md gives."""


def everything() -> dict[str, list[Any]]:
    """Objects of the chart, of experiments and of placements, by what they belong to."""
    tool = helm.required()
    found = {name: helm.template(tool, values) for name, values in CHARTS.items()}
    for name, blueprint in BLUEPRINTS.items():
        found[f"experiment, {name}"] = [
            *stages.servers(blueprint), *stages.loading(blueprint), *stages.workers(blueprint), *stages.keepsakes(blueprint)
        ]  # fmt: skip
    for name, home in {"embedded": PLACED_EMBEDDED, "external": PLACED_EXTERNAL}.items():
        placed = place(home, home.spec.planner.placements[0])
        assert placed is not None
        found[f"placement, {name}"] = placed_objects(placed, {})
    return found


@pytest.fixture(scope="module")
def audited() -> dict[str, list[Any]]:
    return everything()


def placement_role() -> Rights:
    """What docs/clusters.md has the user of another cluster be given."""
    text = (ROOT / "docs/clusters.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n( *apiVersion: rbac\.authorization\.k8s\.io/v1\n.*?)```", text, re.DOTALL)
    return granted(yaml.safe_load(block)["rules"], "its own namespace")


def test_rights_are_those_of_the_golden_file(audited: dict[str, list[Any]], request: pytest.FixtureRequest) -> None:
    found: dict[str, Any] = {}
    for name, objects in audited.items():
        mounted = tokens(objects)
        accounts = rights(objects)
        found[name] = {
            account: {"token in its pods": mounted.get(account, False), "rights": table(accounts[account])}
            for account in sorted(accounts)
        }
    found["user of another cluster, by docs/clusters.md"] = {"rights": table(placement_role())}
    if request.config.getoption("--update-golden"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(yaml.safe_dump(found, sort_keys=False, width=120), encoding="utf-8")
    assert found == yaml.safe_load(GOLDEN.read_text(encoding="utf-8")), (
        "read what changed; pytest --update-golden writes it again"
    )


def test_no_right_is_a_wildcard_or_makes_others(audited: dict[str, list[Any]]) -> None:
    checked = [placement_role(), *(found for objects in audited.values() for found in rights(objects).values())]
    assert any(checked)
    for found in checked:
        assert [right for right in found if right[2] in DANGEROUS or FORBIDDEN.match(right[1])] == []


def test_secrets_of_every_namespace_are_read_by_the_operator_of_the_whole_cluster_alone(audited: dict[str, list[Any]]) -> None:
    for name, objects in audited.items():
        for account, found in rights(objects).items():
            everywhere = {
                right
                for right in found
                if right[0] == EVERYWHERE and right[1] == "secrets" and right[2] in ("get", "list", "watch")
            }
            wanted = REASONS if account.endswith("-operator") and "namespaced" not in name else set()
            assert everywhere == wanted, (name, account)
    assert "Why the operator may list Secrets" in (ROOT / "docs/security.md").read_text(encoding="utf-8")


def test_pods_of_experiments_and_shared_servers_have_neither_rights_nor_a_token(audited: dict[str, list[Any]]) -> None:
    for name, objects in audited.items():
        mounted = tokens(objects)
        for account, found in rights(objects).items():
            if not account.endswith("-operator"):
                assert (found, mounted[account]) == (set(), False), (name, account)
    shared = tokens(audited["chart with all shared servers"])
    assert shared["aura-system/default"] is False


def test_namespaced_operator_may_do_nothing_elsewhere(audited: dict[str, list[Any]]) -> None:
    found = rights(audited["chart, scope namespaced in a and b"])["aura-system/aura-operator"]
    assert {where for where, _, _ in found} == {"a", "b"}
