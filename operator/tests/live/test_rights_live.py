"""What a real API server lets the service accounts do, beside the same golden file as the manifests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm
import pytest
import yaml
from live_cluster import Kubectl, Refused
from rights import EVERYWHERE, Rights, granted, table

pytestmark = pytest.mark.cluster

GOLDEN = Path(__file__).parents[1] / "golden" / "rights.yaml"
NAMESPACE = "aura-system"
KINDS = {"ServiceAccount", "ClusterRole", "ClusterRoleBinding"}
ACCOUNT = {
    "apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": False,
    "metadata": {"name": "grocer-pods", "namespace": NAMESPACE},
}  # fmt: skip


@pytest.fixture(scope="module")
def installed(kubeconfig: Path) -> Iterator[Kubectl]:
    """The chart's service account with its rights, and one as experiments' pods have it."""
    tool = helm.required()
    kubectl = Kubectl(kubeconfig, NAMESPACE)
    kubectl("create", "namespace", NAMESPACE)
    objects = [ACCOUNT, *(item for item in helm.template(tool) if item["kind"] in KINDS)]
    for item in objects:
        kubectl("apply", "-f", "-", stdin=item)
    yield kubectl
    for item in objects[1:]:
        kubectl("delete", item["kind"], item["metadata"]["name"], "--ignore-not-found")
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def allowed(kubectl: Kubectl, account: str, namespace: str) -> Rights:
    """What `kubectl auth can-i --list` asks the API server for."""
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    user = f"--as=system:serviceaccount:{NAMESPACE}:{account}"
    groups = [f"--as-group=system:{group}" for group in ("serviceaccounts", f"serviceaccounts:{NAMESPACE}", "authenticated")]
    status: dict[str, Any] = json.loads(
        kubectl("create", "--validate=false", "-f", "-", "-o", "json", user, *groups, stdin=review)
    )["status"]
    assert not status["incomplete"]
    return granted(status["resourceRules"], EVERYWHERE)


def test_operator_may_do_what_the_golden_file_says_and_no_more(installed: Kubectl) -> None:
    everybody = allowed(installed, "nobody-known", "default")
    found = allowed(installed, "aura-operator", "default")
    wanted = yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))["chart, scope cluster"]["aura-system/aura-operator"]["rights"]
    assert table(found - everybody) == wanted
    listed = installed("auth", "can-i", "--list", f"--as=system:serviceaccount:{NAMESPACE}:aura-operator")
    assert "secrets" in listed


def test_pods_of_experiments_may_do_what_everybody_may(installed: Kubectl) -> None:
    everybody = allowed(installed, "nobody-known", "default")
    assert allowed(installed, "grocer-pods", NAMESPACE) == everybody
    for verb, resource in (("get", "secrets"), ("list", "pods"), ("create", "jobs.batch")):
        with pytest.raises(Refused):
            installed("auth", "can-i", verb, resource, f"--as=system:serviceaccount:{NAMESPACE}:grocer-pods")
