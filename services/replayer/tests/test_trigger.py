"""When planners are asked."""

import pytest

from aura_contract.planner import TriggerSpec
from aura_replayer.trigger import Trigger

LEVEL = [0.5, 0.5, 0.5, 0.5]


def fired(spec: dict[str, object], windows: list[tuple[list[float], float]]) -> list[bool]:
    """After windows of (hit ratios so far, pressure)."""
    trigger = Trigger(TriggerSpec.model_validate(spec), seed=1)
    return [trigger.fires(number, history, pressure) for number, (history, pressure) in enumerate(windows)]


def test_every_window_asks_by_default() -> None:
    assert fired({}, [([0.5], 0.9)] * 4) == [True] * 4


@pytest.mark.parametrize(("last", "asks"), [(0.5, False), (0.481, False), (0.479, True), (0.6, False)])
def test_a_drop_of_the_hit_ratio_asks(last: float, asks: bool) -> None:
    assert fired({"when": ["drop"]}, [([0.5], 0.9), ([*LEVEL, last], 0.9)]) == [True, asks]


def test_only_the_last_four_windows_count_for_a_drop() -> None:
    history = [0.9, 0.9, *LEVEL, 0.49]
    assert fired({"when": ["drop"]}, [([0.9], 0.5), (history, 0.5)]) == [True, False]
    assert fired({"when": ["drop"], "dropPoints": 0.5}, [([0.9], 0.5), (history, 0.5)]) == [True, True]


def test_a_rise_of_the_pressure_asks() -> None:
    windows = [([0.5], 0.3), (LEVEL, 0.39), (LEVEL, 0.50), (LEVEL, 0.50), (LEVEL, 0.2)]
    assert fired({"when": ["pressure"]}, windows) == [True, False, True, False, False]


def test_either_of_two_reasons_asks() -> None:
    windows = [([0.5], 0.3), ([*LEVEL, 0.3], 0.3), (LEVEL, 0.5), (LEVEL, 0.5)]
    assert fired({"when": ["drop", "pressure"]}, windows) == [True, True, True, False]


def test_lots_ask_as_often_as_they_are_told_and_alike_in_every_run() -> None:
    spec, windows = {"when": ["random"], "randomShare": "20%"}, [(LEVEL, 0.5)] * 2000
    found = fired(spec, windows)
    assert found == fired(spec, windows)
    assert 0.17 < sum(found) / len(found) < 0.23


def test_shares_are_shares() -> None:
    with pytest.raises(ValueError, match="is not a share"):
        TriggerSpec(random_share="0%")
