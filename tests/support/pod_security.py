"""The restricted Pod Security Standard as a check of manifests: what admission would refuse, without an API server."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["pod_specs", "violations"]

Manifest = Mapping[str, Any]

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
PROBES = ("liveness", "readiness", "startup")
SECCOMP = {"RuntimeDefault", "Localhost"}
SELINUX = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}


def pod_specs(manifest: Manifest) -> Iterator[Manifest]:
    """The pod spec of a Pod or of a kind with a pod template; nothing for other kinds."""
    spec = manifest.get("spec", {})
    if manifest["kind"] == "Pod":
        yield spec
    elif manifest["kind"] == "CronJob":
        yield spec["jobTemplate"]["spec"]["template"]["spec"]
    elif "template" in spec:
        yield spec["template"]["spec"]


def violations(manifest: Manifest) -> list[str]:
    """What the restricted profile refuses in a manifest, one line each; empty when its pods are admitted."""
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    return [f"{name}: {line}" for spec in pod_specs(manifest) for line in _pod(spec)]


def _pod(spec: Manifest) -> Iterator[str]:
    context = spec.get("securityContext", {})
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{field} is on"
    for volume in spec.get("volumes", []):
        for kind in volume.keys() - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is a {kind}"
    for sysctl in context.get("sysctls", []):
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']}"
    yield from _identity("pod", context)
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field, []):
            yield from _container(container, context)


def _container(container: Manifest, pod: Manifest) -> Iterator[str]:
    name, context = f"container {container['name']}", container.get("securityContext", {})
    yield from _identity(name, context)
    yield from _privileges(name, context)
    if context.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield f"{name} may run as root: runAsNonRoot is not true"
    if context.get("seccompProfile", pod.get("seccompProfile", {})).get("type") not in SECCOMP:
        yield f"{name} has no seccompProfile RuntimeDefault"
    for port in container.get("ports", []):
        if port.get("hostPort"):
            yield f"{name} takes hostPort {port['hostPort']}"
    for action in _actions(container):
        if action.get("host"):
            yield f"{name} probes host {action['host']}"


def _privileges(name: str, context: Manifest) -> Iterator[str]:
    if context.get("privileged"):
        yield f"{name} is privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{name} does not refuse allowPrivilegeEscalation"
    if "ALL" not in context.get("capabilities", {}).get("drop", []):
        yield f"{name} does not drop ALL capabilities"
    for capability in context.get("capabilities", {}).get("add", []):
        if capability != "NET_BIND_SERVICE":
            yield f"{name} adds {capability}"
    if context.get("procMount", "Default") != "Default":
        yield f"{name} has procMount {context['procMount']}"


def _actions(container: Manifest) -> Iterator[Manifest]:
    """The network actions of probes and life cycle hooks."""
    handlers = [*container.get("lifecycle", {}).values(), *(container.get(f"{probe}Probe", {}) for probe in PROBES)]
    return (handler[kind] for handler in handlers for kind in ("httpGet", "tcpSocket") if kind in handler)


def _identity(who: str, context: Manifest) -> Iterator[str]:
    """Rules that hold for a pod's and a container's security context alike."""
    if context.get("runAsUser") == 0:
        yield f"{who} runs as user 0"
    if context.get("runAsNonRoot") is False:
        yield f"{who} sets runAsNonRoot to false"
    if context.get("seccompProfile", {}).get("type", "RuntimeDefault") not in SECCOMP:
        yield f"{who} has seccompProfile {context['seccompProfile']['type']}"
    if context.get("appArmorProfile", {}).get("type", "RuntimeDefault") == "Unconfined":
        yield f"{who} has appArmorProfile Unconfined"
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type") not in SELINUX or selinux.get("user") or selinux.get("role"):
        yield f"{who} has seLinuxOptions that are not allowed"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield f"{who} is a Windows host process"
