"""The evaluator itself, by what Kubernetes' documentation says of NetworkPolicies."""

from typing import Any

import pytest
from policies import Pod, allowed

WEB = Pod({"app": "web"}, "shop", {"http": 8080}, {"team": "a"})
DB = Pod({"app": "db"}, "shop", {"sql": 5432}, {"team": "a"})
OTHER = Pod({"app": "web"}, "other", {}, {"team": "b"})
INTERNET = Pod(address="203.0.113.7")


def policy(app: str, **spec: Any) -> dict[str, Any]:
    return {
        "kind": "NetworkPolicy",
        "metadata": {"name": app, "namespace": "shop"},
        "spec": {"podSelector": {"matchLabels": {"app": app}}, **spec},
    }


def test_without_a_policy_everything_is_let_through() -> None:
    assert allowed([], WEB, DB, 5432)
    assert allowed([policy("web", policyTypes=["Ingress"])], WEB, DB, 5432)


def test_a_policy_without_rules_lets_nothing_through() -> None:
    shut = policy("db", policyTypes=["Ingress", "Egress"])
    assert not allowed([shut], WEB, DB, 5432)
    assert not allowed([shut], DB, INTERNET, 443)
    assert allowed([policy("db")], DB, INTERNET, 443)
    assert not allowed([policy("db")], INTERNET, DB, 5432)


@pytest.mark.parametrize(
    ("peer", "who"),
    [
        ({"podSelector": {"matchLabels": {"app": "web"}}}, [WEB]),
        ({"podSelector": {}}, [WEB]),
        ({"namespaceSelector": {}}, [WEB, OTHER]),
        ({"namespaceSelector": {"matchLabels": {"team": "b"}}}, [OTHER]),
        ({"namespaceSelector": {"matchLabels": {"team": "b"}}, "podSelector": {"matchLabels": {"app": "db"}}}, []),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "x"]}]}}, [WEB]),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}, []),
        ({"ipBlock": {"cidr": "203.0.113.0/24"}}, [INTERNET]),
        ({"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.0/28"]}}, []),
    ],
)
def test_peers(peer: dict[str, Any], who: list[Pod]) -> None:
    rule = policy("db", ingress=[{"from": [peer]}])
    assert [pod for pod in (WEB, OTHER, INTERNET) if allowed([rule], pod, DB, 5432)] == who


@pytest.mark.parametrize(
    ("ports", "let"),
    [
        ([{"port": 5432}], True),
        ([{"port": "sql", "protocol": "TCP"}], True),
        ([{"port": "http"}], False),
        ([{"port": 5432, "protocol": "UDP"}], False),
        ([{"port": 5000, "endPort": 6000}], True),
        ([{"port": 5433}], False),
    ],
)
def test_ports(ports: list[dict[str, Any]], let: bool) -> None:
    assert allowed([policy("db", ingress=[{"ports": ports}])], WEB, DB, 5432) is let


def test_policies_add_up_and_both_ends_count() -> None:
    first = policy("db", ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}]}])
    second = policy("db", ingress=[{"ports": [{"port": 1}]}])
    assert allowed([first, second], OTHER, DB, 5432)
    assert allowed([first, second], WEB, DB, 1)
    assert not allowed([first, second], WEB, DB, 5432)
    out = policy("web", policyTypes=["Egress"], egress=[{"ports": [{"port": 53, "protocol": "UDP"}]}])
    assert not allowed([out], WEB, DB, 5432)
    assert allowed([out], WEB, INTERNET, 53, "UDP")
