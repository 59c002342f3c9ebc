"""`planner.autoscale`: who scales, and that the number of planners is theirs."""

import time
from collections.abc import Iterator

import pytest
from live_cluster import Kubectl, Manifest, Operator, Refused, custom_kind, eventually, experiment, listening

pytestmark = pytest.mark.cluster

KINDS = (("ScaledObject", "scaledobjects"), ("TriggerAuthentication", "triggerauthentications"))
BETWEEN = {"minReplicas": 1, "maxReplicas": 4}


@pytest.fixture
def server() -> Iterator[str]:
    with listening() as address:
        yield address


def autoscaled(kubectl: Kubectl, server: str) -> Manifest:
    """An experiment with a HorizontalPodAutoscaler; its planners' Deployment."""
    kubectl("apply", "-f", "-", stdin=experiment("ax", server=server, planner={"backend": "heuristic", "autoscale": BETWEEN}))
    eventually("a HorizontalPodAutoscaler", lambda: kubectl.find("hpa/ax-planner"))
    return eventually("the planners", lambda: kubectl.find("deployment/ax-planner"))


def scaler(kubectl: Kubectl) -> object:
    return (kubectl.find("ax/ax") or {})["status"]["planners"].get("autoscaler")


def replicas(kubectl: Kubectl) -> int:
    return int((kubectl.find("deployment/ax-planner") or {})["spec"]["replicas"])


def test_a_number_that_an_autoscaler_sets_stays(kubectl: Kubectl, operator: Operator, server: str) -> None:
    autoscaled(kubectl, server)
    eventually("the status names it", lambda: scaler(kubectl) == "HorizontalPodAutoscaler")
    # The way an autoscaler does it.
    kubectl("scale", "deployment/ax-planner", "--replicas=3")
    eventually("the status follows", lambda: (kubectl.find("ax/ax") or {})["status"]["planners"]["replicas"] == 3)
    image = {"spec": {"template": {"spec": {"containers": [{"name": "planner", "image": "other"}]}}}}
    kubectl.patch("deployment/ax-planner", image, how="strategic")
    eventually("the image is back", lambda: "other" not in str(kubectl.find("deployment/ax-planner")))
    time.sleep(3)
    assert replicas(kubectl) == 3


def test_kubectl_scale_is_refused_with_autoscale_and_works_without(kubectl: Kubectl, server: str) -> None:
    autoscaled(kubectl, server)
    with pytest.raises(Refused, match="replicas is the autoscaler's while there is autoscale; change minReplicas or maxReplicas"):
        kubectl("scale", "ax/ax", "--replicas=3")
    kubectl.patch("ax/ax", {"spec": {"planner": {"autoscale": None}}})
    eventually("nobody scales", lambda: kubectl.find("hpa/ax-planner") is None)
    kubectl("scale", "ax/ax", "--replicas=2")
    eventually("two planners", lambda: replicas(kubectl) == 2)
    kubectl.patch("ax/ax", {"spec": {"planner": {"autoscale": BETWEEN}}})
    eventually("it scales again", lambda: scaler(kubectl) == "HorizontalPodAutoscaler")
    assert replicas(kubectl) == 2, "it goes on from there"


def test_bounds_that_are_upside_down_are_refused(kubectl: Kubectl) -> None:
    planner = {"backend": "heuristic", "autoscale": {"minReplicas": 3, "maxReplicas": 2}}
    with pytest.raises(Refused, match=r"autoscale\.minReplicas is greater than maxReplicas; lower the one or raise the other"):
        kubectl("apply", "-f", "-", stdin=experiment("ax", planner=planner))


def test_keda_that_comes_and_goes_is_seen(kubectl: Kubectl, server: str) -> None:
    autoscaled(kubectl, server)
    definitions = [custom_kind("keda.sh", "v1alpha1", kind, plural) for kind, plural in KINDS]
    for definition in definitions:
        kubectl("apply", "-f", "-", stdin=definition)
    try:
        eventually("KEDA scales", lambda: scaler(kubectl) == "KEDA", 90)
        assert kubectl.find("scaledobject/ax-planner")
        assert kubectl.find("hpa/ax-planner") is None
        kubectl("delete", "scaledobject/ax-planner")
        eventually("it is back", lambda: kubectl.find("scaledobject/ax-planner"), 10)
    finally:
        for definition in definitions:
            kubectl("delete", "crd", definition["metadata"]["name"])
    eventually("the other one scales again", lambda: scaler(kubectl) == "HorizontalPodAutoscaler", 90)
