"""The chart's rules and dashboard, and the queries in them."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import yaml
from helm import CHART, ROOT

__all__ = ["DASHBOARD", "FOLDER", "alerts", "dashboard_queries", "find_promtool", "metric_names", "recordings"]

FOLDER = CHART / "files/monitoring"
DASHBOARD = FOLDER / "dashboard.json"

QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
NAME = re.compile(r"(?<![\w:])(?:up\b|[a-z_]*:[\w:]+|aura_\w+)")


def find_promtool() -> str | None:
    """Path of promtool: PROMTOOL, the one that the Makefile builds, or one on PATH."""
    return os.environ.get("PROMTOOL") or shutil.which("promtool", path=f"{ROOT / 'tools/bin'}{os.pathsep}{os.environ['PATH']}")


def _rules(file: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def recordings() -> dict[str, str]:
    """Expression of each recording rule by its name."""
    return {rule["record"]: rule["expr"] for rule in _rules(FOLDER / "rules.yaml")}


def alerts() -> dict[str, dict[str, Any]]:
    """Each alert by its name."""
    return {rule["alert"]: rule for rule in _rules(FOLDER / "alerts.yaml")}


def dashboard_queries(namespace: str = "shop", experiment: str = "quick") -> dict[str, str]:
    """Every query of the dashboard for one experiment, by panel and legend."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    found: dict[str, str] = {}
    for panel in panels:
        for target in panel.get("targets", []):
            query = target["expr"].replace("$namespace", namespace).replace("$experiment", experiment)
            found[f"{panel['title']} ({target['legendFormat']})"] = query
    return found


def metric_names(query: str) -> set[str]:
    """Names of the metrics and recording rules that a query asks for."""
    # Labels of a matcher stand before an operator, and what is in quotes is no name.
    bare = re.sub(r"\{[^}]*\}", "", QUOTED.sub('""', query))
    return set(NAME.findall(bare))
