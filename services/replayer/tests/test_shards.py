"""The log by shards: every row in one of them, all of a user together, windows and clock those of the whole log."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aura_contract.cache import CacheSpec
from aura_contract.workload import WorkloadSpec
from aura_data.catalog import EmptyCatalog
from aura_data.tables import DataError
from aura_replayer.arm.sizing import wanted_items
from aura_replayer.source.events import EventLog
from aura_replayer.source.items import ItemTable
from aura_replayer.source.scan import scan
from aura_replayer.source.shards import Shard, keys_of, shards_of
from aura_replayer.source.spool import EventBlock

USERS = st.sampled_from([*(f"u{number}" for number in range(12)), ""])
ROWS = st.lists(st.tuples(USERS, st.integers(0, 9), st.booleans()), min_size=1, max_size=120)
CLOCKS = ({"rate": 1000}, {"timestamps": {"speedup": 2}})


def text_of(rows: list[tuple[str, int, bool]]) -> str:
    """A log with a time, a user that may be missing, a session of five rows, an item and an action."""
    lines = (f"{at},{user},s{at // 5},i{item},{'click' if wanted else 'view'}" for at, (user, item, wanted) in enumerate(rows))
    return "\n".join(["time,user,session,item,action", *lines, ""])


def log_of(path: Path, shard: Shard, **changes: object) -> EventLog:
    roles = {name: name for name in ("time", "user", "session", "item", "action")}
    spec = WorkloadSpec.model_validate({"source": {"path": path.name}, "columns": roles, "shards": shard.count, **changes})
    return EventLog(spec, path.parent, ItemTable(EmptyCatalog(), 0), "fail", shard=shard)


def shards_of_log(path: Path, count: int, **changes: object) -> list[EventLog]:
    return [log_of(path, Shard(index, count), **changes) for index in range(count)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ROWS, st.integers(1, 5), st.integers(1, 40), st.sampled_from(CLOCKS))
def test_windows_of_all_shards_are_those_of_the_log(
    log_file: Callable[[str], Path], rows: list[tuple[str, int, bool]], count: int, size: int, clock: dict[str, object]
) -> None:
    path = log_file(text_of(rows))
    whole = list(log_of(path, Shard(), clock=clock).windows(size))
    parts = [list(log.windows(size)) for log in shards_of_log(path, count, clock=clock)]
    for number, window in enumerate(whole):
        found = [part[number] for part in parts]
        assert {(block.first_row, block.stop_row) for block in found} == {(window.first_row, window.stop_row)}
        joined = EventBlock.joined(found)
        order = np.argsort(joined.rows)
        for mine, wanted in zip(joined.columns, window.columns, strict=True):
            assert mine[order].tolist() == wanted.tolist()
    assert {len(part) for part in parts} == {len(whole)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ROWS, st.integers(2, 6))
def test_all_rows_of_a_user_are_in_one_shard(
    log_file: Callable[[str], Path], rows: list[tuple[str, int, bool]], count: int
) -> None:
    path = log_file(text_of(rows))
    seen: dict[str, set[int]] = {}
    for index, log in enumerate(shards_of_log(path, count)):
        for block in log.blocks():
            for row in block.rows.tolist():
                seen.setdefault(rows[row][0], set()).add(index)
    assert all(len(shards) == 1 for user, shards in seen.items() if user)


def test_rows_without_a_user_go_by_their_session_and_then_by_their_item() -> None:
    columns = {"user": ["a", "", None, ""], "session": ["s", "s", "", None], "item": ["1", "2", "3", "3"]}
    keys = keys_of(pa.RecordBatch.from_pydict(columns)).tolist()
    alone = [keys_of(pa.RecordBatch.from_pydict({"item": [name]}))[0] for name in ("a", "s", "3", "3")]
    assert keys == alone


def test_users_are_spread_evenly() -> None:
    keys = keys_of(pa.RecordBatch.from_pydict({"user": [str(number) for number in range(20_000)]}))
    for count in (2, 3, 8, 64):
        sizes = np.bincount(shards_of(keys, count), minlength=count)
        assert sizes.min() > 0.75 * len(keys) / count


def test_a_shard_knows_the_whole_log(log_file: Callable[[str], Path]) -> None:
    rows = [(f"u{at % 10}", at % 7, at % 3 > 0) for at in range(200)]
    path = log_file(text_of(rows))
    whole, parts = log_of(path, Shard()), shards_of_log(path, 3)
    summary = scan(whole, whole._items)
    summaries = [scan(log, log._items) for log in parts]
    assert {(one.log_rows, one.distinct) for one in summaries} == {(200, 7)}
    assert (summary.log_rows, summary.distinct) == (200, 7)
    assert sum(one.rows for one in summaries) == summary.rows == 200
    assert sum(one.requests for one in summaries) == summary.requests
    assert sum(log.rows_before(100) for log in parts) == 100


def test_limit_counts_rows_of_the_log(log_file: Callable[[str], Path]) -> None:
    path = log_file(text_of([(f"u{at % 10}", at % 7, True) for at in range(100)]))
    assert sum(len(block) for log in shards_of_log(path, 2, limit=30) for block in log.blocks()) == 30


@pytest.mark.parametrize(
    ("users", "count", "named"),
    [(3, 8, "8, but the log's requests are of 3 users, "), (1, 2, "2, but the log's requests are of 1 user, ")],
)
def test_more_shards_than_users_is_an_error_of_every_shard(
    log_file: Callable[[str], Path], users: int, count: int, named: str
) -> None:
    path = log_file(text_of([(f"u{at % users}", at % 7, True) for at in range(60)]))
    for log in shards_of_log(path, count):
        with pytest.raises(DataError, match=f"workload.shards is {named}") as caught:
            scan(log, log._items)
        assert str(caught.value).endswith(f"set it to {users} or less")


@given(st.integers(0, 10_000), st.integers(1, 64))
def test_parts_are_the_whole(whole: int, count: int) -> None:
    parts = [Shard(index, count).part(whole) for index in range(count)]
    assert sum(parts) == whole
    assert max(parts) - min(parts) <= 1


def test_capacity_is_a_share_of_the_whole_log_divided(log_file: Callable[[str], Path]) -> None:
    path = log_file(text_of([(f"u{at % 40}", at % 1000, True) for at in range(4000)]))
    found = []
    for index, log in enumerate(shards_of_log(path, 3)):
        found.append(wanted_items(CacheSpec(capacity="25%"), scan(log, log._items), Shard(index, 3)))
    assert sorted(found, reverse=True) == found == [84, 83, 83]
    log = log_of(path, Shard(1, 3))
    with pytest.raises(DataError, match=r"one of 3 shards of a cache of 5% holds 17 .* lower workload.shards, raise"):
        wanted_items(CacheSpec(capacity="5%"), scan(log, log._items), Shard(1, 3))
