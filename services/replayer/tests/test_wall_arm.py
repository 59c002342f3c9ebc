"""The prototype's literal behaviour: GET and SETEX on an unmodified Redis."""

from collections.abc import Callable, Sequence

import redis

from aura_contract.cache import TtlSpec
from aura_contract.plan import Plan, Prefetch
from aura_replayer.arm.base import Batch, Totals
from aura_replayer.arm.limit import Room
from aura_replayer.arm.wall_arm import WallArm
from aura_replayer.source.items import pack


def ask(arm: WallArm, items: Sequence[str], window: int = 0) -> Totals:
    keys = [f"item:{item}".encode() for item in items]
    arm.send(Batch(window, 0, 0, keys, [pack(key, b"v-" + key) for key in keys]), b"", b"")
    return arm.receive()


def test_plain_values_with_real_seconds(new_redis: Callable[[], str]) -> None:
    url = new_redis()
    arm = WallArm("baseline", url, TtlSpec(long=1800, medium=900, short=300))
    arm.begin("r1", 0, Room())
    totals = ask(arm, ["1", "2", "1"])
    assert (totals.requests, totals.hits, totals.fills) == (3, 1, 2)
    server = redis.Redis.from_url(url)
    assert server.get("item:1") == b"v-item:1"
    assert 1790 < server.ttl("item:1") <= 1800


def test_time_to_live_follows_memory(new_redis: Callable[[], str]) -> None:
    url = new_redis()
    arm = WallArm("baseline", url, TtlSpec())
    arm.begin("r1", arm.memory().data - 600_000, Room(1_000_000))
    ask(arm, ["1"])
    assert 890 < redis.Redis.from_url(url).ttl("item:1") <= 900


def test_counts_survive_a_restart(new_redis: Callable[[], str]) -> None:
    url = new_redis()
    first = WallArm("aura", url, TtlSpec())
    first.begin("r1", 0, Room())
    ask(first, ["1", "2"], window=0)
    ask(first, ["1"], window=1)
    second = WallArm("aura", url, TtlSpec())
    assert second.begin("r1", 0, Room()) == Totals(requests=3, hits=1, fills=2)
    assert second.window_start(1) == Totals(requests=2, fills=2)


def test_hits_on_prefetched_keys_are_credited(new_redis: Callable[[], str]) -> None:
    url = new_redis()
    arm = WallArm("aura", url, TtlSpec())
    arm.begin("r1", 0, Room())
    redis.Redis.from_url(url).set("item:9", "v", ex=60)
    arm.plan_applied(Plan(plan_id="p", prefetch=(Prefetch(k="item:9", v="v", ttl=60),)), 1)
    totals = ask(arm, ["9", "9"])
    assert (totals.hits, totals.prefetches, totals.prefetch_hits) == (2, 1, 1)
    assert arm.prefetch_hits_by_plan() == {"p": 1}


def test_commands_and_connections_of_others_take_no_room(new_redis: Callable[[], str]) -> None:
    url = new_redis()
    arm = WallArm("aura", url, TtlSpec())
    arm.begin("r1", arm.memory().data, Room(1_000_000))
    before = arm.memory().data
    server = redis.Redis.from_url(url)
    server.pipeline().delete("item:1").execute()
    assert arm.memory().data - before < 10_000
    arm.weigh()
    assert int(server.config_get("maxmemory")["maxmemory"]) > before + 1_000_000
