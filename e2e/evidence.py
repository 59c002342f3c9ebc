"""What is kept of a failed test: resources, descriptions, events and logs, in a folder of its own."""

from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired

from cluster import OBJECTS, Namespace, Refused

__all__ = ["keep"]


def keep(namespace: Namespace, folder: Path) -> None:
    """Write everything about a namespace into a folder; what cannot be had is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    # Secrets are left out: CI shows these files to everybody.
    kinds = f"auraexperiments,{OBJECTS.replace('secrets,', '')},replicasets,resourcequotas"
    _write(folder / "resources.yaml", namespace, "get", kinds, "--output", "yaml")
    _write(folder / "describe.txt", namespace, "describe", kinds)
    _write(folder / "events.txt", namespace, "get", "events", "--sort-by=.lastTimestamp", "--output", "wide")
    with suppress(Refused, TimeoutExpired):
        for pod in namespace.items("pods"):
            name = pod["metadata"]["name"]
            _write(folder / f"{name}.log", namespace, "logs", name, "--all-containers", "--tail=5000")
            if any(one["restartCount"] for one in pod["status"].get("containerStatuses") or []):
                _write(folder / f"{name}.previous.log", namespace, "logs", name, "--all-containers", "--previous", "--tail=5000")


def _write(path: Path, namespace: Namespace, *arguments: str) -> None:
    try:
        text = namespace.kubectl(*arguments)
    except (Refused, TimeoutExpired) as error:
        text = f"{error}\n"
    path.write_text(text, encoding="utf-8")
