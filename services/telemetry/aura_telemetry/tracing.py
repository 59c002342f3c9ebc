"""Traces of windows by OpenTelemetry: off, and nothing of it imported, unless its standard variables name a collector."""

import os
from collections.abc import Mapping
from typing import Protocol

__all__ = ["OFF", "NoSpan", "NoTracing", "Span", "Tracing", "TracingError", "open_tracing"]

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class TracingError(RuntimeError):
    """Traces are asked for and cannot be made; the message is one sentence."""


class Span(Protocol):
    """A stretch of work; `traceparent` is what its children are told, as W3C writes it, or None when traces are off."""

    @property
    def traceparent(self) -> str | None:
        """Header for whoever works on because of it."""

    def end(self, **attributes: str) -> None:
        """The work is done; what came of it."""


class Tracing(Protocol):
    """Makes spans. Attributes are names of arms, numbers and outcomes: no item ids, and nothing that a model said."""

    def start(self, name: str, parent: str | None = None, **attributes: str | int) -> Span:
        """A span that begins now; `parent` is a traceparent."""

    def close(self) -> None:
        """Deliver what has ended."""


class NoSpan:
    """A span that nobody sees."""

    traceparent: str | None = None

    def end(self, **attributes: str) -> None:
        """See `Span.end`."""


class NoTracing:
    """No traces."""

    _SPAN = NoSpan()

    def start(self, name: str, parent: str | None = None, **attributes: str | int) -> Span:  # noqa: ARG002
        """See `Tracing.start`."""
        return self._SPAN

    def close(self) -> None:
        """See `Tracing.close`."""


OFF = NoTracing()


def open_tracing(service: str, environment: Mapping[str, str] | None = None) -> Tracing:
    """Traces to the collector that the OTEL_* variables name, or OFF; `service` is the name unless OTEL_SERVICE_NAME is set.

    Raises TracingError where OpenTelemetry is not installed.
    """
    values = os.environ if environment is None else environment
    disabled = values.get("OTEL_SDK_DISABLED", "").lower() == "true" or values.get("OTEL_TRACES_EXPORTER") == "none"
    if disabled or not any(values.get(name) for name in ENDPOINTS):
        return OFF
    try:
        from aura_telemetry.spans import OpenTelemetry  # noqa: PLC0415 - costs half a second, for those who want it
    except ImportError as error:
        advice = 'install it: pip install "aura-experiment[tracing]", or unset the variable'
        raise TracingError(f"{ENDPOINTS[0]} is set, but {error.name} is not installed; {advice}") from error
    return OpenTelemetry(service)
