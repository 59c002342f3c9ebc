"""Reading a kubeconfig that somebody else wrote: it may neither run programs nor read files of the operator's."""

import base64
import binascii
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import yaml

from aura_contract.redaction import redacted

__all__ = ["KubeconfigError", "Login", "parse"]

INVALID, REFUSED = "KubeconfigInvalid", "KubeconfigRefused"
LONGEST = 64 * 1024
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SHOWN = 80

CLUSTER = {"server", "certificate-authority-data", "tls-server-name", "disable-compression", "extensions"}
USER = {"token", "client-certificate-data", "client-key-data", "username", "password", "extensions"}
WAYS = "give a token, client-certificate-data with client-key-data, or username with password"
WHY = {
    "exec": f"uses exec, which would run a program in the operator's pod; {WAYS}",
    "auth-provider": f"uses auth-provider, which would run code in the operator's pod; {WAYS}",
    "tokenFile": "names a file (tokenFile), and the operator reads none for it; put its content into token",
    "insecure-skip-tls-verify": "skips the verification of certificates; give certificate-authority-data",
    **{
        name: f"names a file ({name}), and the operator reads none for it; put its content into {name}-data"
        for name in ("certificate-authority", "client-certificate", "client-key")
    },
}


class KubeconfigError(ValueError):
    """A kubeconfig that is not used: a reason in CamelCase, and half a sentence that begins with what is wrong with it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Login:
    """One cluster and who asks it: `ca`, `certificate` and `key` are PEM texts, `tls_name` the name that it has to prove."""

    server: str
    ca: str | None = None
    tls_name: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)

    def tls(self) -> ssl.SSLContext:
        """What verifies the server and proves who asks; raises KubeconfigError for what is no PEM."""
        try:
            context = ssl.create_default_context(cadata=self.ca)
            if self.certificate and self.key:
                # The library takes certificates from files alone.
                with tempfile.NamedTemporaryFile("w") as file:
                    file.write(f"{self.certificate}\n{self.key}\n")
                    file.flush()
                    context.load_cert_chain(file.name)
        except (ssl.SSLError, ValueError) as error:
            message = "has certificates that cannot be read, or a certificate and a key that do not belong together"
            raise KubeconfigError(INVALID, message) from error
        return context


def parse(text: str, context: str | None) -> Login:
    """The login of a context, of the current one when it is None; raises KubeconfigError, whose text holds no secret."""
    if len(text) > LONGEST:
        raise KubeconfigError(INVALID, f"is larger than {LONGEST // 1024} KiB")
    try:
        found = yaml.load(text, Loader=LOADER)  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise KubeconfigError(INVALID, f"is not valid YAML{where}") from None
    if not isinstance(found, dict) or not all(isinstance(found.get(part), list) for part in ("clusters", "contexts", "users")):
        raise KubeconfigError(INVALID, "is no kubeconfig: it needs clusters, contexts and users")
    name = context or found.get("current-context")
    if not name:
        raise KubeconfigError(INVALID, "has no current-context; set the placement's context")
    chosen = _entry(found, "context", name)
    cluster_name, user_name = _text(chosen, "cluster", "context", name), _text(chosen, "user", "context", name)
    cluster, user = _entry(found, "cluster", cluster_name), _entry(found, "user", user_name)
    _only(cluster, CLUSTER, f"cluster {_shown(cluster_name)}")
    _only(user, USER, f"user {_shown(user_name)}")
    return _login(cluster, user, cluster_name, user_name)


def _login(cluster: Mapping[str, Any], user: Mapping[str, Any], cluster_name: str, user_name: str) -> Login:
    server = _text(cluster, "server", "cluster", cluster_name)
    _address(server)
    texts = {key: _optional(user, key, user_name) for key in ("token", "username", "password")}
    certificate, key = (_pem(user, name, user_name) for name in ("client-certificate-data", "client-key-data"))
    headers = {}
    if texts["token"]:
        headers["Authorization"] = f"Bearer {texts['token']}"
    elif texts["username"] and texts["password"]:
        both = base64.b64encode(f"{texts['username']}:{texts['password']}".encode()).decode()
        headers["Authorization"] = f"Basic {both}"
    elif not (certificate and key):
        raise KubeconfigError(INVALID, f"is of no use: user {_shown(user_name)} has nothing to log in with; {WAYS}")
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        raise KubeconfigError(INVALID, f"is of no use: user {_shown(user_name)} has a token that is not one line of text")
    ca = _pem(cluster, "certificate-authority-data", cluster_name)
    tls_name = _optional(cluster, "tls-server-name", cluster_name)
    return Login(server.rstrip("/"), ca, tls_name, headers, certificate, key)


def _address(server: str) -> None:
    try:
        parts = urlsplit(server)
        fine = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and not parts.username
    except ValueError:
        fine = False
    if not fine:
        raise KubeconfigError(INVALID, f"has the server {_shown(redacted(server))}; write it like https://203.0.113.7:6443")


def _entry(found: Mapping[str, Any], kind: str, name: object) -> Mapping[str, Any]:
    for item in found[f"{kind}s"]:
        if isinstance(item, dict) and item.get("name") == name and isinstance(item.get(kind), dict):
            return dict(item[kind])
    have = ", ".join(_shown(item.get("name")) for item in found[f"{kind}s"][:5] if isinstance(item, dict)) or "none"
    raise KubeconfigError(INVALID, f"has no {kind} {_shown(name)} (it has {have})")


def _only(entry: Mapping[str, Any], allowed: set[str], where: str) -> None:
    for key, value in entry.items():
        if key not in allowed and value:
            why = WHY.get(str(key), f"uses {_shown(key)}, which the operator does not support; leave it out")
            raise KubeconfigError(REFUSED, f"is refused: {where} {why}")


def _text(entry: Mapping[str, Any], key: str, kind: str, name: object) -> str:
    value = entry.get(key)
    if not value or not isinstance(value, str):
        raise KubeconfigError(INVALID, f"is incomplete: {kind} {_shown(name)} has no {key}")
    return value


def _optional(entry: Mapping[str, Any], key: str, name: str) -> str | None:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise KubeconfigError(INVALID, f"is of no use: {key} of {_shown(name)} is no text; put it into quotes")
    return value or None


def _pem(entry: Mapping[str, Any], key: str, name: str) -> str | None:
    value = _optional(entry, key, name)
    if value is None:
        return None
    try:
        text = base64.b64decode(value).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    if "-----BEGIN " not in text:
        raise KubeconfigError(INVALID, f"is of no use: {key} of {_shown(name)} is no PEM file in base64")
    return text


def _shown(value: object) -> str:
    """A name from the file as part of a sentence."""
    # Only texts: what aliases repeat would be written out.
    text = " ".join(value.split()) if isinstance(value, str) else type(value).__name__
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
