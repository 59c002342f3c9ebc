"""Twenty thousand hostile messages through real servers (`make hostile` sends a million)."""

import pytest
from hostile_drive import Found, check, drive
from hostile_messages import HostileMessage, hostile_messages

MESSAGES = 20_000
REASONS = {"too_large", "not_json", "schema", "version", "duplicate", "expired", "foreign_run", "too_early"}
ACTION_REASONS = {"foreign_key", "bad_key", "repeated_key", "value_too_large", "over_cap"}
PEAK_MB = 150


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return drive(MESSAGES, 1, tmp_path_factory.mktemp("logs"))


def test_every_message_is_accounted_for_and_only_items_are_touched(found: Found) -> None:
    check(found, MESSAGES)


def test_the_messages_meet_every_rule(found: Found) -> None:
    assert set(found.dead_letters) == REASONS
    assert set(+found.metrics["action_refusals"]) >= ACTION_REASONS - {"value_too_large"}
    assert found.metrics["plans"]["applied"] > MESSAGES / 4
    assert len(found.items) > 100


def test_memory_is_bounded(found: Found) -> None:
    assert 0 < found.rss_peak_mb < PEAK_MB


def test_the_same_seed_makes_the_same_messages() -> None:
    def made(seed: int) -> list[HostileMessage]:
        return list(hostile_messages(300, seed))

    assert made(1) == made(1)
    assert made(1) != made(2)
