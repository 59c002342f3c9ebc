"""A whole run in which everything that is secret is a word of its own: none of them is anywhere afterwards, or in a process list."""

import base64
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import redis as client
from grpc_front import GrpcFront
from leaks import in_folder, watched_arguments
from model_server import model_server
from tls_front import Certificates, TlsFront

from aura_cli.embedded import Household
from aura_cli.embedded.redis import start_redis

ROWS = 6000
ANSWER = '{"frequency":"high","admit":"all","long":[],"short":[],"protect":[],"seeds":[],"drop":[]}'
MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: secretive}}
spec:
  workload:
    source: {{url: "http://reader:{url}@127.0.0.1:{files}/log.csv?access_token={signature}"}}
    columns: {{user: user}}
  catalog: {{source: {{path: items.csv}}, columns: {{category: null, brand: null}}}}
  cache: {{capacity: 20%}}
  trigger: {{everyEvents: 1000}}
  planner: {{backend: ollama, model: tiny, endpoint: "https://asker:{asker}@127.0.0.1:{ollama}", latency: free}}
  dependencies:
    redis:
      external:
        tls: true
        endpoints: {{baseline: "rediss://default:{first}@127.0.0.1:{baseline}", aura: "default:{second}@127.0.0.1:{aura}"}}
    milvus: {{external: {{endpoint: "https://root:{vectors}@127.0.0.1:{milvus}", tls: true}}}}
"""


@dataclass
class Canaries:
    """Words that occur nowhere else, by what they are the secret of."""

    words: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.words.setdefault(name, f"canary-{name}-{secrets.token_hex(6)}")

    def check(self, texts: dict[str, str]) -> None:
        """None of them, plain or in base64, is in any of the texts."""
        for name, word in self.words.items():
            for form in (word, base64.b64encode(word.encode()).decode().rstrip("=")):
                assert [where for where, text in texts.items() if form in text] == [], name


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
def files(canaries: Canaries) -> Iterator[int]:
    """Port of a server of a log, which wants user and password."""
    log = "user,item\n" + "".join(f"u{row % 40},i{row * row % 997}\n" for row in range(ROWS))
    login = f"reader:{canaries['url']}"
    wanted = f"Basic {base64.b64encode(login.encode()).decode()}"

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(b"")

        def do_GET(self) -> None:
            self._answer(log.encode())

        def _answer(self, body: bytes) -> None:
            known = self.headers["Authorization"] == wanted and f"access_token={canaries['signature']}" in self.path
            self.send_response(200 if known else 401)
            self.send_header("Content-Length", str(len(log) if known else 0))
            self.end_headers()
            self.wfile.write(body if known else b"")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def redis_ports(servers: Household, canaries: Canaries, certificates: Certificates) -> Iterator[dict[str, int]]:
    fronts = {}
    for arm in ("baseline", "aura"):
        url = start_redis(servers, f"leaks-{arm}").url
        with client.Redis.from_url(url) as admin:
            admin.config_set("requirepass", canaries["redis"])
        fronts[arm] = TlsFront(certificates, int(url.rpartition(":")[2].removesuffix("/0")))
    yield {arm: front.port for arm, front in fronts.items()}
    for front in fronts.values():
        front.close()


@pytest.fixture
def ollama(canaries: Canaries, certificates: Certificates) -> Iterator[int]:
    with model_server("tiny", ANSWER, authorization=f"Bearer {canaries['token']}") as url:
        front = TlsFront(certificates, int(url.rpartition(":")[2]))
        yield front.port
        front.close()


@pytest.fixture
def milvus(milvus_lite: int, canaries: Canaries, certificates: Certificates) -> Iterator[int]:
    front = GrpcFront(certificates, milvus_lite, "root", canaries["milvus"])
    yield front.port
    front.close()


@pytest.fixture
def environment(canaries: Canaries, certificates: Certificates) -> dict[str, str]:
    told = {
        "REDIS_USERNAME": "default", "REDIS_PASSWORD": canaries["redis"],
        "MILVUS_USERNAME": "root", "MILVUS_PASSWORD": canaries["milvus"],
        "OLLAMA_API_KEY": canaries["token"], "OPENAI_API_KEY": canaries["openai"],
        "KAFKA_PASSWORD": canaries["kafka"], "MONGODB_PASSWORD": canaries["mongodb"],
    }  # fmt: skip
    told |= {f"{part}_CA": str(certificates.ca) for part in ("REDIS", "MILVUS", "OLLAMA")}
    return {**os.environ, **{f"AURA_{name}": value for name, value in told.items()}, "AURA_LOG": "debug"}


@pytest.fixture
def experiment(tmp_path: Path, canaries: Canaries, files: int, redis_ports: dict[str, int], ollama: int, milvus: int) -> Path:
    (tmp_path / "items.csv").write_text("item,title\n" + "".join(f"i{item},thing number {item}\n" for item in range(997)))
    words = {name: canaries[name] for name in ("url", "signature", "asker", "first", "second", "vectors")}
    text = MANIFEST.format(**words, files=files, ollama=ollama, milvus=milvus, **redis_ports)
    (tmp_path / "experiment.yaml").write_text(text)
    return tmp_path / "experiment.yaml"


def aura(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "aura_cli", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=280, check=False, env=environment)


def test_no_secret_is_in_logs_results_output_or_arguments(
    experiment: Path, environment: dict[str, str], canaries: Canaries
) -> None:
    out = experiment.parent / "out"
    with watched_arguments() as arguments:
        loaded = aura(environment, "load", experiment)
        done = aura(environment, "run", experiment, "--out", out)
    assert (loaded.returncode, loaded.stderr) == (0, "")
    assert done.returncode == 0, done.stderr
    # The very servers were used, and everything that is looked through is there.
    assert '"planner":"ollama/tiny"' in (out / "plans.jsonl").read_text().replace(" ", "")
    assert any(b"aura-executor" in one for one in arguments)
    logs = {path.name for path in (out / "logs").iterdir()}
    assert logs >= {"executor-aura.log", "planner.log", "replayer.log", "kafka.log"}
    assert {"verdict.json", "report.html", "experiment.yaml"} <= {path.name for path in out.iterdir()}
    assert in_folder(out, canaries.words.values()) == {}
    printed = {"standard output": done.stdout + loaded.stdout, "standard error": done.stderr + loaded.stderr}
    canaries.check({**printed, "arguments": b"\n".join(arguments).decode(errors="replace")})


SWEPT = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: swept}}
spec:
  workload: {{source: {{url: "http://reader:{url}@127.0.0.1:{files}/log.csv?access_token={signature}"}}, columns: {{user: user}}}}
  cache: {{capacity: 20%}}
  trigger: {{everyEvents: 1000}}
  planner: {{backend: heuristic}}
"""


def test_a_sweep_keeps_no_login_and_its_cells_log_in(tmp_path: Path, canaries: Canaries, files: int) -> None:
    manifest, out = tmp_path / "swept.yaml", tmp_path / "out"
    manifest.write_text(SWEPT.format(url=canaries["url"], signature=canaries["signature"], files=files))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with watched_arguments() as arguments:
        done = aura(environment, "sweep", manifest, "--capacity", "10%,20%", "--jobs", "1", "--out", out)
        assert done.returncode == 0, done.stderr
        again = aura(environment, "sweep", manifest, "--capacity", "10%,20%", "--jobs", "1", "--out", out)
    assert again.stdout.startswith("2 of 2 cells are there from before\n"), again.stderr
    assert len(list(out.glob("*/seed-*/cell.yaml"))) == len(list(out.glob("*/seed-*/verdict.json"))) == 2
    assert in_folder(out, canaries.words.values()) == {}
    # The whole manifests were there, for the user alone, and are gone.
    assert list(temporary.iterdir()) == []
    said = done.stdout + done.stderr + again.stdout + again.stderr
    canaries.check({"output": said, "arguments": b"\n".join(arguments).decode(errors="replace")})


def test_what_is_found_is_told(tmp_path: Path) -> None:
    """The search itself: it finds a word that is there."""
    word = f"canary-{secrets.token_hex(6)}"
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.log").write_text(f"password={word}")
    assert in_folder(tmp_path, [word, "another"]) == {word: ["deep/x.log"]}
    with watched_arguments() as arguments:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(.5)", word], check=True, timeout=30)
    assert any(word.encode() in one for one in arguments)
