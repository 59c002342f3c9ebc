"""Traces of windows: one trace from replayer through planner to executor, and nothing at all when they are off."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aura_bus import Publisher, Subscriber, ensure_topics
from aura_cli.embedded import Household
from aura_cli.embedded.kafka import start_broker
from aura_telemetry.tracing import OFF, TracingError, open_tracing

MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {name: traced}
spec:
  workload: {source: {dataset: complete-journey}, requests: [purchase], limit: 20000}
  catalog: {source: {dataset: complete-journey}}
  cache: {capacity: 10%}
  trigger: {everyEvents: 4000}
  planner: {backend: heuristic}
  controls: [noop]
"""
SERVICES = {"window": "aura-replayer", "plan": "aura-planner", "apply": "aura-executor"}
ATTRIBUTES = {"aura.arm", "aura.window", "aura.plan_id", "aura.outcome"}
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Collector:
    """What arrived, with the service that sent it."""

    port: int = 0
    spans: list[tuple[str, Span]] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> dict[bytes, Span]:
        """Spans by id."""
        return {span.span_id: span for _, span in self.spans if span.name == name}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector of OTLP over HTTP."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            for sent in request.resource_spans:
                service = next(one.value.string_value for one in sent.resource.attributes if one.key == "service.name")
                found.spans += [(service, span) for scope in sent.scope_spans for span in scope.spans]
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def replay(folder: Path, **environment: str) -> None:
    (folder / "traced.yaml").write_text(MANIFEST)
    command = [sys.executable, "-m", "aura_cli", "run", str(folder / "traced.yaml"), "--out", str(folder / "out")]
    subprocess.run(command, check=True, timeout=200, env={**os.environ, **environment})


def test_the_spans_of_a_window_are_one_trace(tmp_path: Path) -> None:
    with collecting() as collector:
        replay(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
    assert {(span.name, service) for service, span in collector.spans} == set(SERVICES.items())
    windows, plans, applies = (collector.named(name) for name in SERVICES)
    assert len(windows) == len(plans) == 8, "four windows of two arms"
    for span in plans.values():
        assert windows[span.parent_span_id].trace_id == span.trace_id
        assert windows[span.parent_span_id].start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
    for span in applies.values():
        assert plans[span.parent_span_id].trace_id == span.trace_id
    assert len({span.trace_id for span in windows.values()}) == 8
    told = {arm(span) for span in applies.values() if outcome(span) == "applied"}
    assert "aura" in told


def test_spans_say_no_more_than_they_should(tmp_path: Path) -> None:
    with collecting() as collector:
        replay(tmp_path, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.endpoint}/v1/traces", OTEL_SERVICE_NAME="mine")
    assert {service for service, _ in collector.spans} == {"mine"}
    for _, span in collector.spans:
        assert {one.key for one in span.attributes} == ATTRIBUTES
        assert not span.events


def attribute(span: Span, name: str) -> str:
    return next(str(one.value.string_value) for one in span.attributes if one.key == name)


def arm(span: Span) -> str:
    return attribute(span, "aura.arm")


def outcome(span: Span) -> str:
    return attribute(span, "aura.outcome")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://here", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://here", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_traces_are_off_unless_a_collector_is_named(environment: dict[str, str]) -> None:
    assert open_tracing("any", environment) is OFF
    assert OFF.start("window", arm="aura", window=1).traceparent is None


# Redis' client, which the replayer has, imports a part of OpenTelemetry by itself where it is installed.
@pytest.mark.parametrize(
    ("service", "absent"),
    [("planner", "opentelemetry"), ("replayer", "opentelemetry.exporter"), ("replayer", "aura_telemetry.spans")],
)
def test_nothing_is_imported_when_traces_are_off(service: str, absent: str) -> None:
    code = (
        f"import sys, aura_{service}.main; from aura_telemetry.tracing import open_tracing; open_tracing('any', {{}}); "
        f"sys.exit(any(name.startswith('{absent}') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_collector_without_the_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aura_telemetry.spans", None)
    with pytest.raises(TracingError, match=r'is not installed; install it: pip install "aura-experiment\[tracing\]"'):
        open_tracing("any", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://here"})


@pytest.mark.parametrize("traceparent", [None, TRACEPARENT])
def test_a_message_carries_its_trace_and_else_no_header(servers: Household, traceparent: str | None) -> None:
    kafka = start_broker(servers).address
    ensure_topics(kafka, {"traced": 1})
    publisher, subscriber = Publisher(kafka), Subscriber(kafka, ["traced"])
    publisher.publish("traced", b"key", b"value", traceparent=traceparent)
    publisher.flush()
    received = next(message for _ in range(200) if (message := subscriber.poll(0.1)) is not None)
    assert (received.value, received.traceparent) == (b"value", traceparent)
    subscriber.close()
