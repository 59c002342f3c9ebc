"""What is wrong with a connection to a server, found out by trying: the clients' own errors rarely tell."""

import re
import socket
import ssl

from aura_contract.credentials import Credentials, Part, credentials, variable
from aura_contract.manifest import ManifestError

__all__ = ["key_refused", "refused", "tls_context", "tls_fault"]

SECONDS = 3.0
FIRST_WORD = 0.5
PORTS = {"redis": 6379, "rediss": 6379, "mongodb": 27017, "http": 19530, "https": 19530}

_ADDRESS = re.compile(r"(?:(?P<scheme>[a-z]+)://)?(?:[^/@]*@)?(?P<host>\[[^\]]+\]|[^/:,?]+)(?::(?P<port>\d+))?")


def refused(part: Part) -> str:
    """What to say when a server refuses user or password."""
    return (
        f"refuses user and password; correct {variable(part, 'username')} and {variable(part, 'password')}, "
        "in Kubernetes the Secret's username and password"
    )


def key_refused(part: Part) -> str:
    """What to say when a server refuses the API key, or wants one that it was not given."""
    return f"refuses the API key; correct {variable(part, 'api_key')}, in Kubernetes the Secret's api-key"


def tls_context(part: Part, found: Credentials) -> ssl.SSLContext:
    """A client's side of TLS that trusts the CA, or the system's, and shows the client certificate; raises ManifestError."""
    try:
        context = ssl.create_default_context(cafile=found.ca)
        if found.cert:
            context.load_cert_chain(found.cert, found.key)
    except ssl.SSLError as error:
        names = ", ".join(variable(part, field) for field in ("ca", "cert", "key") if getattr(found, field))
        raise ManifestError(f"{names} is no PEM file, or certificate and key do not belong together") from error
    return context


def tls_fault(part: Part, address: str) -> str | None:
    """What is wrong with the encryption of a connection and what to do, or None when nothing is or no server answers.

    `address` is HOST:PORT, several with commas between, or a url; the first one is tried.
    """
    match = _ADDRESS.match(address)
    if match is None or match["scheme"] == "mongodb+srv":
        return None
    scheme, host = match["scheme"] or "", match["host"].strip("[]")
    port = int(match["port"] or PORTS.get(scheme, 0))
    found = credentials(part)
    if found.tls or scheme in ("rediss", "https") or "tls=true" in address:
        return _encrypted(part, found, host, port)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        _shake_hands(context, host, port)
    except ssl.SSLError as error:
        # A server that wants a certificate of ours speaks TLS too.
        if "alert" not in str(error).lower():
            return None
    except OSError:
        return None
    return f"speaks TLS; set {variable(part, 'tls')}=true, or tls: true beside its endpoint in the manifest"


def _encrypted(part: Part, found: Credentials, host: str, port: int) -> str | None:
    try:
        context = tls_context(part, found)
    except ManifestError as error:
        return f"cannot be trusted: {error}"
    try:
        _shake_hands(context, host, port)
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message.rstrip(".")
        return f"has a certificate that is not trusted ({reason}); give its CA in {variable(part, 'ca')}, in Kubernetes ca.crt"
    except _NoServer:
        return None
    except OSError as error:
        if "alert" in str(error).lower():
            pair = f"{variable(part, 'cert')} and {variable(part, 'key')}"
            return f"wants a client certificate ({_reason(error)}); give it in {pair}, in Kubernetes tls.crt and tls.key"
        return f"does not speak TLS; unset {variable(part, 'tls')} and tls in the manifest, or name its TLS port"
    return None


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", "") or error).lower().replace("_", " ")


class _NoServer(OSError):
    """Nobody accepts connections."""


def _shake_hands(context: ssl.SSLContext, host: str, port: int) -> None:
    try:
        plain = socket.create_connection((host, port), timeout=SECONDS)
    except OSError as error:
        raise _NoServer from error
    with plain, context.wrap_socket(plain, server_hostname=host) as safe:
        # In TLS 1.3 a server complains about a missing client certificate only after the handshake.
        safe.settimeout(FIRST_WORD)
        try:
            safe.recv(1)
        except TimeoutError:
            return
