"""Statistics of the levers' settings, by hand."""

import pytest

from aura_contract.plan import Policy
from aura_replayer.scoreboard import DECAY, Scoreboard

HIGH, LOW = Policy(frequency="high"), Policy(frequency="low")


def test_the_first_window_of_a_setting_is_not_counted() -> None:
    board = Scoreboard()
    for policy, gain in ((HIGH, 9.0), (HIGH, 0.1), (LOW, 9.0), (LOW, 0.3), (LOW, 0.1)):
        board.observe(policy, gain)
    assert board.standing == 2
    low, high = board.stats()
    assert (low.frequency, low.admit, high.frequency) == ("low", "all", "high")
    assert low.windows == pytest.approx(1 + DECAY, abs=1e-3)
    assert low.gain == pytest.approx((0.3 * DECAY + 0.1) / (1 + DECAY), abs=1e-6)
    assert low.spread == pytest.approx(0.1, abs=1e-3)
    assert (high.windows, high.gain, high.spread) == (pytest.approx(DECAY**2, abs=1e-3), pytest.approx(0.1), 0)


def test_other_levers_do_not_make_another_setting() -> None:
    board = Scoreboard()
    board.observe(HIGH, 0.1)
    board.observe(Policy(frequency="high", protect=("A",)), 0.2)
    assert board.standing == 1
    assert len(board.stats()) == 1
