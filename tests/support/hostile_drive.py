"""Hostile messages through a real broker into a real executor with a real arm, and what is there afterwards.

`python hostile_drive.py --messages 1000000 --seed 1` prints what it found as entries of `benchmarks/results.json`, and fails when a rule is broken.
"""

import argparse
import json
import re
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.request import urlopen

import redis
from confluent_kafka import Producer
from hostile_messages import ARM, CLOCK_MS, EXPERIMENT, RUN, hostile_messages
from hostile_model import HostileModel

from aura_bus import Subscriber, ensure_topics
from aura_bus.connection import connection_settings
from aura_cli.embedded import Household
from aura_cli.embedded.household import Child
from aura_cli.embedded.kafka import start_broker
from aura_cli.embedded.ports import LOOPBACK, free_port
from aura_cli.embedded.redis import start_redis
from aura_cli.embedded.services import find_executor
from aura_contract.cache import TtlSpec
from aura_contract.receipt import DeadLetter, Receipt
from aura_contract.topics import Topics
from aura_replayer.arm.event_arm import EventArm
from aura_replayer.arm.limit import Room

__all__ = ["Found", "check", "drive"]

CANARIES = {
    key: f"canary {key!r}"
    for key in ("user:1", "session:1", "aura:canary", "aura:plan:x", "item", "items:1", "ITEM:1", " item:1", "*", "../item:1", "")
}
OWN_KEYS = {"aura:config", "aura:state", "aura:policy", "aura:windows", "aura:plans", "aura:plan-order", "aura:credit"}
COMMANDS = {
    "auth", "hello", "ping", "client|setinfo", "client|setname", "config|resetstat", "fcall", "hget", "hmget", "hset", "hdel", "hexists",
    "hincrby", "llen", "lpop", "rpush", "del", "mget", "set",
}  # fmt: skip
"""What an executor sends and what the arm's function makes of it."""

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
PATIENCE_S = 60.0
WARM_SHARE = 0.1
_METRIC = re.compile(r'^aura_executor_(\w+)_total\{\w+="(\w+)"\} (\d+)$', re.MULTILINE)


@dataclass
class Found:
    """What was seen afterwards. Memory in MB: when a tenth was sent, at the end, and the peak; `model` is what was to be seen."""

    model: HostileModel
    metrics: dict[str, Counter[str]]
    receipts: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    items: set[str] = field(default_factory=set)
    others: dict[str, str | None] = field(default_factory=dict)
    commands: set[str] = field(default_factory=set)
    alive: bool = False
    rss_warm_mb: float = 0.0
    rss_mb: float = 0.0
    rss_peak_mb: float = 0.0
    seconds: float = 0.0


def drive(messages: int, seed: int, logs: Path, *, quiet: bool = False) -> Found:
    """Send `messages` messages and wait until the executor has answered for all of them; `quiet` leaves its log empty."""
    topics = Topics()
    with Household(logs) as house:
        kafka, server = start_broker(house).address, start_redis(house, ARM)
        # One partition, so that what comes first is known.
        ensure_topics(kafka, {topics.plan: 1, topics.applied: 1, topics.dead_letters: 1})
        arm = EventArm(ARM, server.url, TtlSpec())
        arm.begin(RUN, 0, Room())
        arm.tick(CLOCK_MS)
        client = redis.Redis.from_url(server.url)
        client.mset(CANARIES)
        client.config_resetstat()
        address = f"{LOOPBACK}:{free_port()}"
        argv = [find_executor(), "--kafka", kafka, "--experiment", EXPERIMENT, "--arm", ARM, "--listen", address]
        # The embedded broker hands out one batch at a time: a million answers in small ones take hours to read.
        argv += ["--kafka-option", "linger.ms=20"]
        child = house.start(
            "executor", "the executor", argv, env={"AURA_REDIS": server.url, "AURA_LOG": "error" if quiet else "info"}
        )
        started = time.perf_counter()
        found = _sent(kafka, topics.plan, messages, seed, child, address)
        found.seconds = time.perf_counter() - started
        _look_at_redis(found, client)
        _look_at_topics(found, kafka, topics)
        found.alive = child.exit_code is None
        arm.close()
        client.close()
    return found


def _sent(kafka: str, topic: str, messages: int, seed: int, child: Child, address: str) -> Found:
    """Publish all, and wait until the executor's metrics have as many plans."""
    model, warm = HostileModel(), 0.0
    producer = Producer(
        {
            **connection_settings(kafka),
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "linger.ms": 5,
            "enable.idempotence": False,
            "max.in.flight": 1,
        }
    )
    for number, message in enumerate(hostile_messages(messages, seed)):
        model.take(message)
        while True:
            try:
                producer.produce(topic, key=message.key, value=message.payload, partition=0)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        if number == int(messages * WARM_SHARE):
            producer.flush(PATIENCE_S)
            _metrics(address, number + 1, child)
            warm = _memory_mb(child)["VmRSS"]
    producer.flush(PATIENCE_S)
    metrics = _metrics(address, messages, child)
    memory = _memory_mb(child)
    return Found(model, metrics, rss_warm_mb=warm, rss_mb=memory["VmRSS"], rss_peak_mb=memory["VmHWM"])


def _metrics(address: str, plans: int, child: Child) -> dict[str, Counter[str]]:
    """Counters by name and label, once the executor has counted so many plans or has counted none for a while."""
    last, since = -1, time.monotonic()
    while True:
        found: dict[str, Counter[str]] = {}
        if child.exit_code is not None:
            raise RuntimeError(f"the executor ended: {child.ending}: {child.said}")
        try:
            with urlopen(f"http://{address}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        except OSError:
            text = ""
        for name, label, count in _METRIC.findall(text):
            found.setdefault(name, Counter())[label] = int(count)
        counted = found.get("plans", Counter()).total()
        if counted >= plans or (counted == last and time.monotonic() - since > PATIENCE_S):
            return found
        if counted != last:
            last, since = counted, time.monotonic()
        time.sleep(0.1)


def _memory_mb(child: Child) -> dict[str, float]:
    lines = Path(f"/proc/{child.pid}/status").read_text(encoding="utf-8").splitlines()
    return {
        name: int(rest.split()[0]) / 1024
        for name, _, rest in (line.partition(":") for line in lines)
        if name in ("VmRSS", "VmHWM")
    }


def _look_at_redis(found: Found, client: "redis.Redis") -> None:
    found.commands = {str(name).removeprefix("cmdstat_") for name in client.info("commandstats")}
    for key in client.scan_iter(count=1000):
        text = key.decode()
        if text.startswith("item:"):
            found.items.add(text)
        elif text not in OWN_KEYS:
            value = client.get(key) if client.type(key) == b"string" else None
            found.others[text] = value.decode() if isinstance(value, bytes) else None


def _look_at_topics(found: Found, kafka: str, topics: Topics) -> None:
    outcomes = found.metrics["plans"]
    with Subscriber(kafka, [topics.applied, topics.dead_letters]) as answers:
        while (found.receipts.total(), found.dead_letters.total()) != (
            outcomes["applied"] + outcomes["refused"],
            outcomes["refused"],
        ):
            message = answers.poll(PATIENCE_S / 2)
            if message is None:
                return
            if message.topic == topics.applied:
                receipt = Receipt.model_validate_json(message.value)
                found.receipts[receipt.reason or receipt.outcome] += 1
            else:
                found.dead_letters[DeadLetter.model_validate_json(message.value).reason] += 1


def check(found: Found, messages: int) -> None:
    """The rules: all counted, every refusal answered and dead-lettered with its reason, no key touched but the arm's."""
    model = found.model
    assert found.alive
    assert found.metrics["plans"].total() == messages
    assert +found.metrics["plans"] == model.outcomes
    assert +found.metrics["plan_refusals"] == model.plan_refusals
    assert +found.metrics["action_refusals"] == model.action_refusals
    assert found.dead_letters == model.plan_refusals
    assert found.receipts == model.plan_refusals + Counter(applied=model.outcomes["applied"])
    assert found.commands <= COMMANDS
    assert found.others == CANARIES
    assert found.items == model.items


def main() -> None:
    """Send, check, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as logs:
        found = drive(options.messages, options.seed, Path(logs), quiet=True)
    check(found, options.messages)
    figures = {name: value for name, value in asdict(found).items() if isinstance(value, float | bool)}
    print(json.dumps({**figures, "outcomes": found.metrics["plans"], "refusals": found.dead_letters}, indent=2))


if __name__ == "__main__":
    main()
