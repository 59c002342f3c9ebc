"""Fixtures: experiments to build from, and golden files to compare with."""

import difflib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

# At its end, so that no other folder's conftest is hidden by the one here.
sys.path.append(str(Path(__file__).parent))

from aura_operator.blueprint import Manifest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, list[Manifest]], None]:
    """Compares objects with golden/NAME.yaml, or writes the file with --update-golden."""

    def compare(name: str, objects: list[Manifest]) -> None:
        path = GOLDEN / f"{name}.yaml"
        text = yaml.dump_all(objects, Dumper=Plain, sort_keys=False, width=120)
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        expected = path.read_text(encoding="utf-8") if path.exists() else ""
        if text != expected:
            lines = difflib.unified_diff(expected.splitlines(), text.splitlines(), str(path), "built now", lineterm="")
            pytest.fail("\n".join([*lines, "pytest --update-golden writes it again"]), pytrace=False)

    return compare


class Plain(yaml.SafeDumper):
    """YAML as people write it: no anchors, texts of several lines as blocks."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


Plain.add_representer(str, _text)
