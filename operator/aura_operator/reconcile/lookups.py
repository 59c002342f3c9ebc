"""What the spec names and the user has to bring: Secrets, volumes, servers. Each that is missing is a trouble."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from aura_contract.experiment import ExperimentSpec
from aura_operator.blueprint import Manifest
from aura_operator.cluster.kinds import Kind
from aura_operator.status.troubles import Trouble

__all__ = ["Lookups", "look_up", "named_servers", "secret_troubles"]

Read = Callable[[Kind, str], Awaitable[Manifest | None]]
"""Reads an object of the experiment's namespace by kind and name."""

SECRET, CLAIM = Kind("v1", "Secret"), Kind("v1", "PersistentVolumeClaim")
PORTS = {"redis": 6379, "rediss": 6379, "mongodb": 27017, "http": 80, "https": 443}
PROBE_SECONDS = 3.0
MODEL_KEY = "api-key"
KAFKA_SECRET = "spec.dependencies.kafka.external.secretRef"  # noqa: S105 - a field's name
OLLAMA_SECRET = "spec.dependencies.ollama.external.secretRef"  # noqa: S105 - a field's name


@dataclass(frozen=True)
class Lookups:
    """Keys of the named Secrets that exist, the SASL mechanism of Kafka's, and what is wrong."""

    secret_keys: dict[str, frozenset[str]]
    troubles: tuple[Trouble, ...]
    kafka_mechanism: str = ""


async def look_up(spec: ExperimentSpec, read: Read, *, probe: bool) -> Lookups:
    """Look at everything the spec names; servers only with `probe`, since later their clients say it better."""
    keys: dict[str, frozenset[str]] = {}
    found, mechanism = list(_static(spec)), ""
    for where, name in named_secrets(spec):
        secret = await read(SECRET, name)
        if secret is not None:
            data = secret.get("data") or {}
            keys[name] = frozenset(key for key, value in data.items() if base64.b64decode(value))
            if where == KAFKA_SECRET:
                mechanism = base64.b64decode(data.get("mechanism", "")).decode("utf-8", "replace")
        found += secret_troubles(where, name, keys.get(name))
    for where, name in _claims(spec):
        if await read(CLAIM, name) is None:
            found.append(Trouble("VolumeClaimNotFound", f"PersistentVolumeClaim {name} of {where} does not exist; create it"))
    if probe:
        servers = [_probe(where, places) for where, places in named_servers(spec)]
        found += [trouble for trouble in await asyncio.gather(*servers, _model(spec)) if trouble]
    return Lookups(keys, tuple(found), mechanism)


def named_secrets(spec: ExperimentSpec) -> Iterator[tuple[str, str]]:
    """Field and name of every Secret in the spec."""
    parts = spec.dependencies
    external = {
        "redis": parts.redis.external, "kafka": parts.kafka_server, "mongodb": parts.mongodb_server,
        "milvus": parts.milvus_server, "ollama": parts.ollama_server,
    }  # fmt: skip
    for part, server in external.items():
        if server is not None and server.secret_ref is not None:
            yield f"spec.dependencies.{part}.external.secretRef", server.secret_ref.name
    if spec.planner.secret_ref is not None:
        yield "spec.planner.secretRef", spec.planner.secret_ref.name


def secret_troubles(where: str, name: str, keys: frozenset[str] | None) -> Iterator[Trouble]:
    """What is wrong with a Secret that has `keys`, or that does not exist when they are None."""
    if where == "spec.planner.secretRef":
        needed, enough = MODEL_KEY, bool(keys and MODEL_KEY in keys)
    elif where == OLLAMA_SECRET:
        needed = "api-key, or password, or ca.crt, or tls.crt with tls.key"
        enough = bool(keys and keys & {MODEL_KEY, "password", "ca.crt", "tls.crt"})
    else:
        needed = "password, or ca.crt, or tls.crt with tls.key"
        enough = bool(keys and keys & {"password", "ca.crt", "tls.crt"})
    if keys is None:
        yield Trouble("SecretNotFound", f"Secret {name} of {where} does not exist; create it with the key {needed}")
    elif not enough:
        yield Trouble("SecretIncomplete", f"Secret {name} of {where} lacks the key {needed}; add it")
    elif ("username" in keys) > ("password" in keys):
        yield Trouble("SecretIncomplete", f"Secret {name} of {where} has a username but no password; add the key password")
    elif ("tls.crt" in keys) != ("tls.key" in keys):
        yield Trouble("SecretIncomplete", f"Secret {name} of {where} needs both tls.crt and tls.key; add the other one")


def _static(spec: ExperimentSpec) -> Iterator[Trouble]:
    sources = {"spec.workload": spec.workload.source, **({"spec.catalog": spec.catalog.source} if spec.catalog else {})}
    for where, source in sources.items():
        if source.path is not None and source.volume_claim is None:
            message = f"{where}.source.path names a file, which no pod has; add volumeClaim, or give url or dataset instead"
            yield Trouble("SourceNotReachable", message)
    files = {"recording": spec.planner.recording, "modelFile": spec.planner.model_file}
    for field, name in files.items():
        if name is not None and spec.workload.source.volume_claim is None:
            message = f"spec.planner.{field} is a file of the workload's volumeClaim, and there is none; put both into one volume"
            yield Trouble("SourceNotReachable", message)


def _claims(spec: ExperimentSpec) -> Iterator[tuple[str, str]]:
    sources = {"spec.workload.source": spec.workload.source}
    if spec.catalog:
        sources["spec.catalog.source"] = spec.catalog.source
    for where, source in sources.items():
        if source.volume_claim:
            yield f"{where}.volumeClaim", source.volume_claim


def named_servers(spec: ExperimentSpec) -> list[tuple[str, list[tuple[str, int]]]]:
    """Field of every server that the user brings, and host and port of each of its members.

    Those that are found by DNS records of their own are left out.
    """
    parts = spec.dependencies
    addresses: list[tuple[str, str, int]] = []
    if parts.redis.external:
        base = "spec.dependencies.redis.external.endpoints"
        addresses += [(f"{base}.{arm}", parts.redis.external.endpoints[arm], 6379) for arm in spec.arms]
    if parts.kafka_server:
        addresses.append(("spec.dependencies.kafka.external.endpoint", parts.kafka_server.endpoint, 9092))
    if parts.mongodb_server and not parts.mongodb_server.endpoint.startswith("mongodb+srv:"):
        addresses.append(("spec.dependencies.mongodb.external.endpoint", parts.mongodb_server.endpoint, 27017))
    if parts.milvus_server:
        addresses.append(("spec.dependencies.milvus.external.endpoint", parts.milvus_server.endpoint, 19530))
    if spec.model_endpoint:
        field = "spec.planner.endpoint" if spec.planner.endpoint else "spec.dependencies.ollama.external.endpoint"
        addresses.append((field, spec.model_endpoint, 11434))
    return [(where, [_host_port(one, default) for one in address.split(",")]) for where, address, default in addresses]


def _host_port(address: str, default: int) -> tuple[str, int]:
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.hostname or "", port or (PORTS.get(parts.scheme, default) if parts.scheme else default)


async def _probe(where: str, places: list[tuple[str, int]]) -> Trouble | None:
    """The trouble with a server of which no member answers: one is enough, since its clients find the others."""
    if any(await asyncio.gather(*(_answers(host, port) for host, port in places))):
        return None
    names = " and ".join(f"{host}:{port}" for host, port in places)
    verb = "does not answer" if len(places) == 1 else "do not answer"
    return Trouble("EndpointUnreachable", f"{where}: {names} {verb}; start the server or correct the address")


async def _answers(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), PROBE_SECONDS)
    except (OSError, TimeoutError, UnicodeError):
        return False
    writer.close()
    return True


async def _model(spec: ExperimentSpec) -> Trouble | None:
    """Whether the user's Ollama has the model; other troubles with it are the probe's."""
    endpoint, model = spec.model_endpoint, spec.planner.model
    if "ollama" not in spec.planned_arms.values() or endpoint is None or model is None:
        return None
    base = endpoint if "://" in endpoint else f"http://{endpoint}"
    try:
        async with httpx.AsyncClient(timeout=PROBE_SECONDS) as client:
            listed = (await client.get(f"{base.rstrip('/').removesuffix('/api')}/api/tags")).json()["models"]
        names = {str(entry["name"]) for entry in listed}
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    if names & {model, f"{model}:latest"}:
        return None
    have = ", ".join(sorted(names)[:5]) or "none"
    message = f"spec.planner.model: the Ollama at {urlsplit(base).netloc.rpartition('@')[2]} has no model {model} (it has {have})"
    return Trouble("ModelNotFound", f"{message}; pull it there or name another")
