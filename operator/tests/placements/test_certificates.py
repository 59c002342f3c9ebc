"""Certificates that real TLS trusts, for the one host they were made for."""

import asyncio
import base64
import ssl
from pathlib import Path

import pytest

from aura_operator.builders import door
from aura_operator.builders.certificates import issue


async def shake_hands(pem: str, ca: str, name: str, folder: Path) -> None:
    path = folder / "server.pem"
    path.write_text(pem)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(path)

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0, ssl=ours)
    async with server:
        port = server.sockets[0].getsockname()[1]
        context = ssl.create_default_context(cadata=ca)
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
        writer.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "kafka.example.org"])
def test_a_server_proves_its_address_and_no_other(host: str, tmp_path: Path) -> None:
    pems = issue(host)
    asyncio.run(shake_hands(pems.key + pems.certificate, pems.ca, host, tmp_path))
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        asyncio.run(shake_hands(pems.key + pems.certificate, pems.ca, "192.0.2.1", tmp_path))
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(shake_hands(pems.key + pems.certificate, issue(host).ca, host, tmp_path))


def test_what_was_generated_is_read_again_and_kept_as_a_whole() -> None:
    made = door.generate("192.0.2.8")
    data = {key: base64.b64encode(value.encode()).decode() for key, value in made.items()}
    assert door.read({"data": data}) == made
    assert door.read({"data": {**data, "jaas": ""}}) == door.read(None) == {}
    assert made["password"] in made["jaas"]
    assert door.generate("192.0.2.8")["password"] != made["password"]
