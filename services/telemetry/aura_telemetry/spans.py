"""Spans by OpenTelemetry's SDK, sent by OTLP over HTTP in a thread of its own; configured by the OTEL_* variables."""

import os
from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_SERVICE_NAME
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as RealSpan
from opentelemetry.trace import Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["OpenTelemetry"]

HEADER = "traceparent"
PREFIX = "aura."
PROPAGATOR = TraceContextTextMapPropagator()


class WindowSpan:
    """See `aura_telemetry.tracing.Span`."""

    def __init__(self, span: RealSpan) -> None:
        self._span = span

    @property
    def traceparent(self) -> str | None:
        """See `Span.traceparent`."""
        carrier: dict[str, str] = {}
        PROPAGATOR.inject(carrier, set_span_in_context(self._span))
        return carrier.get(HEADER)

    def end(self, **attributes: str) -> None:
        """See `Span.end`."""
        self._span.set_attributes(_named(attributes))
        self._span.end()


class OpenTelemetry:
    """See `aura_telemetry.tracing.Tracing`."""

    def __init__(self, service: str) -> None:
        named = {} if os.environ.get(OTEL_SERVICE_NAME) else {SERVICE_NAME: service}
        self._provider = TracerProvider(resource=Resource.create(named))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer: Tracer = self._provider.get_tracer("aura")

    def start(self, name: str, parent: str | None = None, **attributes: str | int) -> WindowSpan:
        """See `Tracing.start`; a parent that cannot be read is none."""
        context = PROPAGATOR.extract({HEADER: parent}) if parent else None
        return WindowSpan(self._tracer.start_span(name, context, attributes=_named(attributes)))

    def close(self) -> None:
        """See `Tracing.close`."""
        self._provider.shutdown()


def _named(attributes: Mapping[str, str | int]) -> dict[str, str | int]:
    return {f"{PREFIX}{name}": value for name, value in attributes.items()}
