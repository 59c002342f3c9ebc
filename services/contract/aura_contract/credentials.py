"""How a service is told the credentials of a server: by environment variables, which the operator fills from a Secret."""

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Literal

from aura_contract.dependencies import DependenciesSpec
from aura_contract.manifest import ManifestError

__all__ = ["PARTS", "Credentials", "Part", "adopt", "credentials", "variable"]

Part = Literal["KAFKA", "REDIS", "MONGODB", "MILVUS", "OLLAMA"]
PARTS: tuple[Part, ...] = ("KAFKA", "REDIS", "MONGODB", "MILVUS", "OLLAMA")

FIELDS = ("tls", "username", "password", "mechanism", "api_key", "ca", "cert", "key")


@dataclass(frozen=True)
class Credentials:
    """What a client needs besides the address; `ca`, `cert` and `key` are paths of PEM files, `mechanism` is Kafka's SASL's,
    `api_key` is what a model server takes as a bearer token.

    `tls` is on when the variable is `true`, or when a CA or a client certificate is given.
    """

    tls: bool = False
    username: str | None = None
    password: str | None = None
    mechanism: str | None = None
    api_key: str | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def __repr__(self) -> str:
        """Without password and key, since objects end up in logs."""
        return f"Credentials(tls={self.tls}, username={self.username!r}, ca={self.ca!r}, cert={self.cert!r})"


def variable(part: Part, field: str) -> str:
    """Name of the environment variable, such as AURA_KAFKA_PASSWORD."""
    return f"AURA_{part}_{field.upper()}"


def credentials(part: Part, environment: Mapping[str, str] | None = None) -> Credentials:
    """The credentials of a part from AURA_PART_{TLS,USERNAME,PASSWORD,MECHANISM,API_KEY,CA,CERT,KEY}; an empty one is absent.

    Raises ManifestError for a file that cannot be read, and for a certificate without its key or the other way round.
    """
    values = os.environ if environment is None else environment
    given = {field: values.get(variable(part, field)) or None for field in FIELDS}
    for field in ("ca", "cert", "key"):
        path = given[field]
        if path is not None and not os.access(path, os.R_OK):
            raise ManifestError(f"{variable(part, field)}={path}: cannot be read; name a PEM file that this user may read")
    if (given["cert"] is None) != (given["key"] is None):
        both = f"{variable(part, 'cert')} and {variable(part, 'key')}"
        raise ManifestError(f"{both} belong together: a client certificate and its key; set both or none")
    tls = given.pop("tls") == "true" or bool(given["ca"] or given["cert"])
    return Credentials(tls=tls, **given)


def adopt(dependencies: DependenciesSpec, *, kafka: bool, environment: MutableMapping[str, str] | None = None) -> None:
    """Make the environment of this process and its children fit a manifest's servers; in Kubernetes the operator does it.

    A part that is external with `tls: true` gets AURA_PART_TLS, and one that is embedded has no credentials. `kafka` tells
    that the broker is the user's though the manifest does not say so; a model server always is.
    """
    values = os.environ if environment is None else environment
    servers = {
        "KAFKA": dependencies.kafka.external,
        "REDIS": dependencies.redis.external,
        "MONGODB": dependencies.mongodb_server,
        "MILVUS": dependencies.milvus_server,
        "OLLAMA": dependencies.ollama_server,
    }
    for part in PARTS:
        server = servers[part]
        if server is not None and server.tls:
            values[variable(part, "tls")] = "true"
        elif server is None and part != "OLLAMA" and not (part == "KAFKA" and kafka):
            for field in FIELDS:
                values.pop(variable(part, field), None)
