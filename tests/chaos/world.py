"""The parts of one run, each started again when it was killed: by hand what Kubernetes does."""

import json
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import redis
from chaos.cutter import Cutter
from chaos.faults import ARMS, CONTEXT, Fault
from chaos.servers import Servers

from aura_bus import ensure_topics
from aura_cli.embedded.household import Child, Household
from aura_cli.embedded.kafka import find_broker
from aura_cli.embedded.part import Part
from aura_cli.embedded.ports import LOOPBACK, answers, free_port, http_get, wait_until
from aura_cli.embedded.redis import find_redis, start_redis
from aura_cli.embedded.services import RunPlan, start_executor, start_planner, start_replayer
from aura_contract.manifest import load_manifest
from aura_contract.topics import Topics

__all__ = ["World"]

READY_SECONDS = 30.0
FAILED = re.compile(r'^aura_planner_failed_lookups_total\{source="(\w+)"\} ([0-9.]+)', re.MULTILINE)


class World:
    """Servers behind a cutter, and the run's own processes in front of it."""

    def __init__(self, house: Household, manifest: Path, out: Path, run: str, servers: Servers | None = None) -> None:
        self._house, self._cutter, self._servers = house, Cutter(), servers
        self._planner_address = ""
        self._timers: list[threading.Timer] = []
        self._again: dict[str, Callable[[], Child]] = {}
        self.parts: dict[str, Child] = {}
        self.kafka = ""
        self.urls: dict[str, str] = {}
        self._doors: dict[str, int] = {}
        experiment = load_manifest(manifest)
        self._plan = RunPlan(manifest, experiment.metadata.name, experiment.spec, run, "", out, "fail", None)

    def start(self) -> None:
        """Bring everything up."""
        self._start_broker()
        doors = {arm: self._start_redis(arm) for arm in ARMS}
        plan = self._plan
        self._again |= {
            "executor": lambda: start_executor(self._house, plan, Part("aura"), doors["aura"]).child,
            "planner": lambda: self._start_planner(plan),
            "replayer": lambda: start_replayer(self._house, plan, 0, doors).child,
        }
        for part in ("executor", "planner", "replayer"):
            self.restart(part)

    def restart(self, part: str) -> None:
        """Start a part that has ended, in the same place."""
        if part in self.parts:
            self._house.forget(self.parts[part])
        self.parts[part] = self._again[part]()

    def inject(self, fault: Fault) -> None:
        """Do it; what ends by itself is undone by a timer, what was killed is started again at once or a little later."""
        if fault.part in CONTEXT:
            assert self._servers is not None
            self._servers.inject(fault)
            return
        child = self.parts[fault.part]
        if fault.action == "kill":
            child.signal(signal.SIGKILL)
            child.wait(10)
            time.sleep(min(fault.seconds, 0.5))
            self.restart(fault.part)
            if fault.part == "broker":
                self._topics()
            return
        if fault.action == "pause":
            child.signal(signal.SIGSTOP)
            undo = partial(child.signal, signal.SIGCONT)
        else:
            door = self._doors[fault.part]
            (self._cutter.cut if fault.action == "cut" else self._cutter.stall)(door)
            undo = partial(self._cutter.mend, door)
        timer = threading.Timer(fault.seconds, undo)
        timer.start()
        self._timers.append(timer)

    def calm(self) -> None:
        """Wait until nothing is paused or cut off any more."""
        for timer in self._timers:
            timer.join()
        if self._servers is not None:
            self._servers.calm()

    def state(self, arm: str) -> dict[str, str]:
        """What the arm's server itself says, past the cutter."""
        client = redis.Redis.from_url(self.urls[arm], decode_responses=True)
        with client:
            return {str(name): str(value) for name, value in client.hgetall("aura:state").items()}

    def planned(self) -> bool:
        """Whether the planner that was started last came as far as to plan."""
        return "planning" in self._said()

    def lookups(self) -> dict[str, tuple[int, int]]:
        """By source, the planner's failed look-ups as its metrics count them, and how many lines of its log tell of one."""
        text = (http_get(f"http://{self._planner_address}/metrics") or b"").decode()
        said = self._said()
        return {
            source: (round(float(failed)), sum(message.startswith(f"the {source} cannot be used") for message in said))
            for source, failed in FAILED.findall(text)
        }

    def _said(self) -> list[str]:
        """Messages in the log of the planner that was started last."""
        planner = self.parts["planner"]
        lines = [json.loads(line) for line in planner.log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
        return [str(line["message"]) for line in lines if line.get("replica") == f"planner-{planner.pid}"]

    def close(self) -> None:
        """Undo what still lasts; the household ends the processes."""
        self.calm()
        self._cutter.close()

    def _start_broker(self) -> None:
        port = free_port()
        door = self._doors["broker"] = self._cutter.forward(port)
        self.kafka = f"{LOOPBACK}:{door}"
        argv = [find_broker(), "broker", "--listener-url", f"tcp://{LOOPBACK}:{port}"]
        argv += ["--advertised-listener-url", f"tcp://{self.kafka}", "--storage-engine", "memory://tansu/", "--silent"]
        self._again["broker"] = partial(self._serve, "broker", argv, port)
        self.restart("broker")
        self._topics()
        self._plan = replace(self._plan, kafka=self.kafka)

    def _topics(self) -> None:
        ensure_topics(self.kafka, Topics().partitions, timeout=30.0)

    def _start_planner(self, plan: RunPlan) -> Child:
        service = start_planner(self._house, plan)
        self._planner_address = service.address
        return service.child

    def _start_redis(self, arm: str) -> str:
        server = start_redis(self._house, arm)
        self.parts[f"redis-{arm}"], self.urls[arm] = server.child, server.url
        address, _, _ = server.url.rpartition("/")
        beginning, _, port = address.rpartition(":")
        (config,) = self._house.folder.glob(f"redis-{arm}-{port}/redis.conf")
        self._again[f"redis-{arm}"] = partial(self._serve, f"redis-{arm}", [find_redis(), str(config)], int(port))
        door = self._doors[f"redis-{arm}"] = self._cutter.forward(int(port))
        return f"{beginning}:{door}/0"

    def _serve(self, name: str, argv: list[str], port: int) -> Child:
        child = self._house.start(name, name, argv, abrupt=True)
        wait_until(partial(answers, port), child, READY_SECONDS, lambda: None)
        return child
