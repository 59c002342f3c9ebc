"""What is shipped is locked with hashes, and its licences are listed and allow it."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
LISTED: dict[str, Any] = json.loads((ROOT / "requirements/licences.json").read_text(encoding="utf-8"))
LOCKS = ("audit", "build", "dev", "operator", "planner", "replayer")
IMAGES = ("operator", "planner", "replayer")
ELSEWHERE = {"async-timeout", "colorama", "httpx2-jsfetch", "tzdata", "win32-setctime"}
"""Pins that are not installed where the licences are read: for Windows, for browsers, and for Python before 3.11.3."""


def pins(lock: str) -> set[tuple[str, str]]:
    """Names and versions; one name may have several, for several versions of Python."""
    text = (ROOT / f"requirements/{lock}.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    text = (ROOT / f"requirements/{lock}.txt").read_text(encoding="utf-8")
    locked = [entry for entry in re.split(r"\n(?=[A-Za-z0-9])", text) if "==" in entry.splitlines()[0]]
    # The first entry follows the file's comment.
    assert len(locked) >= len(pins(lock)) - 1 > 0
    assert [entry.splitlines()[0] for entry in locked if "--hash=sha256:" not in entry] == []


def test_every_crate_has_a_checksum() -> None:
    packages = tomllib.loads((ROOT / "executor/Cargo.lock").read_text(encoding="utf-8"))["package"]
    assert [one["name"] for one in packages if "checksum" not in one] == ["aura-executor"]


def test_the_list_of_licences_is_of_what_is_locked() -> None:
    wanted = {(name, version, image) for image in IMAGES for name, version in pins(image)}
    listed = {(one["name"], one["version"], image) for one in LISTED["python"] for image in one["images"]}
    assert listed <= wanted, "run make audit"
    # Another version is for another Python.
    missing = {name for name, _, _ in wanted} - {name for name, _, _ in listed}
    assert missing <= ELSEWHERE, "run make audit"
    packages = tomllib.loads((ROOT / "executor/Cargo.lock").read_text(encoding="utf-8"))["package"]
    crates = {(one["name"], one["version"]) for one in LISTED["rust"]}
    assert crates <= {(one["name"], one["version"]) for one in packages}, "run make audit"
    direct = tomllib.loads((ROOT / "executor/Cargo.toml").read_text(encoding="utf-8"))["dependencies"]
    assert direct.keys() <= {name for name, _ in crates}, "run make audit"


def may_be_shipped(licence: str) -> bool:
    """Whether one of the licences to choose from is neither GPL nor AGPL; a list with AND needs all of its parts."""
    choices = re.split(r"\s+OR\s+|\s*/\s*", licence.strip("()"), flags=re.IGNORECASE)
    return any(not re.search(r"\b(A?GPL|GNU (Affero )?General Public)", choice, re.IGNORECASE) for choice in choices)


@pytest.mark.parametrize(
    ("licence", "may"),
    [
        ("MIT", True), ("GPL-3.0-only", False), ("AGPL-3.0", False), ("GNU General Public License v2 (GPLv2)", False),
        ("GNU Affero General Public License v3", False), ("MIT OR GPL-2.0", True), ("MIT AND GPL-2.0", False), ("LGPL-3.0", True),
    ],
)  # fmt: skip
def test_the_rule_itself(licence: str, may: bool) -> None:
    assert may_be_shipped(licence) is may


def packages(which: Callable[[str], bool]) -> list[str]:
    return [f"{one['name']}: {one['licence']}" for kind in LISTED.values() for one in kind if which(one["licence"])]


def test_nothing_under_gpl_or_agpl_is_shipped_and_every_licence_is_known() -> None:
    assert packages(lambda licence: not may_be_shipped(licence)) == []
    assert packages(lambda licence: licence in ("", "UNKNOWN", "None")) == []


def test_what_is_under_lgpl_is_named() -> None:
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    lesser = packages(lambda licence: bool(re.search("LGPL|Lesser", licence)))
    assert [one for one in lesser if f"`{one.partition(':')[0]}`" not in text] == []
    assert lesser or "none is under the LGPL" in text
