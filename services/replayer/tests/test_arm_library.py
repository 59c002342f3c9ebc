"""The arm's function library on a real server: counting, time, memory, plans."""

import contextlib
import socket
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest
import redis

from aura_contract.cache import TtlSpec
from aura_contract.limits import GuardSpec
from aura_contract.plan import Policy
from aura_data.catalog import EmptyCatalog
from aura_replayer.arm.base import ArmLost, Batch, Totals
from aura_replayer.arm.event_arm import EventArm
from aura_replayer.arm.limit import Room
from aura_replayer.lane import Lane
from aura_replayer.levers import ENTRY_BYTES, HELD_OUT, PREFETCH, TTL_CLASS
from aura_replayer.source.items import ItemTable, pack
from aura_replayer.source.spool import EventBlock

RUN = "r1"


def ask(arm: EventArm, items: Sequence[str], *, clock: int = 0, window: int = 0, first: int = 0, meta: bytes = b"") -> Totals:
    keys = [f"item:{item}".encode() for item in items]
    packed = [pack(key, b"payload of " + key) for key in keys]
    arm.send(Batch(window, first, clock, keys, packed), meta, b"".join(packed))
    return arm.receive()


def apply_plan(
    arm: EventArm,
    plan_id: str = "p1",
    *,
    evict: Sequence[str] = (),
    prefetch: Sequence[tuple[str, str, int]] = (),
    apply_at: int | str = "",
    expires_at: int | str = "",
    policy: str = "",
    run: str = RUN,
) -> list[object]:
    actions: list[object] = [f"item:{item}" for item in evict]
    for item, value, ttl in prefetch:
        actions += [f"item:{item}", value, ttl]
    reply: list[object] = arm._call(
        "aura_apply", run, plan_id, 0, "test", apply_at, expires_at, policy, len(evict), len(prefetch), *actions
    )
    return [part.decode() if isinstance(part, bytes) else part for part in reply]


@pytest.fixture
def running(arm: EventArm) -> EventArm:
    arm.begin(RUN, 0, Room())
    return arm


def test_first_request_misses_and_fills_second_hits(running: EventArm) -> None:
    totals = ask(running, ["1", "2", "1", "1"])
    assert (totals.requests, totals.hits, totals.fills) == (4, 2, 2)
    assert running.size() == 2


def test_a_traced_batch_tells_which_requests_were_hits(running: EventArm) -> None:
    keys = [f"item:{item}".encode() for item in "12131"]
    packed = [pack(key, b"v") for key in keys]
    for traced, expected in ((True, b"00101"), (False, b""), (True, b"11111")):
        running.send(Batch(0, 0, 0, keys, packed, traced=traced), b"", b"".join(packed))
        assert running.receive().trace == expected


def test_batch_sent_twice_counts_once(running: EventArm) -> None:
    keys = [b"item:1"]
    batch, body = Batch(0, 0, 0, keys, [pack(b"item:1", b"v")]), pack(b"item:1", b"v")
    for _ in range(3):
        running.resend(1, batch, b"", body)
    assert [running.receive().requests for _ in range(3)] == [1, 1, 1]
    assert running.totals().requests == 1


def test_restarted_empty_server_is_noticed(running: EventArm) -> None:
    ask(running, ["1"])
    running.forget()
    with pytest.raises(ArmLost, match="arm aura was restarted empty; its counts are lost"):
        ask(running, ["1"])


def test_missing_batch_is_noticed(running: EventArm) -> None:
    body = pack(b"item:1", b"v")
    running.resend(2, Batch(0, 0, 0, [b"item:1"], [body]), b"", body)
    with pytest.raises(ArmLost):
        running.receive()


def test_time_to_live_is_on_the_event_clock(running: EventArm) -> None:
    ask(running, ["1"], clock=0)
    assert ask(running, ["1"], clock=99_999).hits == 1
    expired = ask(running, ["1"], clock=100_000)
    assert (expired.hits, expired.fills) == (1, 2)
    assert running.resident([b"item:1", b"item:2"]) == [True, False]
    running.tick(200_000)
    assert running.resident([b"item:1"]) == [False]


def test_time_to_live_shortens_under_pressure(arm: EventArm) -> None:
    arm.begin("measure", 0, Room())
    empty = arm.memory().data
    arm.forget()
    arm.begin(RUN, empty, Room(200_000))
    for start in range(0, 6000, 50):
        ask(arm, [str(number) for number in range(start, start + 50)])
    assert arm.totals().pressure > 0.8
    fresh = [f"fresh{number}" for number in range(20)]
    ask(arm, fresh, clock=0)

    def is_hit(item: str, clock: int) -> bool:
        before = arm.totals().hits
        return ask(arm, [item], clock=clock).hits > before

    # A full arm may have had to evict some.
    still = [item for item in fresh if is_hit(item, 9_999)]
    assert len(still) > 10
    assert not [item for item in still if is_hit(item, 10_000)]


def test_a_window_that_ended_before_a_restart_is_recorded_whole(arm: EventArm) -> None:
    arm.begin(RUN, 0, Room())
    for window, keys in enumerate((["1", "2"], ["1", "3"], ["1"])):
        ask(arm, keys, window=window)
    lane = Lane(arm, 5, arm.totals())
    lane.enter(1, 2)
    nothing = np.zeros(2, np.int64)
    block = EventBlock(2, 4, nothing, nothing, nothing > 0, nothing, nothing, nothing, nothing)
    record = lane.record(1, block, 4, after=4)
    assert (record.requests, record.hits, record.misses, record.items) == (2, 1, 1, 3)


def test_memory_stays_at_the_budget(arm: EventArm) -> None:
    arm.begin("measure", 0, Room())
    empty = arm.memory().data
    arm.forget()
    arm.begin(RUN, empty, Room(300_000))
    used = []
    for window in range(40):
        for start in range(0, 500, 50):
            ask(arm, [str(window * 500 + number) for number in range(start, start + 50)], window=window)
        used.append(arm.memory().data - empty)
        arm.weigh()
    assert used[20:] == pytest.approx([300_000] * 20, rel=0.1)


def test_connections_that_have_just_come_are_no_data(arm: EventArm) -> None:
    arm.begin(RUN, 0, Room())
    ask(arm, [str(number) for number in range(500)])
    before = arm.memory().data
    port = arm._client.connection_pool.connection_kwargs["port"]
    with contextlib.ExitStack() as open_ones:
        for _ in range(20):
            open_ones.enter_context(socket.create_connection(("127.0.0.1", port)))
            assert arm.memory().data == pytest.approx(before, abs=8000)


def test_least_recently_requested_goes_first(arm: EventArm) -> None:
    arm.begin("measure", 0, Room())
    empty = arm.memory().data
    arm.forget()
    arm.begin(RUN, empty, Room(100_000))
    for start in range(0, 3000, 20):
        ask(arm, ["hot", *(str(number) for number in range(start, start + 20))], first=start)
    assert arm.resident([b"item:hot", b"item:2999", b"item:0"]) == [True, True, False]


def lever(bonus: int = 0, flags: int = 0) -> bytes:
    entry = bonus.to_bytes(4, "big") + bytes((flags,))
    assert len(entry) == ENTRY_BYTES
    return entry


def test_levers_hold_back_fills_and_change_ttl(running: EventArm) -> None:
    ask(running, ["no-fill", "none", "short", "long"], meta=lever(flags=4) + lever(flags=3) + lever(flags=2) + lever(flags=1))
    assert running.resident([b"item:no-fill", b"item:none", b"item:short", b"item:long"]) == [False, False, True, True]
    running.tick(10_000)
    assert running.resident([b"item:short", b"item:long"]) == [False, True]


def test_priority_bonus_outlives_others(arm: EventArm) -> None:
    arm.begin("measure", 0, Room())
    empty = arm.memory().data
    arm.forget()
    arm.begin(RUN, empty, Room(100_000))
    ask(arm, ["kept"], meta=lever(bonus=10**6))
    for start in range(0, 3000, 20):
        ask(arm, [str(number) for number in range(start, start + 20)], first=start + 1)
    assert arm.resident([b"item:kept", b"item:0"]) == [True, False]


def test_plan_evicts_and_prefetches_once(running: EventArm) -> None:
    ask(running, ["1", "2"], clock=5)
    plan = {"evict": ["1", "absent"], "prefetch": [("2", "v", 60), ("3", "three", 60)]}
    assert apply_plan(running, **plan) == ["applied", 5, 1, 1, 0, 0, 0]
    assert apply_plan(running, **plan) == ["duplicate", 5, 1, 1, 0, 0, 0]
    assert running.resident([b"item:1", b"item:2", b"item:3"]) == [False, True, True]
    assert (running.totals().prefetches, running.totals().evictions) == (1, 1)


def test_first_hit_on_a_prefetched_value_is_credited_to_its_plan(running: EventArm) -> None:
    apply_plan(running, "first", prefetch=[("1", "v", 60)])
    apply_plan(running, "second", prefetch=[("2", "v", 60), ("3", "v", 60)])
    totals = ask(running, ["1", "1", "2", "4"])
    assert (totals.hits, totals.prefetch_hits) == (3, 2)
    assert running.prefetch_hits_by_plan() == {"first": 1, "second": 1}


def test_prefetched_value_expires_by_its_own_ttl(running: EventArm) -> None:
    ask(running, ["x"], clock=1000)
    apply_plan(running, prefetch=[("1", "v", 60)])
    running.tick(60_999)
    assert running.resident([b"item:1"]) == [True]
    running.tick(61_000)
    assert running.resident([b"item:1"]) == [False]


def test_plan_waits_for_its_moment_and_expires(running: EventArm) -> None:
    ask(running, ["1"], clock=100)
    assert apply_plan(running, "a", evict=["1"], apply_at=200, expires_at=300)[0] == "early"
    running.tick(200)
    assert apply_plan(running, "a", evict=["1"], apply_at=200, expires_at=300)[0] == "applied"
    running.tick(301)
    assert apply_plan(running, "b", evict=["1"], apply_at=200, expires_at=300)[0] == "expired"


def test_plan_of_another_run_is_refused(running: EventArm) -> None:
    ask(running, ["1"])
    assert apply_plan(running, evict=["1"], run="other")[0] == "foreign_run"
    assert running.resident([b"item:1"]) == [True]


def test_held_out_keys_are_not_touched(running: EventArm) -> None:
    running._client.hset("aura:config", "heldout", 1000)
    ask(running, ["1"])
    assert apply_plan(running, evict=["1"], prefetch=[("2", "v", 60)]) == ["applied", 0, 0, 0, 1, 1, 0]


def test_policy_has_a_version(running: EventArm) -> None:
    policy = Policy(frequency="high", protect=("A > B",))
    apply_plan(running, policy=policy.model_dump_json())
    assert ask(running, ["1"]).policy_version == 1
    assert running.policy() == policy


def test_totals_at_a_windows_start_are_remembered(running: EventArm) -> None:
    ask(running, ["1", "1"], window=0)
    ask(running, ["1"], window=1)
    assert running.window_start(0) == Totals()
    assert running.window_start(1) == Totals(requests=2, hits=1, fills=1)
    assert running.window_start(2) is None


def test_windows_that_are_left_out_do_not_keep_earlier_ones(running: EventArm) -> None:
    for window in range(0, 40, 3):
        ask(running, ["1"], window=window)
    assert running._client.hkeys("aura:windows") == [b"36", b"39"]


def test_credit_of_plans_that_are_forgotten_is_not_kept(running: EventArm) -> None:
    apply_plan(running, "old", prefetch=[("1", "v", 60), ("2", "v", 60)])
    assert ask(running, ["1"]).prefetch_hits == 1
    for number in range(70):
        apply_plan(running, f"p{number}")
    assert ask(running, ["2"], first=1).prefetch_hits == 2
    assert running._client.hget("aura:credit", "1") is None
    assert running._client.hlen("aura:credit") == 64


def test_run_is_taken_up_again(new_redis: Callable[[], str]) -> None:
    url = new_redis()
    first = EventArm("aura", url, TtlSpec())
    first.begin(RUN, 0, Room())
    ask(first, ["1", "2"])
    first.close()
    second = EventArm("aura", url, TtlSpec())
    assert second.begin(RUN, 0, Room()).requests == 2
    assert ask(second, ["1"]).hits == 1
    assert second.begin("another", 0, Room()).requests == 0


def test_absent_server_is_one_sentence() -> None:
    with pytest.raises(ArmLost, match=r"^Redis of arm aura at 127.0.0.1:1 does not answer \(ConnectionError\); check the"):
        EventArm("aura", "redis://127.0.0.1:1", TtlSpec())


def test_wrong_password_is_named_without_showing_it(new_redis: Callable[[], str]) -> None:
    port = redis.Redis.from_url(new_redis()).connection_pool.connection_kwargs["port"]
    with pytest.raises(ArmLost) as caught:
        EventArm("aura", f"redis://:secret@127.0.0.1:{port}", TtlSpec())
    assert "password" in str(caught.value)
    assert "secret" not in str(caught.value)


def flagged(*flags: int) -> bytes:
    return b"".join(bytes((0, 0, 0, 0, flag)) for flag in flags)


def test_what_a_rule_fetches_is_no_request_and_its_first_hit_is_credited_to_the_policy(running: EventArm) -> None:
    assert apply_plan(running, "p1", policy='{"frequency":"high"}')[0] == "applied"
    fetched = ask(running, ["1", "2", "1"], meta=flagged(0, PREFETCH, PREFETCH))
    assert (fetched.requests, fetched.hits, fetched.fills, fetched.prefetches) == (1, 0, 1, 1)
    served = ask(running, ["2", "2"], first=1)
    assert (served.requests, served.hits, served.prefetch_hits) == (3, 2, 1)
    assert running.prefetch_hits_by_plan() == {"p1": 1}
    assert running.totals().prefetches == 1


def test_rules_fetch_neither_held_out_keys_nor_categories_that_are_not_kept(running: EventArm) -> None:
    totals = ask(running, ["1", "2"], meta=flagged(PREFETCH + HELD_OUT, PREFETCH + TTL_CLASS["none"]))
    assert (totals.requests, totals.prefetches, running.size()) == (0, 0, 0)


def test_held_out_requests_are_counted_apart(running: EventArm) -> None:
    totals = ask(running, ["1", "1", "2", "2"], meta=flagged(HELD_OUT, HELD_OUT, 0, 0))
    assert (totals.requests, totals.hits, totals.held_requests, totals.held_hits) == (4, 2, 2, 1)


def test_prefetches_without_a_hit_stay_within_their_share_of_the_misses(new_redis: Callable[[], str]) -> None:
    arm = EventArm("aura", new_redis(), TtlSpec(), GuardSpec(backend_reads="5%", hold_out="0%"))
    with contextlib.closing(arm):
        arm.begin(RUN, 0, Room())
        missed = ask(arm, [f"m{number}" for number in range(40)])
        assert missed.hits == 0
        spent = ask(arm, ["1", "2", "3"], first=40, meta=flagged(PREFETCH, PREFETCH, PREFETCH))
        assert spent.prefetches == 2
        assert apply_plan(arm, "late", prefetch=[("4", "v", 60)]) == ["applied", 0, 0, 0, 0, 0, 1]
        # A hit pays for its prefetch: one more may be fetched.
        paid = ask(arm, ["1", "3", "4"], first=40, meta=flagged(0, PREFETCH, PREFETCH))
        assert (paid.prefetch_hits, paid.prefetches) == (1, 3)


def test_the_library_and_the_item_table_hold_out_the_same_keys(new_redis: Callable[[], str]) -> None:
    items = ItemTable(EmptyCatalog(), 16, held_out=0.1)
    items.encode(pa.array([str(number) for number in range(300)]))
    arm = EventArm("aura", new_redis(), TtlSpec(), GuardSpec(backend_reads="100%", hold_out="10%"))
    with contextlib.closing(arm):
        arm.begin(RUN, 0, Room())
        refused = [apply_plan(arm, f"p{number}", evict=[str(number)])[4] == 1 for number in range(300)]
    assert refused == items.held.tolist()
    assert 10 <= sum(refused) <= 60


def test_a_vetoed_plan_is_never_carried_out(running: EventArm) -> None:
    ask(running, ["1"])
    running.veto("p1")
    assert apply_plan(running, "p1", evict=["1"], policy='{"frequency":"high"}')[0] == "vetoed"
    assert running.resident([b"item:1"]) == [True]
    assert (running.policy(), running.totals().policy_version) == (Policy(), 0)
    assert apply_plan(running, "p2", evict=["1"])[0] == "applied"


def test_a_veto_that_comes_too_late_changes_nothing(running: EventArm) -> None:
    assert apply_plan(running, "p1", policy='{"frequency":"high"}')[0] == "applied"
    running.veto("p1")
    assert apply_plan(running, "p1")[0] == "duplicate"
    assert running.policy() == Policy(frequency="high")


def test_levers_that_are_taken_back_are_the_baselines(running: EventArm) -> None:
    apply_plan(running, "p1", policy='{"frequency":"high"}')
    running.rollback()
    assert running.policy() == Policy()
    assert ask(running, ["1"]).policy_version == 2
    # What rules fetch without a policy belongs to no plan.
    ask(running, ["2"], meta=flagged(PREFETCH))
    assert ask(running, ["2"], first=1).prefetch_hits == 1
