"""The Redis server of an arm: its client, and the sentence for what goes wrong with it."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis

from aura_contract.arm import LIBRARY, OWN_KEYS, STATE_KEY
from aura_contract.connection import refused, tls_fault
from aura_contract.credentials import credentials
from aura_contract.manifest import ManifestError
from aura_replayer.arm.base import ArmEmptied, ArmLost, ArmRefused

__all__ = ["Server", "clear"]

Result = TypeVar("Result")
SCAN = 1000
NO_FUNCTION = "Function not found"


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
            raise ArmRefused(f"Redis of arm {self._arm} at {self._address} {refused('REDIS')}") from error
        except redis.exceptions.ResponseError as error:
            if NO_FUNCTION in str(error):
                raise ArmEmptied(self._arm) from error
            raise ArmLost(f"Redis of arm {self._arm} refuses a call: {error}") from error
        except (redis.exceptions.RedisError, OSError) as error:
            raise self._silent(type(error).__name__) from error
        self._answered = True
        return result

    def check_own(self) -> None:
        """Raise ManifestError when the server holds somebody else's keys: an arm empties its server before it fills it."""
        count = int(self.guard(self.client.dbsize))
        if count and not self.guard(lambda: self.client.exists(STATE_KEY)):
            raise ManifestError(
                f"Redis of arm {self._arm} at {self._address} holds {count:,} keys that are not an experiment's; "
                "an arm needs a whole server, so name one that is empty"
            )

    def configure(self, settings: Mapping[str, str | int]) -> None:
        """Set what an arm needs; raises ArmLost when this user may not."""
        for name, value in settings.items():
            try:
                self.guard(lambda name=name, value=value: self.client.config_set(name, value))  # type: ignore[misc]
            except ArmLost as error:
                if not isinstance(error.__cause__, redis.exceptions.ResponseError):
                    raise
                raise ArmLost(
                    f"Redis of arm {self._arm} at {self._address} does not allow CONFIG SET {name} ({error.__cause__}); "
                    "name a server of which this user may set the memory limit and policy"
                ) from error

    def without_statistics(self) -> None:
        """Have it keep none: a slow log that grows and 25 kB for each command ever used would take room from the items."""
        self.configure({"latency-tracking": "no", "slowlog-log-slower-than": -1})
        self.guard(self.client.config_resetstat)

    def _silent(self, error: str) -> ArmLost:
        if self._answered:
            return ArmLost(f"Redis of arm {self._arm} does not answer ({error}); start the experiment again")
        where, fault = f"Redis of arm {self._arm} at {self._address}", tls_fault("REDIS", self._address)
        if fault:
            return ArmRefused(f"{where} {fault}")
        return ArmLost(f"{where} does not answer ({error}); check the address or start the server")


def clear(arm: str, url: str) -> None:
    """Remove what a run put into a server that stays: its keys, its function library and its memory limit.

    Does nothing when no run was there; raises ArmLost.
    """
    server = Server(arm, url)
    try:
        server.guard(lambda: _clear(server.client))
    finally:
        server.client.close()


def _clear(client: redis.Redis) -> None:
    if not client.exists(STATE_KEY):
        return
    client.config_set("maxmemory", 0)
    for pattern in OWN_KEYS:
        keys: list[bytes] = []
        for key in client.scan_iter(pattern, count=SCAN):
            keys.append(key)
            if len(keys) >= SCAN:
                client.unlink(*keys)
                keys = []
        if keys:
            client.unlink(*keys)
    if client.function_list(LIBRARY):
        client.function_delete(LIBRARY)


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
