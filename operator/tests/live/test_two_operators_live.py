"""Two operators of different versions that look at the same experiments: in one peering, one of them acts."""

import time
from pathlib import Path

import pytest
import yaml
from live_cluster import ROOT, Kubectl, Operator, eventually, experiment, listening

pytestmark = pytest.mark.cluster

STEADY_SECONDS = 8.0


def started(kubectl: Kubectl, folder: Path, version: str, priority: int) -> Operator:
    folder = folder / version
    folder.mkdir()
    settings = {"images": {"planner": f"aura/planner:{version}"}}
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    flags = ("--settings", str(folder / "settings.yaml"), "--namespace", kubectl.namespace)
    return Operator(kubectl.kubeconfig, folder, *flags, "--peering", "aura", "--priority", str(priority))


def image(kubectl: Kubectl) -> str:
    found = kubectl.find("deployment/ax-planner")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"]) if found else ""


def test_one_acts_and_the_other_takes_over_when_it_ends(kubectl: Kubectl, operator: Operator, tmp_path: Path) -> None:
    kubectl("apply", "--server-side", "-f", str(ROOT / "charts/aura/crds/peering.yaml"))
    kubectl("wait", "--for=condition=Established", "crd/kopfpeerings.kopf.dev", "--timeout=30s")
    kubectl("apply", "-f", "-", stdin={"apiVersion": "kopf.dev/v1", "kind": "KopfPeering", "metadata": {"name": "aura"}})
    # It would be a third one.
    assert operator.stop() == 0
    old = started(kubectl, tmp_path, "1.0.0", 1)
    new = started(kubectl, tmp_path, "2.0.0", 2)
    try:
        with listening() as server:
            time.sleep(2)
            kubectl("apply", "-f", "-", stdin=experiment("ax", server=server))
            eventually("the planners", lambda: image(kubectl), 30)
            time.sleep(STEADY_SECONDS)
            assert image(kubectl) == "aura/planner:2.0.0"
            assert (kubectl.find("deployment/ax-planner") or {})["metadata"]["generation"] == 1
            assert new.stop() == 0
            eventually("the other version", lambda: image(kubectl) == "aura/planner:1.0.0", 60)
            kubectl("delete", "ax/ax", "--timeout=30s")
    finally:
        for one in (old, new):
            if one.process.poll() is None:
                one.stop()
        operator.start()
