"""Topics that exist before they are used."""

import time
from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from aura_bus.connection import BusError, connection_settings, unreachable

__all__ = ["ensure_topics"]

REPLICAS = -1
"""As many as the broker makes by default."""


def ensure_topics(kafka: str, topics: Mapping[str, int], *, timeout: float = 30.0) -> None:
    """Create the topics that are missing; `topics` are their partitions by name.

    Waits up to `timeout` seconds for the broker, then raises BusError. A broker that refuses user and password is not waited for.
    """
    refusals: list[str] = []

    def note(error: KafkaError) -> None:
        if error.code() == KafkaError._AUTHENTICATION:
            refusals.append(error.str())

    settings = {**connection_settings(kafka), "socket.timeout.ms": 5000, "error_cb": note}
    try:
        admin = AdminClient(settings)
    except KafkaException as error:
        raise BusError(unreachable(kafka, _text(error), refuses=False)) from error
    deadline = time.monotonic() + timeout
    while True:
        try:
            known = admin.list_topics(timeout=min(5.0, timeout)).topics
            missing = {name: partitions for name, partitions in topics.items() if name not in known}
            if missing:
                _create(admin, missing)
        except KafkaException as error:
            # Lets the callback tell why.
            admin.poll(0)
            if refusals or time.monotonic() > deadline:
                raise BusError(unreachable(kafka, _text(error), refuses=bool(refusals))) from error
            time.sleep(0.2)
        else:
            return


def _create(admin: AdminClient, topics: Mapping[str, int]) -> None:
    for future in admin.create_topics([NewTopic(*topic, REPLICAS) for topic in topics.items()]).values():
        try:
            future.result(timeout=10)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def _text(error: KafkaException) -> str:
    inner = error.args[0] if error.args else error
    return inner.str() if isinstance(inner, KafkaError) else str(inner)
