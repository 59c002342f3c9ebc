"""The executor's rate on plans of 40 actions against redis-benchmark's pipelined SET, and the time of a single plan.

Both use one connection with 40 commands in a pipeline and values of the same size on the same server, in turn. The plans lie in
the topic before the executor starts; the clock runs from the first receipt to the last.
"""

import json
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import redis
from results import Result, at_least, below

from aura_bus import Publisher, Subscriber, ensure_topics
from aura_cli.embedded import Household
from aura_cli.embedded.household import Child
from aura_cli.embedded.kafka import start_broker
from aura_cli.embedded.ports import free_port
from aura_cli.embedded.redis import start_redis
from aura_cli.embedded.services import find_executor
from aura_contract.receipt import Receipt
from aura_contract.topics import Topics, message_key

__all__ = ["executor_benchmarks"]

PLANS = 5000
SINGLE_PLANS = 500
HALF = 20
VALUE = "x" * 130
PAIRS = 3


def plan(number: int, run: str) -> bytes:
    """A plan of 20 evictions and 20 prefetches, in the prototype's form with an envelope."""
    evict = [f"item:{(number * HALF + step) % 50_000}" for step in range(HALF)]
    prefetch = [{"k": f"item:{50_000 + (number * HALF + step) % 50_000}", "v": VALUE, "ttl": 900} for step in range(HALF)]
    return json.dumps({"evict": evict, "prefetch": prefetch, "plan_id": f"{run}-{number}", "run": run, "arm": "aura"}).encode()


def start(house: Household, kafka: str, url: str, prefix: str) -> Child:
    """An executor on a plain Redis."""
    argv = [find_executor(), "--kafka", kafka, "--topic-prefix", prefix, "--arm", "aura", "--redis", url, "--mode", "plain"]
    return house.start(f"executor-{prefix}", "the executor", [*argv, "--listen", f"127.0.0.1:{free_port()}"])


def stop(house: Household, child: Child) -> None:
    """End a process of the house."""
    child.signal(signal.SIGTERM)
    child.wait(10)
    house.forget(child)


def throughput(house: Household, kafka: str, url: str, turn: int) -> float:
    """Actions a second over a backlog of plans."""
    topics, key = Topics(f"bulk{turn}-"), message_key("bench", "aura")
    ensure_topics(kafka, topics.partitions)
    publisher = Publisher(kafka)
    for number in range(PLANS):
        publisher.publish(topics.plan, key, plan(number, f"bulk{turn}"))
    publisher.flush(120)
    child = start(house, kafka, url, topics.prefix)
    with Subscriber(kafka, [topics.applied]) as receipts:
        _receive(receipts, 60)
        started = time.perf_counter()
        for _ in range(PLANS - 1):
            _receive(receipts, 60)
        seconds = time.perf_counter() - started
    stop(house, child)
    return (PLANS - 1) * 2 * HALF / seconds


def single_plan_ms(house: Household, kafka: str, url: str) -> list[float]:
    """Milliseconds that each of several plans took, one at a time."""
    topics, key = Topics("single-"), message_key("bench", "aura")
    ensure_topics(kafka, topics.partitions)
    publisher, times = Publisher(kafka), []
    child = start(house, kafka, url, topics.prefix)
    with Subscriber(kafka, [topics.applied]) as receipts:
        for number in range(SINGLE_PLANS):
            publisher.publish(topics.plan, key, plan(number, "single"))
            times.append(_receive(receipts, 60).latency_ms)
    stop(house, child)
    return times


def _receive(receipts: Subscriber, timeout: float) -> Receipt:
    message = receipts.poll(timeout)
    if message is None:
        raise SystemExit("benchmark failed: the executor does not answer")
    return Receipt.model_validate_json(message.value)


def pipelined_sets(url: str) -> float:
    """SETs a second of redis-benchmark, one client, 40 in a pipeline."""
    binary = shutil.which("redis-benchmark") or shutil.which("valkey-benchmark")
    if binary is None:
        raise SystemExit("the benchmark `executor` needs redis-benchmark; install redis-tools")
    server = urlsplit(url)
    where = ["-h", server.hostname or "", "-p", str(server.port), "-a", server.password or ""]
    argv = [
        binary,
        *where,
        "-t",
        "set",
        "-c",
        "1",
        "-P",
        str(2 * HALF),
        "-n",
        "400000",
        "-r",
        "100000",
        "-d",
        str(len(VALUE)),
        "--csv",
    ]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return float(next(line for line in lines if line.startswith('"SET"')).split('","')[1].strip('"'))


def executor_benchmarks() -> list[Result]:
    """`executor_vs_pipelined_set`, `executor_plan_p99_ms`."""
    with Household(Path(tempfile.mkdtemp())) as house:
        kafka, url = start_broker(house).address, start_redis(house, "aura").url
        pairs = []
        for turn in range(PAIRS):
            redis.Redis.from_url(url).flushall()
            pairs.append((throughput(house, kafka, url, turn), pipelined_sets(url)))
        times = sorted(single_plan_ms(house, kafka, url))
    value = statistics.median(own for own, _ in pairs)
    ratio = statistics.median(own / raw for own, raw in pairs)
    print(f"  single plan: median {statistics.median(times):.2f} ms")
    return [
        at_least("executor_vs_pipelined_set", value, "actions/s", value / ratio, 0.7),
        below("executor_plan_p99_ms", times[int(len(times) * 0.99)], "ms", 5.0),
    ]
