"""The cluster, the images and the chart: made once before the first test, taken away after the last."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cluster import Cluster, Refused, run

__all__ = [
    "OUT",
    "OWN",
    "RESTRICTED",
    "ROOT",
    "SYSTEM",
    "Options",
    "fetch",
    "images",
    "install",
    "remove",
    "roll_back",
    "upgrade",
]

HERE = Path(__file__).parent
ROOT = HERE.parent
OUT = HERE / "out"
SYSTEM = "aura-system"
OWN = ("operator", "replayer", "planner", "executor")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}


@dataclass(frozen=True)
class Options:
    """What the environment says: E2E_CLUSTER, E2E_KEEP, E2E_REUSE, KIND_NODE_IMAGE, IMAGE_PREFIX and IMAGE_TAG."""

    cluster: str
    keep: bool
    reuse: bool
    node_image: str
    prefix: str
    tag: str

    @classmethod
    def read(cls) -> "Options":
        """From the environment; make sets the last two."""
        value = os.environ.get
        keep, reuse = value("E2E_KEEP", "") not in ("", "0"), value("E2E_REUSE", "") not in ("", "0")
        node, prefix, tag = value("KIND_NODE_IMAGE", ""), value("IMAGE_PREFIX", "aura"), value("IMAGE_TAG", "0.1.0")
        return cls(value("E2E_CLUSTER", "aura-e2e"), keep, reuse, node, prefix, tag)

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig of its own, so that nobody's current context changes."""
        return OUT / f"{self.cluster}.kubeconfig"


def images(options: Options) -> dict[str, str]:
    """Image of every part: the four that make builds, and the chart's for the others."""
    named: dict[str, str] = yaml.safe_load((ROOT / "charts/aura/values.yaml").read_text(encoding="utf-8"))["images"]
    return {part: f"{options.prefix}/{part}:{options.tag}" if part in OWN else image for part, image in named.items()}


def install(options: Options, say: Callable[[str], None]) -> None:
    """Make the cluster unless it is reused, load what its pods name, and install the chart."""
    OUT.mkdir(exist_ok=True)
    steps: tuple[tuple[str, Callable[[Options], object]], ...] = (
        ("cluster", _create), ("images", _load), ("chart", upgrade),
    )  # fmt: skip
    for name, step in steps:
        started = time.monotonic()
        step(options)
        say(f"{name}: {time.monotonic() - started:.0f} s")


def remove(options: Options) -> None:
    """Delete the cluster unless it is to be kept."""
    if not options.keep and not options.reuse:
        run("kind", "delete", "cluster", "--name", options.cluster, "--kubeconfig", str(options.kubeconfig))


def _create(options: Options) -> None:
    there = options.cluster in run("kind", "get", "clusters").split()
    if there and not options.reuse:
        raise Refused(
            f"cluster {options.cluster} exists; set E2E_REUSE=1, E2E_CLUSTER, or: kind delete cluster --name {options.cluster}"
        )
    if there:
        run("kind", "export", "kubeconfig", "--name", options.cluster, "--kubeconfig", str(options.kubeconfig))
        return
    image = ("--image", options.node_image) if options.node_image else ()
    command = ("kind", "create", "cluster", "--name", options.cluster, "--kubeconfig", str(options.kubeconfig), "--wait", "180s")
    run(*command, *image, seconds=600)


def _load(options: Options) -> None:
    named = images(options)
    for part, image in named.items():
        if part in OWN and not _is_local(image):
            raise Refused(f"image {image} is not built; run make images")
    fetch(*named.values())
    # A node that is reused has most of them already.
    path = OUT / f"{options.cluster}.images.json"
    there: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if options.reuse and path.exists() else {}
    ids = {image: run("docker", "image", "inspect", "--format={{.Id}}", image).strip() for image in named.values()}
    new = [image for image, number in ids.items() if there.get(image) != number]
    if new:
        run("kind", "load", "docker-image", *new, "--name", options.cluster, seconds=1200)
    path.write_text(json.dumps(ids), encoding="utf-8")


def fetch(*images: str) -> None:
    """Pull what is not there."""
    for image in images:
        if not _is_local(image):
            run("docker", "pull", "--quiet", image, seconds=1200)


def _is_local(image: str) -> bool:
    return subprocess.run(("docker", "image", "inspect", image), capture_output=True, check=False).returncode == 0


def upgrade(options: Options, metrics: Mapping[str, Any] | None = None, **settings: Any) -> None:
    """Install or upgrade the chart, with further `settings` of the operator and other `metrics` than its own; returns when the
    operator is ready.
    """
    cluster = Cluster(options.kubeconfig)
    cluster.namespace(SYSTEM).create(RESTRICTED)
    named = images(options)
    # Another image under the same tag is another operator.
    number = run("docker", "image", "inspect", "--format={{.Id}}", named["operator"]).strip()
    values = {
        "images": named,
        "settings": settings,
        "operator": {"podAnnotations": {"e2e/image": number}},
        "metrics": dict(metrics or {}),
    }
    arguments = ["upgrade", "--install", "aura", str(ROOT / "charts/aura"), "--namespace", SYSTEM, "--wait", "--timeout", "5m"]
    cluster.helm(*arguments, "--values", str(HERE / "values.yaml"), "--values", "-", stdin=json.dumps(values))


def roll_back(options: Options) -> None:
    """Undo the last upgrade; returns when the operator is ready."""
    Cluster(options.kubeconfig).helm("rollback", "aura", "--namespace", SYSTEM, "--wait", "--timeout", "5m")
