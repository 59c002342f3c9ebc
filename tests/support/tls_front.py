"""Certificates, and servers that speak TLS before a server that does not."""

import socket
import ssl
import subprocess
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Certificates", "TlsFront", "make_certificates"]


@dataclass(frozen=True)
class Certificates:
    """A CA, a server's certificate for 127.0.0.1 and localhost, a client's, and another CA that signed neither."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path
    other_ca: Path


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


def make_certificates(folder: Path) -> Certificates:
    """New ones, as PEM files in a folder."""

    def authority(name: str) -> Path:
        path = folder / f"{name}.pem"
        new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj", f"/CN={name}")
        _openssl(*new, "-keyout", folder / f"{name}.key", "-out", path)
        return path

    def signed(name: str) -> tuple[Path, Path]:
        path, key = folder / f"{name}.pem", folder / f"{name}.key"
        sign = ("-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj", f"/CN={name}")
        _openssl(*new, *sign, "-keyout", key, "-out", path)
        return path, key

    ca = authority("ca")
    return Certificates(ca, *signed("server"), *signed("client"), authority("other"))


class TlsFront:
    """Takes TLS at an address, by default a free port, and passes what comes on to the port `target` in the clear."""

    def __init__(
        self,
        certificates: Certificates,
        target: int,
        *,
        client_certificate: bool = False,
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates.server, certificates.server_key)
        if client_certificate:
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(certificates.ca)
        self._target = target
        self._listener = socket.create_server(address)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(plain,), daemon=True).start()

    def _pass_on(self, plain: socket.socket) -> None:
        with ExitStack() as stack:
            stack.enter_context(plain)
            try:
                safe = stack.enter_context(self._context.wrap_socket(plain, server_side=True))
                behind = stack.enter_context(socket.create_connection(("127.0.0.1", self._target)))
            except OSError:
                return
            back = threading.Thread(target=_copy, args=(behind, safe), daemon=True)
            back.start()
            _copy(safe, behind)
            back.join()

    def close(self) -> None:
        self._listener.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
