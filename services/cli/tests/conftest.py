"""Fixtures for tests that start real servers."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aura_cli.embedded import Household
from aura_cli.main import main

# Test folders are no packages, so what two test modules share has to be put on the path.
sys.path.insert(0, str(Path(__file__).parent))

from cli_helpers import Aura


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Household]:
    with Household(tmp_path / "logs") as household:
        yield household


@pytest.fixture
def aura(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Aura:
    """The command in this process; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["aura", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run
