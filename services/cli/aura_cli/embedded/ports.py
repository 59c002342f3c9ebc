"""Loopback ports: free ones for children, and waiting until one answers."""

import http.client
import random
import socket
import time
import urllib.request
from collections.abc import Callable

from aura_cli.embedded.household import Child
from aura_cli.errors import PartLostError

__all__ = ["LOOPBACK", "answers", "free_port", "http_get", "wait_until"]

LOOPBACK = "127.0.0.1"
# Below the range that the kernel hands out for outgoing connections, so that no client takes a port before its server does.
FIRST, LAST = 20000, 32000


def free_port() -> int:
    """A loopback port that nobody listens on."""
    for _ in range(200):
        port = random.randint(FIRST, LAST)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise PartLostError(f"no free port between {FIRST} and {LAST} on {LOOPBACK}; end some programs and try again")


def answers(port: int) -> bool:
    """Whether somebody accepts connections on the port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=0.5).close()
    except OSError:
        return False
    return True


def http_get(url: str, timeout: float = 2.0) -> bytes | None:
    """Body of a 200 answer, else None."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:  # noqa: S310 - only our own http:// addresses
            body: bytes = response.read()
            return body if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None


def wait_until(ready: Callable[[], bool], child: Child, seconds: float, check: Callable[[], None]) -> None:
    """Wait until `ready` or raise PartLostError once the child ended or `seconds` are over; `check` may raise too."""
    deadline = time.monotonic() + seconds
    while not ready():
        check()
        if child.exit_code is not None:
            raise PartLostError(f"{child.title} did not start ({child.ending}): {child.said or f'see {child.log}'}")
        if time.monotonic() > deadline:
            raise PartLostError(f"{child.title} was not ready within {seconds:g} s; see {child.log}")
        time.sleep(0.02)
