"""`helm template` of the project's chart."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kube_schemas import KUBERNETES

__all__ = ["CHART", "ROOT", "Refused", "required", "template"]

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/aura"


class Refused(Exception):
    """Helm's message when it does not take the values."""


def required() -> str:
    """Path of helm, the one that the Makefile builds or one on PATH; skips the test where there is none."""
    found = shutil.which("helm", path=f"{ROOT / 'tools/bin'}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip("needs helm on PATH or in tools/bin; make tools/bin/helm builds it with Go")
    return found


def template(
    helm: str,
    values: Mapping[str, Any] | None = None,
    *,
    chart: Path = CHART,
    release: str = "aura",
    apis: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    """The chart's objects as release `release` in namespace aura-system; raises Refused."""
    command = [helm, "template", release, str(chart), "--namespace", "aura-system", "--values", "-"]
    command += ["--kube-version", f"{KUBERNETES}.0", *(f"--api-versions={api}" for api in apis)]
    done = subprocess.run(
        command, input=yaml.safe_dump(dict(values or {})), capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise Refused(done.stderr)
    return [item for item in yaml.safe_load_all(done.stdout) if item]
