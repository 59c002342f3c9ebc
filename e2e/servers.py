"""Servers that experiments use as external ones, with passwords and TLS, a server of files, and a slow model."""

import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from string import Template

import yaml
from cluster import Manifest, Namespace
from installation import Options, images

__all__ = ["Certificates", "Files", "SlowModel", "catalogue_and_model", "manifests", "ready", "redis_and_kafka"]

HERE = Path(__file__).parent / "manifests"
FRONT = Path(__file__).with_name("front.py")
SUPPORT = Path(__file__).parents[1] / "tests" / "support"

WRITE = """\
import os, sys
path = sys.argv[1]
os.makedirs(os.path.dirname(path), exist_ok=True)
with open(f"{path}.new", "wb") as file:
    file.write(sys.stdin.buffer.read())
os.replace(f"{path}.new", path)
"""
"""The image has no shell."""


def manifests(name: str, **values: str) -> list[Manifest]:
    """A file of e2e/manifests with its ${NAMES} filled in."""
    text = Template((HERE / f"{name}.yaml").read_text(encoding="utf-8")).substitute(values)
    return list(yaml.safe_load_all(text))


def ready(namespace: Namespace, *deployments: str, seconds: int = 180) -> None:
    """Wait until Deployments are up."""
    for name in deployments:
        namespace.kubectl("rollout", "status", f"deployment/{name}", f"--timeout={seconds}s", seconds=seconds + 30)


@dataclass(frozen=True)
class Certificates:
    """PEM texts: a CA of this run, and a server's certificate and key that it signed."""

    ca: str
    certificate: str
    key: str

    @classmethod
    def new(cls, folder: Path, *hosts: str) -> "Certificates":
        """For servers with these names."""
        ca, ca_key, certificate, key = (folder / name for name in ("ca.pem", "ca.key", "server.pem", "server.key"))
        fresh = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
        subprocess.run((*fresh, "-subj", "/CN=e2e", "-keyout", ca_key, "-out", ca), check=True, capture_output=True)
        names = f"subjectAltName={','.join(f'DNS:{host}' for host in hosts)}"
        signed = ("-CA", ca, "-CAkey", ca_key, "-subj", "/CN=server", "-addext", names, "-addext", "basicConstraints=CA:FALSE")
        subprocess.run((*fresh, *signed, "-keyout", key, "-out", certificate), check=True, capture_output=True)
        return cls(*(path.read_text(encoding="utf-8") for path in (ca, certificate, key)))


@dataclass(frozen=True)
class External:
    """Redis for the arms `baseline` and `aura`, and Kafka, with what it takes to log in."""

    endpoints: dict[str, str]
    kafka: str
    redis_login: dict[str, str]
    kafka_login: dict[str, str]


def redis_and_kafka(namespace: Namespace, options: Options, folder: Path) -> External:
    """Bring them up in a namespace; returns when they are ready."""
    password = secrets.token_urlsafe(12)
    domain = f"{namespace.name}.svc"
    pems = Certificates.new(folder, f"*.{domain}")
    pem = {"ca__crt": pems.ca, "tls__crt": pems.certificate, "tls__key": pems.key, "server__pem": pems.key + pems.certificate}
    named = images(options)
    values = {"NAMESPACE": namespace.name, "REDIS": named["redis"], "KAFKA": named["kafka"]}
    namespace.apply(
        namespace.secret("servers", password=password, **pem), *manifests("redis", **values), *manifests("kafka", **values)
    )
    ready(namespace, "redis-baseline", "redis-aura", "kafka")
    return External(
        endpoints={arm: f"redis-{arm}.{domain}:6379" for arm in ("baseline", "aura")},
        kafka=f"kafka.{domain}:9092",
        redis_login={"password": password, "ca__crt": pems.ca},
        kafka_login={"username": "aura", "password": password, "ca__crt": pems.ca},
    )


@dataclass(frozen=True)
class Catalogue:
    """Addresses of MongoDB, Milvus and a model server, and what it takes to log in to each."""

    endpoints: dict[str, str]
    logins: dict[str, dict[str, str]]


def catalogue_and_model(namespace: Namespace, options: Options, folder: Path) -> Catalogue:
    """Bring them up in a namespace, each behind TLS; returns when they are ready."""
    password, domain = secrets.token_urlsafe(12), f"{namespace.name}.svc"
    pems = Certificates.new(folder, f"*.{domain}")
    pem = {"ca__crt": pems.ca, "tls__crt": pems.certificate, "tls__key": pems.key}
    sources = [FRONT, *(SUPPORT / f"{name}.py" for name in ("tls_front", "grpc_front", "model_server"))]
    fronts = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fronts"}}
    named = images(options)
    namespace.apply(
        namespace.secret("servers", password=password, **pem),
        {**fronts, "data": {path.name: path.read_text(encoding="utf-8") for path in sources}},
        *manifests("catalogue", IMAGE=named["planner"], MONGODB=named["mongodb"], MILVUS=named["milvus"]),
    )
    ready(namespace, "mongodb", "milvus", "model")
    return Catalogue(
        endpoints={"mongodb": f"mongodb.{domain}:27017", "milvus": f"milvus.{domain}:19530", "ollama": f"model.{domain}:11434"},
        logins={
            "mongodb": {"username": "reader", "password": password, "ca__crt": pems.ca},
            "milvus": {"username": "root", "password": password, "ca__crt": pems.ca},
            "ollama": {"api-key": password, "ca__crt": pems.ca},
        },
    )


@dataclass(frozen=True)
class Files:
    """An HTTP server of files inside a namespace."""

    namespace: Namespace

    @classmethod
    def up(cls, namespace: Namespace, options: Options, *, claim: str | None = None) -> "Files":
        """Bring it up, on a PersistentVolumeClaim that is there if one is named."""
        found = manifests("files", IMAGE=images(options)["planner"])
        if claim:
            found[0]["spec"]["template"]["spec"]["volumes"] = [{"name": "files", "persistentVolumeClaim": {"claimName": claim}}]
        namespace.apply(*found)
        ready(namespace, "files")
        return cls(namespace)

    def put(self, path: str, text: str) -> None:
        """Write a file."""
        self.namespace.kubectl("exec", "--stdin", "deployment/files", "--", "python", "-c", WRITE, f"/srv/{path}", stdin=text)

    def url(self, path: str) -> str:
        """Where pods read a file."""
        return f"http://files.{self.namespace.name}.svc:8000/{path}"


@dataclass(frozen=True)
class SlowModel:
    """A model server that sets the pace of a run: whatever the machine does, no window is over before its answer."""

    namespace: Namespace

    @classmethod
    def up(cls, namespace: Namespace, options: Options, *, seconds: float = 1.0) -> "SlowModel":
        """Bring it up; it takes `seconds` for each answer."""
        namespace.apply(*manifests("model", IMAGE=images(options)["planner"], SECONDS=str(seconds)))
        ready(namespace, "model")
        return cls(namespace)

    @property
    def planner(self) -> Manifest:
        """A planner that asks it in each window, and a replay that waits for the answer."""
        endpoint = f"http://model.{self.namespace.name}.svc:8000"
        return {"backend": "openai", "model": "slow", "endpoint": endpoint, "mode": "lockstep", "latency": "free"}

    def release(self) -> None:
        """From now on it answers at once."""
        self.namespace.kubectl("exec", "deployment/model", "--", "python", "-c", "open('/tmp/released', 'w')")
