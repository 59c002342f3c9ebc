"""How the clients reach the broker, and the sentence for when they cannot."""

from typing import Any

from aura_contract.connection import refused, tls_fault
from aura_contract.credentials import credentials

__all__ = ["BusError", "connection_settings", "unreachable"]

MECHANISM = "SCRAM-SHA-512"


class BusError(RuntimeError):
    """The broker cannot be used; the message is one sentence that names it."""


def connection_settings(kafka: str) -> dict[str, Any]:
    """What every client of librdkafka is told about the broker; user, password and certificates from the environment."""
    found = credentials("KAFKA")
    settings: dict[str, Any] = {
        "bootstrap.servers": kafka,
        "security.protocol": f"{'sasl_' if found.username else ''}{'ssl' if found.tls else 'plaintext'}",
        "log_level": 0,
    }
    if found.username:
        settings |= {"sasl.mechanism": found.mechanism or MECHANISM}
        settings |= {"sasl.username": found.username, "sasl.password": found.password or ""}
    files = {"ssl.ca.location": found.ca, "ssl.certificate.location": found.cert, "ssl.key.location": found.key}
    return settings | {name: path for name, path in files.items() if path}


def unreachable(kafka: str, reason: str, *, refuses: bool) -> str:
    """Why the broker cannot be used and what to do; `refuses` when it did not take user and password."""
    fault = refused("KAFKA") if refuses else tls_fault("KAFKA", kafka)
    return f"Kafka at {kafka} {fault or f'does not answer: {reason}; check the address or start the broker'}"
