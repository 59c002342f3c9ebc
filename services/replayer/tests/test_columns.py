"""Codes, clock, windows, counts and levers: the replayer's array work against plain loops."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_contract.plan import Policy
from aura_contract.workload import ClockSpec, TimestampClock, WorkloadSpec
from aura_data.catalog import EmptyCatalog
from aura_data.tables import DataError
from aura_replayer.arm.sizing import batch_size
from aura_replayer.context.aggregator import ContextAggregator
from aura_replayer.levers import encode_levers
from aura_replayer.source.clock import EventClock
from aura_replayer.source.events import EventLog
from aura_replayer.source.items import ItemTable
from aura_replayer.source.scan import scan
from aura_replayer.source.spool import EventBlock

COLUMNS = {"item": "item", "user": "user", "session": None, "time": "time", "action": "action"}
LOG = "time,user,item,action\n" + "".join(f"{n},u{n % 3},{n % 7},{'click' if n % 2 else 'view'}\n" for n in range(100))


def block(codes: list[int], requests: list[bool] | None = None, first_row: int = 0) -> EventBlock:
    n = len(codes)
    return EventBlock(
        first_row,
        first_row + n,
        np.arange(first_row, first_row + n),
        np.array(codes, np.int32),
        np.array(requests if requests is not None else [True] * n, np.bool_),
        np.ones(n, np.uint32),
        np.ones(n, np.uint32),
        np.zeros(n, np.int16),
        np.arange(first_row, first_row + n, dtype=np.int64),
    )


def open_log(path: Path, **changes: object) -> tuple[EventLog, ItemTable]:
    spec = WorkloadSpec.model_validate({"source": {"path": path.name}, "columns": COLUMNS, **changes})
    items = ItemTable(EmptyCatalog(), 16)
    return EventLog(spec, path.parent, items, "fail"), items


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 20))
def test_frequency_counts_all_earlier_requests(codes: list[int], size: int) -> None:
    aggregator = ContextAggregator(10**9)
    seen: Counter[int] = Counter()
    for start in range(0, len(codes), size):
        part = codes[start : start + size]
        expected = []
        for code in part:
            expected.append(seen[code])
            seen[code] += 1
        assert aggregator.frequency(np.array(part, np.int32)).tolist() == pytest.approx(expected, abs=1e-4)
        aggregator.observe(block(part, first_row=start))


def test_frequency_halves_after_sixteen_fills() -> None:
    aggregator = ContextAggregator(capacity_items=10)
    aggregator.observe(block([1] * 8))
    aggregator.observe(block([2] * 160))
    assert aggregator.frequency(np.array([1], np.int32))[0] == pytest.approx(4.0)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=50))
def test_window_counts_requests_only(events: list[tuple[int, bool]]) -> None:
    aggregator = ContextAggregator(10)
    aggregator.observe(block([code for code, _ in events], [wanted for _, wanted in events]))
    expected = Counter(code for code, wanted in events if wanted)
    assert dict(zip(aggregator.items.tolist(), aggregator.counts.tolist(), strict=True)) == expected
    assert aggregator.new_items == len(expected)
    assert set(aggregator.heaviest.tolist()) == set(expected)


@given(st.lists(st.lists(st.integers(0, 300), max_size=150), min_size=1, max_size=6))
def test_heaviest_are_those_of_all_items(windows: list[list[int]]) -> None:
    aggregator = ContextAggregator(10)
    for codes in windows:
        aggregator.observe(block(codes))
    known = 1 + max((code for codes in windows for code in codes), default=-1)
    everyone = aggregator.weight(np.arange(known))
    expected = np.sort(everyone[everyone > 0])[::-1][:100]
    assert aggregator.weight(aggregator.heaviest).tolist() == pytest.approx(expected.tolist())


def test_ids_are_looked_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    log, items = open_log(tmp_path / "log.csv", requests=["click"])
    scan(log, items)
    first = [code for part in log.windows(30) for code in part.items.tolist()]
    monkeypatch.setattr(items, "encode", lambda column: pytest.fail("looked up again"))
    assert [code for part in log.windows(30) for code in part.items.tolist()] == first == [n % 7 for n in range(100)]


def test_trend_is_against_the_window_before() -> None:
    aggregator = ContextAggregator(10)
    aggregator.observe(block([1, 1, 1, 2]))
    aggregator.observe(block([1, 2, 2, 3], first_row=4))
    assert dict(zip(aggregator.items.tolist(), aggregator.trend.tolist(), strict=True)) == {1: -2, 2: 1, 3: 1}
    assert aggregator.last_seen(np.array([3, 1])).tolist() == [1, 4]


def test_windows_are_whole_whatever_the_reader_gives(log_file: Callable[[str], Path]) -> None:
    log, _ = open_log(log_file(LOG))
    windows = list(log.windows(33))
    assert [len(window) for window in windows] == [33, 33, 33, 1]
    assert [window.first_row for window in windows] == [0, 33, 66, 99]
    assert np.concatenate([window.items for window in windows]).tolist() == [n % 7 for n in range(100)]
    assert sum(int(window.requests.sum()) for window in windows) == 50


def test_scan_counts_rows_and_requested_items(log_file: Callable[[str], Path]) -> None:
    log, items = open_log(log_file("item,user,time,action\na,u,1,click\nb,u,2,view\na,u,3,click\n"))
    summary = scan(log, items)
    assert (summary.rows, summary.requests) == (3, 2)
    assert [items.names[code] for code in summary.requested] == ["a"]


def test_log_without_requests_says_which_actions_it_has(log_file: Callable[[str], Path]) -> None:
    log, items = open_log(log_file(LOG), requests=["buy"])
    with pytest.raises(DataError) as caught:
        scan(log, items)
    assert str(caught.value) == (
        "the log holds no request: its actions are click, view; name those that are requests in workload.requests"
    )


def test_rate_clock_counts_events() -> None:
    clock = EventClock(ClockSpec(rate=1000))
    assert clock.read(5, 3, None).tolist() == [5, 6, 7]
    assert clock.after(7, 7) == 8


@given(st.lists(st.one_of(st.floats(-1e9, 2e9), st.just(float("nan"))), min_size=1, max_size=30))
def test_timestamp_clock_never_runs_backwards(times: list[float]) -> None:
    clock = EventClock(ClockSpec(timestamps=TimestampClock(speedup=10)))
    readings = np.concatenate([clock.read(n, 1, np.array([time])) for n, time in enumerate(times)])
    assert (np.diff(readings) >= 0).all()
    assert readings[0] == 0


def test_timestamp_clock_is_scaled() -> None:
    clock = EventClock(ClockSpec(timestamps=TimestampClock(speedup=10)))
    assert clock.read(0, 3, np.array([100.0, 105.0, np.nan])).tolist() == [0, 500, 500]


def test_levers_are_encoded_per_entry() -> None:
    policy = Policy(frequency="medium", admit="second_hit", ttl={"A": "short", "B": "none"}, protect=("B",))
    frequency, categories = np.array([0, 3, 0], np.float32), np.array([1, 1, 2], np.int32)
    meta = encode_levers(policy, frequency, categories, ["", "A", "B"], capacity_items=100).tobytes()
    entries = [(int.from_bytes(meta[i : i + 4], "big"), meta[i + 4]) for i in range(0, 15, 5)]
    assert entries == [(0, 4 + 2), (400, 2), (200, 4 + 3)]


@pytest.mark.parametrize(("capacity", "size"), [(32, 2), (1968, 123), (3425, 200), (10**6, 200), (1, 1)])
def test_batches_insert_at_most_a_sixteenth(capacity: int, size: int) -> None:
    assert batch_size(capacity, stops=True) == size


def test_batches_insert_at_most_a_tenth_where_nobody_plans() -> None:
    assert [batch_size(capacity, stops=False) for capacity in (32, 1968, 10**6)] == [3, 196, 200]
