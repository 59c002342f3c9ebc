"""The restricted Pod Security Standard, as far as a manifest shows it: what admission would refuse, and why."""

from collections.abc import Iterator
from typing import Any

__all__ = ["pod_spec", "violations"]

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SECCOMP = {"RuntimeDefault", "Localhost"}
APPARMOR = {"RuntimeDefault", "Localhost"}
SELINUX_TYPES = {"container_t", "container_init_t", "container_kvm_t", "container_engine_t", ""}
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
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
}


def pod_spec(manifest: dict[str, Any]) -> dict[str, Any] | None:
    """The spec of the pods that an object makes; None for an object without pods."""
    spec = manifest.get("spec") or {}
    kind = manifest.get("kind")
    if kind == "Pod":
        return dict(spec)
    if kind == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    return spec["template"]["spec"] if isinstance(spec.get("template"), dict) and "spec" in spec["template"] else None


def violations(manifest: dict[str, Any]) -> list[str]:
    """One line for each rule that the object's pods break; empty for an object without pods."""
    spec = pod_spec(manifest)
    return [] if spec is None else [*_pod(spec), *_containers(spec)]


def _pod(spec: dict[str, Any]) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{field} must not be set"
    for volume in spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= VOLUMES:
            yield f"volume {volume['name']}: {', '.join(sorted(kinds - VOLUMES))} is not allowed"
    context = spec.get("securityContext", {})
    yield from _context("pod", context)
    for sysctl in context.get("sysctls", []):
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']} is not allowed"


def _containers(spec: dict[str, Any]) -> Iterator[str]:
    pod = spec.get("securityContext", {})
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind, []):
            name, context = container["name"], container.get("securityContext", {})
            yield from _context(name, context)
            yield from _container(name, context, pod)
            if any("hostPort" in port for port in container.get("ports", [])):
                yield f"{name}: hostPort is not allowed"


def _container(name: str, context: dict[str, Any], pod: dict[str, Any]) -> Iterator[str]:
    if context.get("privileged"):
        yield f"{name}: privileged must not be true"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation must be false"
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield f"{name}: capabilities.drop must have ALL"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"{name}: capabilities.add may have NET_BIND_SERVICE only"
    if context.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield f"{name}: runAsNonRoot must be true"
    if context.get("seccompProfile", pod.get("seccompProfile", {})).get("type") not in SECCOMP:
        yield f"{name}: seccompProfile.type must be RuntimeDefault or Localhost"
    if context.get("procMount", "Default") != "Default":
        yield f"{name}: procMount must be Default"


def _context(name: str, context: dict[str, Any]) -> Iterator[str]:
    if context.get("runAsUser") == 0:
        yield f"{name}: runAsUser must not be 0"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield f"{name}: hostProcess must not be true"
    if context.get("appArmorProfile", {"type": "RuntimeDefault"}).get("type") not in APPARMOR:
        yield f"{name}: appArmorProfile.type must be RuntimeDefault or Localhost"
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type", "") not in SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield f"{name}: seLinuxOptions may set a container type only"
