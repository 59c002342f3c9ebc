"""What the user has to bring: Secrets, volumes, files, servers, models; probes go to real sockets."""

import asyncio
import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from operator_samples import spec

from aura_contract.experiment import ExperimentSpec
from aura_operator.blueprint import Manifest
from aura_operator.cluster.kinds import Kind
from aura_operator.reconcile.lookups import Lookups, look_up, named_servers, secret_troubles
from aura_operator.status.troubles import Trouble

PLAN = {"backend": "ollama", "model": "smollm2:135m"}


def looked_up(wanted: ExperimentSpec, objects: dict[tuple[str, str], Manifest] | None = None, *, probe: bool = False) -> Lookups:
    async def read(kind: Kind, name: str) -> Manifest | None:
        return (objects or {}).get((kind.name, name))

    return asyncio.run(look_up(wanted, read, probe=probe))


def messages(found: Lookups) -> list[tuple[str, str]]:
    return [(trouble.reason, trouble.message) for trouble in found.troubles]


def external(**parts: Any) -> ExperimentSpec:
    return spec(dependencies={name: {"external": part} for name, part in parts.items()})


@contextmanager
def listener() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def closed_port() -> str:
    with listener() as address:
        return address


@contextmanager
def ollama(answer: bytes, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/api/tags" else 404)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def models(*names: str) -> bytes:
    return json.dumps({"models": [{"name": name} for name in names]}).encode()


def test_the_least_experiment_has_to_bring_nothing() -> None:
    assert looked_up(spec(), probe=True) == Lookups({}, ())


WHERE = "spec.dependencies.kafka.external.secretRef"


@pytest.mark.parametrize(
    ("keys", "reason", "message"),
    [
        (None, "SecretNotFound", "does not exist; create it with the key password, or ca.crt, or tls.crt with tls.key"),
        ({"pasword"}, "SecretIncomplete", "lacks the key password, or ca.crt, or tls.crt with tls.key; add it"),
        (
            {"username", "ca.crt"},
            "SecretIncomplete",
            "has a username but no password; add the key password",
        ),
        ({"tls.crt"}, "SecretIncomplete", "needs both tls.crt and tls.key; add the other one"),
        ({"password", "tls.key"}, "SecretIncomplete", "needs both tls.crt and tls.key; add the other one"),
    ],
)
def test_a_secret_that_is_not_enough_says_what_to_add(keys: set[str] | None, reason: str, message: str) -> None:
    found = list(secret_troubles(WHERE, "login", frozenset(keys) if keys is not None else None))
    assert found == [Trouble(reason, f"Secret login of {WHERE} {message}")]


@pytest.mark.parametrize(
    "keys", [{"password"}, {"username", "password"}, {"ca.crt"}, {"tls.crt", "tls.key"}, {"password", "ca.crt", "more"}]
)
def test_a_secret_that_is_enough_is_no_trouble(keys: set[str]) -> None:
    assert list(secret_troubles(WHERE, "login", frozenset(keys))) == []


def test_a_model_servers_secret_needs_an_api_key() -> None:
    where = "spec.planner.secretRef"
    assert list(secret_troubles(where, "model", frozenset({"password"}))) == [
        Trouble("SecretIncomplete", f"Secret model of {where} lacks the key api-key; add it")
    ]
    assert list(secret_troubles(where, "model", frozenset({"api-key"}))) == []


def test_the_secret_of_an_ollama_may_have_a_key_or_a_password_or_a_ca() -> None:
    where = "spec.dependencies.ollama.external.secretRef"
    for keys in ({"api-key"}, {"username", "password"}, {"ca.crt"}):
        assert list(secret_troubles(where, "model", frozenset(keys))) == []
    message = f"Secret model of {where} lacks the key api-key, or password, or ca.crt, or tls.crt with tls.key; add it"
    assert list(secret_troubles(where, "model", frozenset({"token"}))) == [Trouble("SecretIncomplete", message)]


def test_only_keys_that_hold_something_are_taken_from_a_secret() -> None:
    full = base64.b64encode(b"x").decode()
    secret = {"data": {"password": full, "username": "", "ca.crt": full}}
    wanted = external(kafka={"endpoint": "k:9092", "secretRef": {"name": "login"}})
    assert looked_up(wanted, {("Secret", "login"): secret}) == Lookups({"login": frozenset({"password", "ca.crt"})}, ())


def test_every_secret_of_the_spec_is_looked_up() -> None:
    login = {"secretRef": {"name": "login"}}
    wanted = spec(
        planner={"backend": "openai", "endpoint": "https://m", "model": "x", "secretRef": {"name": "model"}},
        dependencies={
            "redis": {"external": {"endpoints": {"baseline": "a:1", "aura": "b:1"}, **login}},
            **{part: {"external": {"endpoint": "h:1", **login}} for part in ("kafka", "mongodb", "milvus")},
        },
    )
    fields = [message.split()[3] for _, message in messages(looked_up(wanted))]
    parts = ("redis", "kafka", "mongodb", "milvus")
    assert fields == [*(f"spec.dependencies.{part}.external.secretRef" for part in parts), "spec.planner.secretRef"]


def test_a_volume_that_is_missing_is_named() -> None:
    wanted = spec(
        workload={"source": {"path": "a.csv", "volumeClaim": "logs"}},
        catalog={"source": {"path": "b.csv", "volumeClaim": "items"}},
    )
    found = looked_up(wanted, {("PersistentVolumeClaim", "items"): {}})
    message = "PersistentVolumeClaim logs of spec.workload.source.volumeClaim does not exist; create it"
    assert messages(found) == [("VolumeClaimNotFound", message)]


def test_a_file_without_a_volume_is_in_no_pod() -> None:
    files = {"recording": "plans.jsonl", "modelFile": "model.txt"}
    wanted = spec(workload={"source": {"path": "a.csv"}}, planner={"backend": "recorded", **files})
    assert messages(looked_up(wanted)) == [
        (
            "SourceNotReachable",
            "spec.workload.source.path names a file, which no pod has; add volumeClaim, or give url or dataset instead",
        ),
        (
            "SourceNotReachable",
            "spec.planner.recording is a file of the workload's volumeClaim, and there is none; put both into one volume",
        ),
        (
            "SourceNotReachable",
            "spec.planner.modelFile is a file of the workload's volumeClaim, and there is none; put both into one volume",
        ),
    ]


def test_servers_that_answer_are_no_trouble_and_others_are_named() -> None:
    down = closed_port()
    with listener() as up:
        wanted = external(redis={"endpoints": {"baseline": up, "aura": down}}, kafka={"endpoint": up})
        found = looked_up(wanted, probe=True)
        assert looked_up(wanted, probe=False).troubles == ()
    field = "spec.dependencies.redis.external.endpoints.aura"
    message = f"{field}: {down} does not answer; start the server or correct the address"
    assert messages(found) == [("EndpointUnreachable", message)]


def test_one_broker_of_several_is_enough() -> None:
    down, also_down = closed_port(), closed_port()
    with listener() as up:
        assert looked_up(external(kafka={"endpoint": f"{down},{up}"}), probe=True).troubles == ()
    ((_, message),) = messages(looked_up(external(kafka={"endpoint": f"{down},{also_down}"}), probe=True))
    assert message.startswith(f"spec.dependencies.kafka.external.endpoint: {down} and {also_down} do not answer; start")


def test_a_host_that_is_no_host_does_not_answer() -> None:
    for endpoint in ("no-such-host.invalid:9092", "x" * 300 + ":9092", "..:1"):
        ((reason, _),) = messages(looked_up(external(kafka={"endpoint": endpoint}), probe=True))
        assert reason == "EndpointUnreachable"


@pytest.mark.parametrize(
    ("part", "endpoint", "places"),
    [
        ("kafka", "k", [("k", 9092)]),
        ("kafka", "a:1,b:2", [("a", 1), ("b", 2)]),
        ("mongodb", "mongodb://u:p@a:1,b/db?x=y", [("a", 1), ("b", 27017)]),
        ("milvus", "https://m.example.org", [("m.example.org", 443)]),
        ("milvus", "http://[::1]:19530", [("::1", 19530)]),
        ("ollama", "http://o:11434/api", [("o", 11434)]),
        ("ollama", "o", [("o", 11434)]),
        ("kafka", "k:port", [("k", 9092)]),
    ],
)
def test_addresses_are_read_as_their_clients_read_them(part: str, endpoint: str, places: list[tuple[str, int]]) -> None:
    assert dict(named_servers(external(**{part: {"endpoint": endpoint}}))) == {
        f"spec.dependencies.{part}.external.endpoint": places
    }


def test_a_server_behind_dns_records_of_its_own_is_not_probed() -> None:
    assert named_servers(external(mongodb={"endpoint": "mongodb+srv://cluster.example.org/db"})) == []


@pytest.mark.parametrize("have", [["smollm2:135m"], ["a:1", "smollm2:135m"]])
@pytest.mark.parametrize("suffix", ["", "/", "/api"])
def test_a_model_that_is_there_is_no_trouble(have: list[str], suffix: str) -> None:
    with ollama(models(*have)) as url:
        assert looked_up(spec(planner={**PLAN, "endpoint": url + suffix}), probe=True).troubles == ()


def test_a_model_without_a_tag_is_its_latest() -> None:
    with ollama(models("llama:latest")) as url:
        assert looked_up(spec(planner={**PLAN, "model": "llama", "endpoint": url}), probe=True).troubles == ()


@pytest.mark.parametrize(("have", "listed"), [([], "none"), (["b:1", "a:1"], "a:1, b:1")])
def test_a_model_that_is_missing_is_named_with_those_that_are_there(have: list[str], listed: str) -> None:
    with ollama(models(*have)) as url:
        found = looked_up(spec(planner={**PLAN, "endpoint": url}), probe=True)
    place = url.removeprefix("http://")
    message = (
        f"spec.planner.model: the Ollama at {place} has no model smollm2:135m (it has {listed}); pull it there or name another"
    )
    assert messages(found) == [("ModelNotFound", message)]


@pytest.mark.parametrize(("answer", "status"), [(b"<html>", 200), (b"{}", 200), (b"[]", 200), (b"no", 500)])
def test_a_model_server_that_lists_nothing_readable_is_left_to_its_client(answer: bytes, status: int) -> None:
    with ollama(answer, status) as url:
        assert looked_up(spec(planner={**PLAN, "endpoint": url}), probe=True).troubles == ()
