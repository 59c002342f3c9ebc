"""Fixtures for tests that start real servers."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aura_cli.embedded import Household

# Test folders are no packages, so what two test modules share has to be put on the path.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Household]:
    with Household(tmp_path / "logs") as household:
        yield household
