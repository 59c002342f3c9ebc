"""The Redis server of an arm: its client, and the sentence for what goes wrong with it."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis

from aura_contract.connection import refused, tls_fault
from aura_contract.credentials import credentials
from aura_contract.manifest import ManifestError
from aura_replayer.arm.base import ArmLost

__all__ = ["Server"]

Result = TypeVar("Result")


class Server:
    """`url` is HOST:PORT or an url; user, password and certificates from the environment win over those in it."""

    def __init__(self, arm: str, url: str) -> None:
        self._arm = arm
        url = url if "://" in url else f"redis://{url}"
        self._address = urlsplit(url).netloc.rpartition("@")[2] or urlsplit(url).path
        self._answered = False
        try:
            self.client = _client(url)
        except ValueError as error:
            if isinstance(error, ManifestError):
                raise
            raise ManifestError(
                f"Redis of arm {arm}: {self._address} is no address; write HOST:PORT, redis://HOST:PORT or rediss://HOST:PORT"
            ) from error

    def guard(self, action: Callable[[], Result]) -> Result:
        """What `action` returns; raises ArmLost with a sentence for what the server or its connection did instead."""
        try:
            result = action()
        except redis.exceptions.AuthenticationError as error:
            raise ArmLost(f"Redis of arm {self._arm} at {self._address} {refused('REDIS')}") from error
        except redis.exceptions.ResponseError as error:
            raise ArmLost(f"Redis of arm {self._arm} refuses a call: {error}") from error
        except (redis.exceptions.RedisError, OSError) as error:
            raise ArmLost(self._silent(type(error).__name__)) from error
        self._answered = True
        return result

    def _silent(self, error: str) -> str:
        if self._answered:
            return f"Redis of arm {self._arm} does not answer ({error}); start the experiment again"
        fault = tls_fault("REDIS", self._address) or f"does not answer ({error}); check the address or start the server"
        return f"Redis of arm {self._arm} at {self._address} {fault}"


def _client(url: str) -> redis.Redis:
    found = credentials("REDIS")
    scheme, _, rest = url.partition("://")
    options: dict[str, Any] = {"socket_timeout": 30, "socket_connect_timeout": 5}
    if found.tls and scheme == "redis":
        scheme = "rediss"
    if scheme == "rediss":
        options |= {"ssl_ca_certs": found.ca, "ssl_certfile": found.cert, "ssl_keyfile": found.key, "ssl_check_hostname": True}
    if found.password:
        # What the url itself says would win.
        rest = rest.rpartition("@")[2]
        options |= {"username": found.username, "password": found.password}
    return redis.Redis.from_url(f"{scheme}://{rest}", **options)
