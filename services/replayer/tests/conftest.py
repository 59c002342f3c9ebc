"""Real servers for the replayer's tests."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from aura_cli.embedded import Household
from aura_cli.embedded.kafka import start_broker
from aura_cli.embedded.redis import start_redis
from aura_contract.cache import TtlSpec
from aura_replayer.arm.event_arm import EventArm


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    with Household(tmp_path_factory.mktemp("logs")) as house:
        yield house


@pytest.fixture(scope="session")
def new_redis(house: Household) -> Callable[[], str]:
    """A fresh Redis server on each call; returns its url."""
    numbers = count()
    return lambda: start_redis(house, f"t{next(numbers)}").url


@pytest.fixture(scope="session")
def kafka(house: Household) -> str:
    return start_broker(house).address


@pytest.fixture
def arm(new_redis: Callable[[], str]) -> Iterator[EventArm]:
    arm = EventArm("aura", new_redis(), TtlSpec(long=100, medium=50, short=10))
    yield arm
    arm.close()


@pytest.fixture
def log_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a CSV log and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "log.csv"
        path.write_text(text)
        return path

    return write
