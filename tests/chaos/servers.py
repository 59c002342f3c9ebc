"""MongoDB, Milvus and Ollama in containers behind a cutter, started once for many runs."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Timer

from chaos.cutter import Cutter
from chaos.faults import CONTEXT, Fault
from model_server import model_server
from testcontainers.core.container import DockerContainer

from aura_cli.embedded.ports import LOOPBACK, free_port
from aura_contract.dependencies import External
from aura_contract.workload import CatalogSpec
from aura_data.catalog import load_mongodb
from aura_data.errors import DataError
from aura_data.neighbours import build_neighbours

__all__ = ["MODEL", "Servers", "context_servers"]

MODEL = "smollm2:135m"
READY_SECONDS, PAUSE_SECONDS = 120.0, 0.5
PORTS = {"mongodb": 27017, "milvus": 19530, "ollama": 11434}
DATABASE = "chaos"
FIXED, FIXED_SECONDS = "fixed", 0.2
ANSWER = (
    '{"frequency":"high","admit":"all","ahead":"none","long":[],"short":[],"protect":[],"expand":"similar","seeds":[1],"drop":[]}'
)


class Servers:
    """`folder` holds the log and the catalogue; at `fixed_url` is a `fixed_model` that answers at once and is never hit."""

    def __init__(self, containers: dict[str, DockerContainer], ports: dict[str, int], folder: Path, fixed_url: str) -> None:
        self._containers, self._ports = containers, ports
        self.folder, self.fixed_url, self.fixed_model = folder, fixed_url, FIXED
        self._catalogue = CatalogSpec.model_validate({"source": {"path": str(folder / "items.csv")}})
        self._cutter = Cutter()
        self._doors = {part: self._cutter.forward(port) for part, port in ports.items()}
        self._undone: dict[str, Timer] = {}
        self._killed = False

    def inject(self, fault: Fault) -> None:
        """Do it; a timer undoes it. What is hit already is hit again only when it works as before."""
        self._wait(fault.part)
        container, door = self._containers[fault.part].get_wrapped_container(), self._doors[fault.part]
        undo: Callable[[], None]
        if fault.action == "kill":
            container.kill()
            self._killed = True
            undo = container.start
        elif fault.action == "pause":
            container.pause()
            undo = container.unpause
        else:
            (self._cutter.cut if fault.action == "cut" else self._cutter.stall)(door)

            def undo() -> None:
                self._cutter.mend(door)

        timer = Timer(fault.seconds, undo)
        timer.start()
        self._undone[fault.part] = timer

    def calm(self) -> None:
        """Wait until all of them work as before, and hold what they held: a killed server may have forgotten it."""
        for part in self._ports:
            self._wait(part)
        if self._killed:
            self.load()

    def load(self) -> None:
        """Fill the servers, past their doors, as soon as they answer; what is there already stays."""
        base = Path()
        mongodb, milvus = (External(endpoint=self._url(part, self._ports[part])) for part in ("mongodb", "milvus"))
        _as_soon_as_it_answers(lambda: load_mongodb(self._catalogue, mongodb, base))
        _as_soon_as_it_answers(lambda: build_neighbours(self._catalogue, milvus, base))
        _as_soon_as_it_answers(lambda: _has_model(self._ports["ollama"]))
        self._killed = False

    def endpoint(self, part: str) -> str:
        """The url of a part's door."""
        return self._url(part, self._doors[part])

    def close(self) -> None:
        """Undo what still lasts."""
        for part in self._ports:
            self._wait(part)
        self._cutter.close()

    def _wait(self, part: str) -> None:
        if part in self._undone:
            self._undone.pop(part).join()

    @staticmethod
    def _url(part: str, port: int) -> str:
        return f"mongodb://{LOOPBACK}:{port}/{DATABASE}" if part == "mongodb" else f"http://{LOOPBACK}:{port}"


def _as_soon_as_it_answers(do: Callable[[], object]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            do()
        except (DataError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _has_model(port: int) -> None:
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/api/tags", timeout=2) as answer:
        assert MODEL in {found["name"] for found in json.load(answer)["models"]}


@contextmanager
def context_servers(folder: Path) -> Iterator[Servers]:
    """All three, holding the catalogue of `folder`; needs docker."""
    containers = {
        "mongodb": DockerContainer("mongo:8.0"),
        "milvus": DockerContainer("milvusdb/milvus:v2.6.0").with_command("milvus run standalone"),
        "ollama": DockerContainer("ollama/ollama:0.17.4"),
    }
    for name, value in {"ETCD_USE_EMBED": "true", "COMMON_STORAGETYPE": "local", "DEPLOY_MODE": "STANDALONE"}.items():
        containers["milvus"].with_env(name, value)
    with ExitStack() as stack:
        ports = {}
        for part in CONTEXT:
            # A port of our own choice, since docker's would be another one after each start.
            ports[part] = free_port()
            stack.enter_context(containers[part].with_bind_ports(PORTS[part], ports[part]))
        fixed_url = stack.enter_context(model_server(FIXED, ANSWER, FIXED_SECONDS))
        servers = Servers(containers, ports, folder, fixed_url)
        stack.callback(servers.close)
        servers.load()
        yield servers
