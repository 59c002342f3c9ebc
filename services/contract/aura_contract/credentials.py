"""How a service is told the credentials of a server: by environment variables, which the operator fills from a Secret."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["PARTS", "Credentials", "Part", "credentials", "variable"]

Part = Literal["KAFKA", "REDIS", "MONGODB", "MILVUS"]
PARTS: tuple[Part, ...] = ("KAFKA", "REDIS", "MONGODB", "MILVUS")

FIELDS = ("tls", "username", "password", "mechanism", "ca", "cert", "key")


@dataclass(frozen=True)
class Credentials:
    """What a client needs besides the address; `ca`, `cert` and `key` are paths of PEM files, `mechanism` is Kafka's SASL's.

    `tls` is on when the variable is `true`, or when a CA or a client certificate is given.
    """

    tls: bool = False
    username: str | None = None
    password: str | None = None
    mechanism: str | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def __repr__(self) -> str:
        """Without the password, since objects end up in logs."""
        return f"Credentials(tls={self.tls}, username={self.username!r}, ca={self.ca!r}, cert={self.cert!r})"


def variable(part: Part, field: str) -> str:
    """Name of the environment variable, such as AURA_KAFKA_PASSWORD."""
    return f"AURA_{part}_{field.upper()}"


def credentials(part: Part, environment: Mapping[str, str] | None = None) -> Credentials:
    """The credentials of a part from AURA_PART_{TLS,USERNAME,PASSWORD,MECHANISM,CA,CERT,KEY}; absent and empty are the same."""
    values = os.environ if environment is None else environment
    given = {field: values.get(variable(part, field)) or None for field in FIELDS}
    tls = given.pop("tls") == "true" or bool(given["ca"] or given["cert"])
    return Credentials(tls=tls, **given)
