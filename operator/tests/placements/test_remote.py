"""Servers that are no API servers, over real TLS: each is an error that says so, within its time."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aura_operator.builders.certificates import Certificates, issue
from aura_operator.cluster.client import ApiError
from aura_operator.placements.kubeconfig import Login
from aura_operator.placements.remote import LARGEST_ANSWER, Remote

LABELS = {"aura.dev/run": "r"}
HTML = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"
ELSEWHERE = b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
CHUNK = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNK * (1 + LARGEST_ANSWER // 0x100000)
SAID = b'{"reason": "Forbidden", "message": "no, no"}'
DENIED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%b" % (len(SAID), SAID)


@asynccontextmanager
async def server(answer: bytes, pems: Certificates, folder: Path) -> AsyncIterator[str]:
    """A server that gives one answer; with none it says nothing."""
    path = folder / "server.pem"
    path.write_text(pems.key + pems.certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            await asyncio.sleep(5 if not answer else 0)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    running = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"https://127.0.0.1:{running.sockets[0].getsockname()[1]}"
    finally:
        running.close()


def asked(answer: bytes, folder: Path, *, trusted: bool = True) -> ApiError:
    """What listing at such a server raises."""

    async def ask() -> None:
        pems = issue("127.0.0.1")
        async with server(answer, pems, folder) as address:
            login = Login(address, pems.ca if trusted else issue("127.0.0.1").ca, headers={"Authorization": "Bearer s3cret"})
            async with Remote(login, "there", 1.0) as remote:
                await remote.listed("Deployment", LABELS)

    started = time.monotonic()
    with pytest.raises(ApiError) as error:
        asyncio.run(ask())
    assert time.monotonic() - started < 5
    assert "s3cret" not in str(error.value)
    return error.value


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (HTML, 200, "HTTP status 200, not as a Kubernetes API server answers"),
        (ELSEWHERE, 302, "HTTP status 302, not as a Kubernetes API server answers"),
        (ENDLESS, 200, "HTTP status 200, not as a Kubernetes API server answers"),
        (DENIED, 403, "no, no"),
        (b"", 0, "no answer within 1 s"),
    ],
    ids=["html", "redirect", "endless", "denied", "silent"],
)
def test_what_is_no_api_server_is_an_error(answer: bytes, status: int, message: str, tmp_path: Path) -> None:
    error = asked(answer, tmp_path)
    assert (error.status, str(error)) == (status, message)


def test_a_certificate_of_somebody_else_is_not_trusted(tmp_path: Path) -> None:
    error = asked(HTML, tmp_path, trusted=False)
    assert (error.status, error.reason) == (0, "CertificateNotTrusted")
