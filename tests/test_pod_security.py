"""The check itself: each rule of the restricted profile, broken one at a time."""

import copy
import functools
from typing import Any

import pytest
from pod_security import violations

CONTAINER: dict[str, Any] = {
    "name": "main",
    "image": "aura/operator:0.1.0",
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}
POD: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [CONTAINER],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
}

BROKEN = [
    ("hostNetwork", True, "hostNetwork is on"),
    ("hostPID", True, "hostPID is on"),
    ("volumes.0", {"name": "disk", "hostPath": {"path": "/"}}, "volume disk is a hostPath"),
    ("securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}], "sysctl kernel.msgmax"),
    ("securityContext.runAsNonRoot", False, "pod sets runAsNonRoot to false"),
    ("securityContext.runAsUser", 0, "pod runs as user 0"),
    ("securityContext.seccompProfile", {"type": "Unconfined"}, "pod has seccompProfile Unconfined"),
    ("securityContext.seccompProfile", {}, "container main has no seccompProfile RuntimeDefault"),
    ("securityContext.seLinuxOptions", {"type": "spc_t"}, "pod has seLinuxOptions that are not allowed"),
    ("securityContext.windowsOptions", {"hostProcess": True}, "pod is a Windows host process"),
    ("containers.0.securityContext", {}, "container main does not refuse allowPrivilegeEscalation"),
    ("containers.0.securityContext.capabilities", {}, "container main does not drop ALL capabilities"),
    ("containers.0.securityContext.capabilities.add", ["SYS_ADMIN"], "container main adds SYS_ADMIN"),
    ("containers.0.securityContext.privileged", True, "container main is privileged"),
    ("containers.0.securityContext.runAsUser", 0, "container main runs as user 0"),
    ("containers.0.securityContext.runAsNonRoot", False, "container main may run as root: runAsNonRoot is not true"),
    ("containers.0.securityContext.procMount", "Unmasked", "container main has procMount Unmasked"),
    ("containers.0.securityContext.appArmorProfile", {"type": "Unconfined"}, "container main has appArmorProfile Unconfined"),
    ("containers.0.ports", [{"containerPort": 80, "hostPort": 80}], "container main takes hostPort 80"),
    ("containers.0.livenessProbe", {"httpGet": {"host": "10.0.0.1", "port": 80}}, "container main probes host 10.0.0.1"),
    ("initContainers", [{"name": "first"}], "container first does not refuse allowPrivilegeEscalation"),
]


def deployment(spec):
    return {"kind": "Deployment", "metadata": {"name": "aura"}, "spec": {"template": {"spec": spec}}}


def test_restricted_pod_passes():
    assert violations(deployment(POD)) == []
    assert violations({"kind": "Pod", "metadata": {"name": "aura"}, "spec": POD}) == []
    cron = {"jobTemplate": {"spec": {"template": {"spec": POD}}}}
    assert violations({"kind": "CronJob", "metadata": {"name": "aura"}, "spec": cron}) == []
    assert violations({"kind": "Service", "metadata": {"name": "aura"}, "spec": {"ports": []}}) == []


@pytest.mark.parametrize(("path", "value", "message"), BROKEN, ids=[message for _, _, message in BROKEN])
def test_broken_rule_is_named(path, value, message):
    spec = copy.deepcopy(POD)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    functools.reduce(lambda node, key: node[key], parents, spec)[last] = value
    assert f"Deployment aura: {message}" in violations(deployment(spec))
