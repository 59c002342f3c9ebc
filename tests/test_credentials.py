"""Passwords and certificates of every client, against servers that want them, and the sentence when they are wrong."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis as client
from rich.console import Console
from tls_front import Certificates, TlsFront

from aura_bus import BusError, Publisher, Subscriber, ensure_topics
from aura_cli.embedded import Household
from aura_cli.embedded.kafka import start_broker
from aura_cli.embedded.redis import start_redis
from aura_cli.embedded.services import find_executor
from aura_cli.leftovers import clear_servers
from aura_contract.cache import TtlSpec
from aura_contract.credentials import PARTS, Part, adopt, credentials
from aura_contract.dependencies import DependenciesSpec
from aura_contract.manifest import ManifestError, parse_manifest
from aura_contract.results import Verdict
from aura_data.catalog import MongoCatalog
from aura_data.errors import ServerError
from aura_data.neighbours import MilvusNeighbours
from aura_planner.reasoners.http import ModelUnreachable
from aura_planner.reasoners.ollama import OllamaServer
from aura_replayer.arm.base import ArmLost
from aura_replayer.arm.event_arm import EventArm

Front = Callable[..., int]
Set = Callable[..., None]
FAILURES = (BusError, ArmLost, ServerError, ModelUnreachable)


@pytest.fixture(scope="module")
def redis(servers: Household) -> tuple[int, str]:
    """Port and password."""
    _, _, rest = start_redis(servers, "secured").url.partition("://:")
    password, _, address = rest.partition("@")
    return int(address.removesuffix("/0").rpartition(":")[2]), password


@pytest.fixture
def front(certificates: Certificates) -> Iterator[Front]:
    """Puts a TLS port before a plain one."""
    fronts: list[TlsFront] = []

    def make(target: int, *, client_certificate: bool = False) -> int:
        fronts.append(TlsFront(certificates, target, client_certificate=client_certificate))
        return fronts[-1].port

    yield make
    for one in fronts:
        one.close()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def use(part: Part, port: int) -> None:
    """One client of the part, used once."""
    if part == "KAFKA":
        ensure_topics(f"127.0.0.1:{port}", {"t": 1}, timeout=2)
    elif part == "REDIS":
        EventArm("aura", f"127.0.0.1:{port}", TtlSpec()).close()
    elif part == "MONGODB":
        MongoCatalog(f"127.0.0.1:{port}").close()
    elif part == "OLLAMA":
        OllamaServer(f"127.0.0.1:{port}", "some-model", 0).models(5)
    else:
        MilvusNeighbours(f"127.0.0.1:{port}").close()


def name(part: Part, port: int) -> str:
    return {
        "KAFKA": f"Kafka at 127.0.0.1:{port} ",
        "REDIS": f"Redis of arm aura at 127.0.0.1:{port} ",
        "MONGODB": f"MongoDB at 127.0.0.1:{port}: ",
        "MILVUS": f"Milvus at http://127.0.0.1:{port}: ",
        "OLLAMA": f"Ollama at {'https' if credentials('OLLAMA').tls else 'http'}://127.0.0.1:{port} ",
    }[part]


def fails(part: Part, port: int, sentence: str) -> None:
    with pytest.raises(FAILURES) as caught:
        use(part, port)
    assert str(caught.value) == name(part, port) + sentence


@pytest.mark.parametrize("part", PARTS)
def test_tls_that_is_not_set(part: Part, front: Front, redis: tuple[int, str]) -> None:
    sentence = f"speaks TLS; set AURA_{part}_TLS=true, or tls: true beside its endpoint in the manifest"
    fails(part, front(redis[0]), sentence)
    fails(part, front(redis[0], client_certificate=True), sentence)


@pytest.mark.parametrize("part", PARTS)
def test_certificate_that_is_not_trusted(
    part: Part, front: Front, redis: tuple[int, str], told: Set, certificates: Certificates
) -> None:
    told(part, ca=certificates.other_ca)
    reason = "unable to get local issuer certificate"
    sentence = f"has a certificate that is not trusted ({reason}); give its CA in AURA_{part}_CA, in Kubernetes ca.crt"
    fails(part, front(redis[0]), sentence)


@pytest.mark.parametrize("part", PARTS)
def test_tls_that_is_not_spoken(part: Part, redis: tuple[int, str], told: Set) -> None:
    told(part, tls="true")
    fails(part, redis[0], f"does not speak TLS; unset AURA_{part}_TLS and tls in the manifest, or name its TLS port")


@pytest.mark.parametrize("part", PARTS)
def test_client_certificate_that_is_missing(
    part: Part, front: Front, redis: tuple[int, str], told: Set, certificates: Certificates
) -> None:
    told(part, ca=certificates.ca)
    with pytest.raises(FAILURES) as caught:
        use(part, front(redis[0], client_certificate=True))
    assert "wants a client certificate (" in str(caught.value)
    assert str(caught.value).endswith(f"give it in AURA_{part}_CERT and AURA_{part}_KEY, in Kubernetes tls.crt and tls.key")


@pytest.mark.parametrize("part", PARTS)
def test_server_that_is_away(part: Part, closed_port: int, told: Set) -> None:
    told(part, tls="true", username="u", password="secret-word")
    with pytest.raises(FAILURES) as caught:
        use(part, closed_port)
    assert str(caught.value).startswith(f"{name(part, closed_port)}does not answer")
    assert "secret-word" not in str(caught.value)


def test_redis_with_password_certificates_and_a_client_certificate(
    front: Front, redis: tuple[int, str], told: Set, certificates: Certificates
) -> None:
    port, password = redis
    told("REDIS", username="default", password=password)
    use("REDIS", port)
    told("REDIS", ca=certificates.ca)
    use("REDIS", front(port))
    told("REDIS", cert=certificates.client, key=certificates.client_key)
    use("REDIS", front(port, client_certificate=True))
    EventArm("aura", f"rediss://somebody:else@localhost:{front(port)}/0", TtlSpec()).close()


@pytest.mark.parametrize("password", ["secret-word", None])
def test_redis_with_a_wrong_password(redis: tuple[int, str], told: Set, password: str | None) -> None:
    if password:
        told("REDIS", username="default", password=password)
    fails(
        "REDIS",
        redis[0],
        "refuses user and password; correct AURA_REDIS_USERNAME and AURA_REDIS_PASSWORD, in Kubernetes the Secret's username and password",
    )


def test_files_and_pairs_are_checked(told: Set, tmp_path: Path) -> None:
    told("KAFKA", ca=tmp_path / "none.pem")
    for start in (lambda: ensure_topics("k:1", {"t": 1}), lambda: Publisher("k:1"), lambda: Subscriber("k:1", ["t"], group="g")):
        with pytest.raises(ManifestError) as caught:
            start()
        sentence = "cannot be read; name a PEM file that this user may read"
        assert str(caught.value) == f"AURA_KAFKA_CA={tmp_path}/none.pem: {sentence}"
    (tmp_path / "c.pem").touch()
    told("REDIS", cert=tmp_path / "c.pem")
    with pytest.raises(ManifestError) as caught:
        use("REDIS", 1)
    assert "AURA_REDIS_CERT and AURA_REDIS_KEY belong together" in str(caught.value)


def test_a_file_that_is_no_certificate(told: Set, tmp_path: Path, front: Front, redis: tuple[int, str]) -> None:
    (tmp_path / "c.pem").write_text("no certificate")
    told("KAFKA", ca=tmp_path / "c.pem")
    sentence = "cannot be trusted: AURA_KAFKA_CA is no PEM file, or certificate and key do not belong together"
    fails("KAFKA", front(redis[0]), sentence)


def test_the_manifest_switches_tls_on_and_embedded_parts_have_no_credentials() -> None:
    environment = {f"AURA_{part}_PASSWORD": "p" for part in PARTS} | {"AURA_REDIS_TLS": "true"}
    external = {"external": {"endpoint": "e:1", "tls": True}}
    adopt(DependenciesSpec.model_validate({"mongodb": external}), kafka=True, environment=environment)
    # A model server is never embedded in a run on one machine.
    kept = {f"AURA_{part}_PASSWORD": "p" for part in ("KAFKA", "MONGODB", "OLLAMA")}
    assert environment == {**kept, "AURA_MONGODB_TLS": "true"}
    assert credentials("MONGODB", environment).tls


def test_password_is_not_shown(told: Set) -> None:
    told("MILVUS", username="u", password="secret-word")
    assert "secret-word" not in repr(credentials("MILVUS"))


LOADABLE = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: l}}
spec:
  workload: {{source: {{path: log.csv}}}}
  catalog: {{source: {{path: catalog.csv}}}}
  cache: {{capacity: 5%}}
  dependencies: {{mongodb: {{external: {{endpoint: 127.0.0.1:{port}}}}}}}
"""


def load(folder: Path, port: int, *options: str) -> tuple[int, list[str]]:
    (folder / "catalog.csv").write_text("item,title,category,brand\n1,a,b,c\n")
    (folder / "experiment.yaml").write_text(LOADABLE.format(port=port))
    argv = [sys.executable, "-m", "aura_data.loader", "--manifest", str(folder / "experiment.yaml"), *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr.splitlines()


def test_loader_waits_for_a_server_and_then_gives_up(tmp_path: Path, closed_port: int) -> None:
    code, lines = load(tmp_path, closed_port, "--wait", "5")
    away = f"MongoDB at 127.0.0.1:{closed_port}: does not answer; check the address or start the server"
    assert (code, lines[-1]) == (3, f"aura-loader: {away}")
    assert f'"message": "{away}; trying again", "experiment": "l"' in lines[0]


def test_loader_does_not_wait_for_what_will_not_change(tmp_path: Path, front: Front, redis: tuple[int, str]) -> None:
    code, lines = load(tmp_path, front(redis[0]))
    assert (code, len(lines)) == (3, 1)
    assert "speaks TLS; set AURA_MONGODB_TLS=true" in lines[0]


def test_loader_with_nothing_to_load(tmp_path: Path) -> None:
    (tmp_path / "experiment.yaml").write_text(LOADABLE.format(port=1).replace("catalog: {source: {path: catalog.csv}}", ""))
    argv = [sys.executable, "-m", "aura_data.loader", "--manifest", str(tmp_path / "experiment.yaml")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    sentence = f"{tmp_path}/experiment.yaml: spec.catalog is missing; name the catalogue that is to be loaded"
    assert (done.returncode, done.stderr) == (2, f"aura-loader: {sentence}\n")


RUN = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: outside}}
spec:
  workload: {{source: {{dataset: complete-journey}}, requests: [purchase], limit: 20000}}
  cache: {{capacity: 5%}}
  planner: {{backend: heuristic}}
  dependencies:
    redis: {{external: {{tls: true, endpoints: {{baseline: "127.0.0.1:{baseline}", aura: "127.0.0.1:{aura}"}}}}}}
    kafka: {{external: {{endpoint: "{kafka}"}}}}
"""


def run(folder: Path, manifest: str) -> subprocess.CompletedProcess[str]:
    (folder / "experiment.yaml").write_text(manifest)
    argv = [sys.executable, "-m", "aura_cli", "run", str(folder / "experiment.yaml"), "--out", str(folder / "out"), "--force"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=280, check=False)


@pytest.mark.parametrize("filled", [True, False])
def test_keys_that_are_left_are_told_of_where_they_can_be(
    redis: tuple[int, str], told: Set, closed_port: int, capsys: pytest.CaptureFixture[str], filled: bool
) -> None:
    told("REDIS", username="default", password="secret-word")
    manifest = parse_manifest(RUN.format(baseline=redis[0], aura=closed_port, kafka="k:1").replace("tls: true, ", ""))
    clear_servers(Console(stderr=True, width=500), manifest.spec, filled=filled)
    word = "are" if filled else "may be"
    refuses = "refuses user and password; correct AURA_REDIS_USERNAME and AURA_REDIS_PASSWORD, in Kubernetes the Secret's username and password"
    silent = "does not answer (ConnectionError); check the address or start the server"
    warnings = [
        *([f"Redis of arm baseline at 127.0.0.1:{redis[0]} {refuses}"] if filled else []),
        f"Redis of arm aura at 127.0.0.1:{closed_port} {silent}",
    ]
    assert capsys.readouterr().err.splitlines() == [
        f"aura: warning: {warning}; the run's keys {word} still there" for warning in warnings
    ]


def test_run_on_servers_of_the_users_own_leaves_them_as_they_were(
    servers: Household, front: Front, told: Set, certificates: Certificates, tmp_path: Path
) -> None:
    ports, clients = [], []
    password = "a-secret-word"
    for arm in ("baseline", "aura"):
        url = start_redis(servers, f"own-{arm}").url
        clients.append(client.Redis.from_url(url))
        clients[-1].config_set("requirepass", password)
        ports.append(front(int(url.rpartition(":")[2].removesuffix("/0"))))
    told("REDIS", password=password, ca=certificates.ca)
    manifest = RUN.format(baseline=ports[0], aura=ports[1], kafka=start_broker(servers).address)
    done = run(tmp_path, manifest)
    assert done.returncode == 0, done.stderr
    arms = Verdict.model_validate_json((tmp_path / "out" / "verdict.json").read_text()).arms
    assert (arms["aura"].requests, arms["aura"].plans.applied) == (20_000, 3)
    for one in clients:
        assert (one.dbsize(), one.function_list(), one.config_get("maxmemory")) == (0, [], {"maxmemory": "0"})
    assert password not in "".join(path.read_text(errors="replace") for path in (tmp_path / "out").rglob("*") if path.is_file())
    clients[1].set("item:mine", "1")
    done = run(tmp_path, manifest)
    sentence = "holds 1 keys that are not an experiment's; an arm needs a whole server, so name one that is empty"
    assert (done.returncode, done.stderr) == (2, f"aura: Redis of arm aura at 127.0.0.1:{ports[1]} {sentence}\n")
    assert clients[1].get("item:mine") == b"1"


def test_redis_that_may_not_be_configured(redis: tuple[int, str], told: Set) -> None:
    port, password = redis
    with client.Redis(port=port, password=password) as admin:
        admin.acl_setuser("narrow", enabled=True, passwords=["+p"], keys=["*"], commands=["+@all", "-config"])
    told("REDIS", username="narrow", password="p")
    with pytest.raises(ArmLost) as caught:
        use("REDIS", port)
    assert str(caught.value).startswith(f"Redis of arm aura at 127.0.0.1:{port} does not allow CONFIG SET maxmemory (")
    assert str(caught.value).endswith("); name a server of which this user may set the memory limit and policy")


def executor_says(port: int, *options: str) -> str:
    """The last sentence of an executor that gave up."""
    argv = [find_executor(), "--kafka", "127.0.0.1:1", "--redis", f"127.0.0.1:{port}", "--listen", "127.0.0.1:0"]
    done = subprocess.run([*argv, "--redis-timeout", "0.5", *options], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1, done.stderr
    assert "secret-word" not in done.stderr
    return done.stderr.splitlines()[-1].removeprefix(f"aura-executor: Redis at 127.0.0.1:{port} did not serve plans for 0.5 s: ")


def test_executor_says_what_is_wrong(front: Front, redis: tuple[int, str], told: Set, certificates: Certificates) -> None:
    port, _ = redis
    refusal = "it refuses user and password; correct AURA_REDIS_USERNAME and AURA_REDIS_PASSWORD, in Kubernetes the Secret's username and password"
    assert executor_says(port) == refusal
    assert executor_says(front(port)).startswith(
        "it speaks TLS; set AURA_REDIS_TLS=true, or tls: true beside its endpoint in the manifest ("
    )
    told("REDIS", username="default", password="secret-word")
    assert executor_says(port) == refusal
    told("REDIS", tls="true")
    assert executor_says(port) == "it does not speak TLS; unset AURA_REDIS_TLS and tls in the manifest, or name its TLS port"
    told("REDIS", ca=certificates.other_ca)
    fix = "give its CA in AURA_REDIS_CA, in Kubernetes ca.crt"
    assert executor_says(front(port)) == f"its certificate is not trusted (unable to get local issuer certificate); {fix}"
    told("REDIS", ca=certificates.ca)
    assert executor_says(front(port)) == refusal
    wants = "it wants a client certificate; give it in AURA_REDIS_CERT and AURA_REDIS_KEY, in Kubernetes tls.crt and tls.key"
    assert executor_says(front(port, client_certificate=True)) == wants
    told("REDIS", cert=certificates.client, key=certificates.client_key)
    assert executor_says(front(port, client_certificate=True)) == refusal


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {"password": "secret-word"},
            "refuses user and password; correct AURA_REDIS_USERNAME and AURA_REDIS_PASSWORD, in Kubernetes the Secret's username and password",
        ),
        (
            {"ca": "other_ca"},
            "has a certificate that is not trusted (unable to get local issuer certificate); give its CA in AURA_REDIS_CA, in Kubernetes ca.crt",
        ),
    ],
    ids=["password", "ca"],
)
def test_run_on_a_redis_that_cannot_be_used(
    servers: Household, front: Front, told: Set, certificates: Certificates, tmp_path: Path, wrong: dict[str, str], sentence: str
) -> None:
    url = start_redis(servers, f"refusing-{tmp_path.name}").url
    ports = [front(int(url.rpartition(":")[2].removesuffix("/0"))) for _ in range(2)]
    right = url.partition("://:")[2].partition("@")[0]
    told("REDIS", password=wrong.get("password", right), ca=getattr(certificates, wrong.get("ca", "ca")))
    done = run(tmp_path, RUN.format(baseline=ports[0], aura=ports[1], kafka=start_broker(servers).address))
    assert done.returncode == 3, done.stderr
    # It let nobody in, so that there is nothing left in it to warn of.
    assert done.stderr == f"aura: Redis of arm baseline at 127.0.0.1:{ports[0]} {sentence}\n"
    assert "secret-word" not in done.stdout
