"""Kafka clients of the services: producers that retry, consumers that commit by hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from aura_bus.connection import BusError, connection_settings

__all__ = ["Publisher", "Received", "Subscriber"]

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
METADATA_S = 10.0
BY_KEY = -1
TRACEPARENT = "traceparent"

Headers = dict[str, str | bytes | None] | None

PROMPT_MS, PATIENT_MS = 20, 500
"""`fetch.wait.max.ms` where somebody waits for a message and where nobody does (docs/decisions/0010-patient-consumers.md)."""


@dataclass(frozen=True)
class Received:
    """One message as it came; `commit` marks it and all before it in its partition as done.

    `traceparent` names the trace in which it was sent, if any.
    """

    topic: str
    partition: int
    key: bytes
    value: bytes
    commit: Callable[[], None]
    traceparent: str | None = None


class Publisher:
    """A producer: a message is retried while its topic is missing or the broker away, up to `timeout` seconds."""

    def __init__(self, kafka: str, *, timeout: float = 60.0) -> None:
        self._kafka = kafka
        self._failure: str | None = None
        self._counts: dict[str, int] = {}
        self._producer = Producer(
            {
                **connection_settings(kafka),
                "message.timeout.ms": int(timeout * 1000),
                "message.max.bytes": MAX_MESSAGE_BYTES,
                "topic.metadata.propagation.max.ms": int(timeout * 1000),
                "enable.idempotence": False,
                "max.in.flight": 1,
                "linger.ms": 0,
                "socket.nagle.disable": True,
            }
        )

    def publish(self, topic: str, key: bytes, value: bytes, *, slot: int | None = None, traceparent: str | None = None) -> None:
        """Queue one message; raises BusError when an earlier one was given up.

        The key chooses the partition, or `slot` does: messages of neighbouring slots go to different partitions. Whoever
        receives the message works on in the trace of `traceparent`.
        """
        headers: Headers = {TRACEPARENT: traceparent} if traceparent else None
        partition = BY_KEY if slot is None else slot % self._partitions(topic)
        self._producer.produce(topic, key=key, value=value, partition=partition, on_delivery=self._delivered, headers=headers)
        self._producer.poll(0)
        self._check()

    def prepare(self, topic: str) -> None:
        """Connect and learn of the topic's partitions, so that its first message need not wait; raises BusError."""
        self._partitions(topic)

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until all is delivered; raises BusError when it is not within `timeout` seconds."""
        left = self._producer.flush(timeout)
        self._check()
        if left:
            raise BusError(
                f"Kafka at {self._kafka} took none of the last {left} messages within {timeout:g} s; is it still running?"
            )

    def _partitions(self, topic: str) -> int:
        if topic not in self._counts:
            try:
                found = self._producer.list_topics(topic, timeout=METADATA_S).topics[topic]
            except KafkaException as error:
                raise BusError(f"Kafka at {self._kafka} does not tell the partitions of {topic}; is it still running?") from error
            self._counts[topic] = max(1, len(found.partitions))
        return self._counts[topic]

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failure = f"Kafka at {self._kafka} refused a message: {error.str()}"

    def _check(self) -> None:
        if self._failure:
            raise BusError(self._failure)


class Subscriber:
    """A consumer of whole topics from their earliest offset.

    With a `group` the partitions are shared and commits remembered; without one every message is seen. A `patient` one sees
    messages up to half a second late and costs the broker next to nothing.
    """

    def __init__(self, kafka: str, topics: Sequence[str], *, group: str | None = None, patient: bool = False) -> None:
        self._consumer = Consumer(
            {
                **connection_settings(kafka),
                "group.id": group or "aura-unnamed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": PATIENT_MS if patient else PROMPT_MS,
                "fetch.error.backoff.ms": 50,
                "session.timeout.ms": 6000,
                # Neighbouring partitions go to different members, so that few arms are spread over all planners.
                "partition.assignment.strategy": "roundrobin",
                "allow.auto.create.topics": False,
                "topic.metadata.refresh.interval.ms": 1000,
            }
        )
        if group:
            self._consumer.subscribe(list(topics))
        else:
            self._consumer.assign(self._all_partitions(kafka, topics))

    def _all_partitions(self, kafka: str, topics: Sequence[str]) -> list[TopicPartition]:
        known = self._consumer.list_topics(timeout=10).topics
        absent = [name for name in topics if name not in known]
        if absent:
            raise BusError(f"Kafka at {kafka} has no topic {', '.join(absent)}; create it or let ensure_topics do it")
        return [TopicPartition(name, number, 0) for name in topics for number in known[name].partitions]

    def poll(self, timeout: float) -> Received | None:
        """The next message within `timeout` seconds, or None; a broker that is away is waited for."""
        message = self._consumer.poll(timeout)
        if message is None or message.error() is not None:
            return None
        return Received(
            message.topic() or "",
            message.partition() or 0,
            message.key() or b"",
            message.value() or b"",
            # Not the message itself: many may wait for their commit.
            partial(self._commit, TopicPartition(message.topic() or "", message.partition() or 0, (message.offset() or 0) + 1)),
            _traceparent(message),
        )

    def _commit(self, done: TopicPartition) -> None:
        self._consumer.commit(offsets=[done], asynchronous=True)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def __enter__(self) -> "Subscriber":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _traceparent(message: Message) -> str | None:
    found = dict(message.headers() or ()).get(TRACEPARENT)
    return found.decode("ascii", "replace") if isinstance(found, bytes) else None
