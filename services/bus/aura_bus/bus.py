"""Kafka clients of the services: topics that exist before use, producers that retry, consumers that commit by hand."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

__all__ = ["BusError", "Publisher", "Received", "Subscriber", "ensure_topics"]

MAX_MESSAGE_BYTES = 4 * 1024 * 1024

PROMPT_MS, PATIENT_MS = 20, 500
"""`fetch.wait.max.ms` where somebody waits for a message and where nobody does (docs/decisions/0010-patient-consumers.md)."""


class BusError(RuntimeError):
    """The broker cannot be used; the message is one sentence that names it."""


@dataclass(frozen=True)
class Received:
    """One message as it came; `commit` marks it and all before it in its partition as done."""

    topic: str
    key: bytes
    value: bytes
    commit: Callable[[], None]


def ensure_topics(kafka: str, names: Sequence[str], *, partitions: int = 1, timeout: float = 30.0) -> None:
    """Create the topics that are missing; waits up to `timeout` seconds for the broker, then raises BusError."""
    admin = AdminClient({"bootstrap.servers": kafka, "socket.timeout.ms": 5000, "log_level": 0})
    deadline = time.monotonic() + timeout
    missing = list(names)
    while missing:
        try:
            known = admin.list_topics(timeout=min(5.0, timeout)).topics
            missing = [name for name in missing if name not in known]
            if missing:
                _create(admin, missing, partitions)
                return
        except KafkaException as error:
            if time.monotonic() > deadline:
                raise BusError(
                    f"Kafka at {kafka} does not answer: {_text(error)}; check the address or start the broker"
                ) from error
            time.sleep(0.2)


def _create(admin: AdminClient, names: Sequence[str], partitions: int) -> None:
    for future in admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
        try:
            future.result(timeout=10)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


class Publisher:
    """A producer: a message is retried while its topic is missing or the broker away, up to `timeout` seconds."""

    def __init__(self, kafka: str, *, timeout: float = 60.0) -> None:
        self._kafka = kafka
        self._failure: str | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "message.timeout.ms": int(timeout * 1000),
                "message.max.bytes": MAX_MESSAGE_BYTES,
                "topic.metadata.propagation.max.ms": int(timeout * 1000),
                "enable.idempotence": False,
                "max.in.flight": 1,
                "linger.ms": 0,
                "socket.nagle.disable": True,
                "log_level": 0,
            }
        )

    def publish(self, topic: str, key: bytes, value: bytes) -> None:
        """Queue one message; raises BusError when an earlier one was given up."""
        self._producer.produce(topic, key=key, value=value, on_delivery=self._delivered)
        self._producer.poll(0)
        self._check()

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until all is delivered; raises BusError when it is not within `timeout` seconds."""
        left = self._producer.flush(timeout)
        self._check()
        if left:
            raise BusError(
                f"Kafka at {self._kafka} took none of the last {left} messages within {timeout:g} s; is it still running?"
            )

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
                "bootstrap.servers": kafka,
                "group.id": group or "aura-unnamed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": PATIENT_MS if patient else PROMPT_MS,
                "fetch.error.backoff.ms": 50,
                "session.timeout.ms": 6000,
                "allow.auto.create.topics": False,
                "topic.metadata.refresh.interval.ms": 1000,
                "log_level": 0,
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
        return Received(message.topic() or "", message.key() or b"", message.value() or b"", lambda: self._commit(message))

    def _commit(self, message: Message) -> None:
        self._consumer.commit(message=message, asynchronous=True)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def __enter__(self) -> "Subscriber":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _text(error: KafkaException) -> str:
    inner = error.args[0] if error.args else error
    return inner.str() if isinstance(inner, KafkaError) else str(inner)
