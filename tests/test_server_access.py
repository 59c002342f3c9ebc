"""Milvus and Ollama behind TLS and a login: what works, and the sentence and exit code when it does not."""

import base64
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from grpc_front import GrpcFront
from model_server import model_server
from tls_front import Certificates, TlsFront

from aura_data.errors import ServerError
from aura_data.neighbours import MilvusNeighbours
from aura_planner.reasoners.http import ModelUnreachable
from aura_planner.reasoners.ollama import OllamaServer

USER, PASSWORD, TOKEN = "aura", "a-secret-word", "a-secret-token"
UNTRUSTED = (
    "has a certificate that is not trusted (unable to get local issuer certificate); "
    "give its CA in AURA_{part}_CA, in Kubernetes ca.crt"
)
REFUSED = (
    "refuses user and password; correct AURA_{part}_USERNAME and AURA_{part}_PASSWORD, "
    "in Kubernetes the Secret's username and password"
)
KEY_REFUSED = "refuses the API key; correct AURA_OLLAMA_API_KEY, in Kubernetes the Secret's api-key"
ANSWER = '{"frequency":"high","admit":"all","long":[],"short":[],"protect":[],"seeds":[],"drop":[]}'

Set = Callable[..., None]


@pytest.fixture(scope="module")
def milvus(milvus_lite: int, certificates: Certificates) -> Iterator[int]:
    """Port of Milvus Lite's server behind TLS and a password."""
    front = GrpcFront(certificates, milvus_lite, USER, PASSWORD)
    yield front.port
    front.close()


LOADABLE = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: l}}
spec:
  workload: {{source: {{path: items.csv}}}}
  catalog: {{source: {{path: items.csv}}, columns: {{category: null, brand: null}}}}
  cache: {{capacity: 5%}}
  dependencies: {{milvus: {{external: {{endpoint: "127.0.0.1:{port}", tls: true}}}}}}
"""


def load(folder: Path, port: int) -> tuple[int, str]:
    """Exit code and standard error of `aura load`."""
    (folder / "items.csv").write_text("item,title\na,tea\nb,green tea\n")
    (folder / "experiment.yaml").write_text(LOADABLE.format(port=port))
    argv = [sys.executable, "-m", "aura_cli", "load", str(folder / "experiment.yaml")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stderr


def test_milvus_with_password_and_certificate(milvus: int, told: Set, certificates: Certificates, tmp_path: Path) -> None:
    told("MILVUS", username=USER, password=PASSWORD, ca=certificates.ca)
    assert load(tmp_path, milvus) == (0, "")
    found = MilvusNeighbours(f"127.0.0.1:{milvus}")
    assert found.similar(["a"], 1) == {"a": ["b"]}
    found.close()


def test_milvus_with_a_wrong_password(milvus: int, told: Set, certificates: Certificates, tmp_path: Path) -> None:
    told("MILVUS", username=USER, password="another-word", ca=certificates.ca)
    sentence = f"Milvus at http://127.0.0.1:{milvus}: {REFUSED.format(part='MILVUS')}"
    assert load(tmp_path, milvus) == (3, f"aura: {sentence}\n")
    with pytest.raises(ServerError) as caught:
        MilvusNeighbours(f"127.0.0.1:{milvus}")
    assert str(caught.value) == sentence


def test_milvus_with_a_wrong_ca(milvus: int, told: Set, certificates: Certificates, tmp_path: Path) -> None:
    told("MILVUS", username=USER, password=PASSWORD, ca=certificates.other_ca)
    sentence = f"Milvus at http://127.0.0.1:{milvus}: {UNTRUSTED.format(part='MILVUS')}"
    assert load(tmp_path, milvus) == (3, f"aura: {sentence}\n")


@pytest.fixture(scope="module")
def ollama(certificates: Certificates) -> Iterator[Callable[[str], str]]:
    """Url of a server of one model behind TLS, which wants the Authorization header that is asked for."""
    headers = {"token": f"Bearer {TOKEN}", "password": f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"}
    with ExitStack() as stack:
        urls = {kind: stack.enter_context(model_server("tiny", ANSWER, authorization=header)) for kind, header in headers.items()}
        fronts = {kind: TlsFront(certificates, int(url.rpartition(":")[2])) for kind, url in urls.items()}
        for front in fronts.values():
            stack.callback(front.close)
        yield lambda kind: f"127.0.0.1:{fronts[kind].port}"


def test_ollama_with_a_token_or_a_password(ollama: Callable[[str], str], told: Set, certificates: Certificates) -> None:
    told("OLLAMA", ca=certificates.ca, api_key=TOKEN)
    assert OllamaServer(ollama("token"), "tiny", 0).problem() is None
    told("OLLAMA", api_key="", username=USER, password=PASSWORD)
    assert OllamaServer(f"https://{ollama('password')}/api", "tiny", 0).problem() is None
    told("OLLAMA", username="", password="")
    assert OllamaServer(f"https://{USER}:{PASSWORD}@{ollama('password')}", "tiny", 0).problem() is None


def test_ollama_that_refuses_us(ollama: Callable[[str], str], told: Set, certificates: Certificates) -> None:
    told("OLLAMA", ca=certificates.ca)
    shown = f"Ollama at https://{ollama('token')}"
    assert OllamaServer(ollama("token"), "tiny", 0).problem() == f"{shown} {KEY_REFUSED}"
    told("OLLAMA", api_key="another")
    assert OllamaServer(ollama("token"), "tiny", 0).problem() == f"{shown} {KEY_REFUSED}"
    told("OLLAMA", api_key="", username=USER, password="another")
    shown = f"Ollama at https://{ollama('password')}"
    assert OllamaServer(ollama("password"), "tiny", 0).problem() == f"{shown} {REFUSED.format(part='OLLAMA')}"


def test_ollama_with_a_wrong_ca(ollama: Callable[[str], str], told: Set, certificates: Certificates) -> None:
    told("OLLAMA", ca=certificates.other_ca, api_key=TOKEN)
    sentence = f"Ollama at https://{ollama('token')} {UNTRUSTED.format(part='OLLAMA')}"
    server = OllamaServer(ollama("token"), "tiny", 0)
    assert server.problem() == sentence
    with pytest.raises(ModelUnreachable) as caught:
        server.models(5)
    assert str(caught.value) == sentence
