"""One run with the faults of one seed, from its first process to the list of what was wrong."""

import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos.checks import Evidence, problems
from chaos.faults import ARMS, CONTEXT, Fault
from chaos.scene import Scene, plain_scene, scene_with_context
from chaos.servers import Servers
from chaos.world import World

from aura_bus import Subscriber
from aura_cli.embedded.household import Household
from aura_contract.plan import Plan
from aura_contract.receipt import Receipt
from aura_contract.results import Verdict, WindowRecord
from aura_contract.topics import Topics
from aura_replayer.book import acts
from aura_replayer.results import read_lines

__all__ = ["Outcome", "one_run"]

END_SECONDS = 150.0
QUIET_SECONDS = 3.0
TRIES_AFTER = 2
PART_LOST = 3


@dataclass
class Outcome:
    """`told` are the sentences of parts that gave up and were started again, `lost` the arms whose server was started again empty
    after their first window, and `problems` what must not be: empty when all is well.

    `unplanned` counts plans that are none, by outcome, and `failed_lookups` by source those of the planner that was there last.
    """

    seed: int
    faults: list[Fault] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    verdict: Verdict | None = None
    sentence: str | None = None
    seconds: float = 0.0
    unplanned: Counter[str] = field(default_factory=Counter)
    failed_lookups: dict[str, int] = field(default_factory=dict)


def one_run(seed: int, folder: Path, servers: Servers | None = None) -> Outcome:
    """Replays under the faults of `seed`; all its files go to `folder`. With `servers` planners ask them, and they are hit too."""
    folder.mkdir(parents=True)
    manifest = folder / "experiment.yaml"
    scene = scene_with_context(seed, servers) if servers else plain_scene(seed)
    manifest.write_text(scene.manifest)
    outcome, started = Outcome(seed), time.monotonic()
    with Household(folder / "logs") as house:
        world = World(house, manifest, folder / "out", f"chaos-{seed}", servers)
        try:
            world.start()
            _Drive(world, outcome, folder / "out", scene).through()
            outcome.problems += problems(_evidence(world, outcome, folder / "out", scene))
        finally:
            world.close()
    outcome.seconds = time.monotonic() - started
    return outcome


class _Drive:
    """Injects the faults and starts what gives up again, until the run has ended."""

    def __init__(self, world: World, outcome: Outcome, out: Path, scene: Scene) -> None:
        self._world, self._outcome, self._out, self._scene = world, outcome, out, scene
        self._tries = -1
        """Of a replayer that gave up after the last fault; before that there is no end of them."""

    def through(self) -> None:
        for fault in self._scene.faults:
            time.sleep(fault.after)
            if self._ended() or (fault.loses_data and self._outcome.seed % 3 and not self._first_window()):
                return
            if fault.loses_data and 0 < self._windows() < self._scene.windows:
                # Before the first window's end an arm simply begins anew, as the run does, and after the last nothing is left to count.
                self._outcome.lost |= {arm for arm in ARMS if fault.part == f"redis-{arm}"}
            self._world.inject(fault)
            self._outcome.faults.append(fault)
        self._world.calm()
        self._tries = 0
        deadline = time.monotonic() + END_SECONDS
        while not self._ended():
            if time.monotonic() > deadline:
                self._outcome.problems.append(f"no end within {END_SECONDS:g} s after the last fault")
                return
            time.sleep(0.1)

    def _windows(self) -> int:
        """How many have ended, for both arms."""
        windows = self._out / "windows.jsonl"
        return windows.read_bytes().count(b"\n") // len(ARMS) if windows.exists() else 0

    def _first_window(self) -> bool:
        """Wait for its end; whether the run still goes on then."""
        while not self._windows():
            if self._ended():
                return False
            time.sleep(0.1)
        return True

    def _ended(self) -> bool:
        for part in ("planner", "executor"):
            if self._world.parts[part].exit_code is not None:
                self._gave_up(part)
                self._world.restart(part)
        replayer = self._world.parts["replayer"]
        if replayer.exit_code is None:
            return False
        if replayer.exit_code == 0:
            return True
        self._gave_up("replayer")
        self._outcome.sentence = replayer.said
        if self._outcome.lost or self._tries >= TRIES_AFTER:
            if not self._outcome.lost:
                self._outcome.problems.append(f"does not recover: {replayer.said}")
            return True
        self._tries += self._tries >= 0
        self._world.restart("replayer")
        return False

    def _gave_up(self, part: str) -> None:
        child = self._world.parts[part]
        self._outcome.told.append(f"{part}: {child.said or child.ending}")
        if child.exit_code == -signal.SIGSEGV and any(
            fault.part == "broker" and fault.loses_data for fault in self._outcome.faults
        ):
            # librdkafka's own, when all topics are gone from the same address (docs/reliability.md): only started again.
            return
        in_service = self._world.planned() if part == "planner" else self._windows()
        if only_context(self._outcome.faults) and in_service:
            self._outcome.problems.append(f"the {part} ended in mid-run for want of context: {child.said}")
        if child.exit_code not in (1, PART_LOST) or not child.said:
            self._outcome.problems.append(f"the {part} ended by itself ({child.ending}): {child.said}")


def _evidence(world: World, outcome: Outcome, out: Path, scene: Scene) -> Evidence:
    said_before = (out / "verdict.json").exists()
    if said_before:
        outcome.verdict = Verdict.model_validate_json((out / "verdict.json").read_text())
    whole = said_before and not any(fault.loses_data for fault in outcome.faults)
    plans = read_lines(out / "plans.jsonl", Plan)
    outcome.unplanned.update(plan.outcome for plan in plans if plan.outcome != "planned")
    looked = world.lookups()
    receipts, idle = _published(world.kafka) if whole else ([], frozenset())
    outcome.failed_lookups = {source: failed for source, (failed, _) in looked.items()}
    held_up = sum(fault.seconds for fault in outcome.faults if (fault.part, fault.action) == ("planner", "pause"))
    return Evidence(
        expected=[scene.window] * scene.windows,
        verdict=outcome.verdict,
        sentence=outcome.sentence,
        windows=read_lines(out / "windows.jsonl", WindowRecord),
        states={arm: world.state(arm) for arm in ARMS} if whole else {},
        receipts=receipts,
        idle=idle,
        lost=frozenset(outcome.lost),
        plans=plans,
        plan_seconds=scene.seconds + held_up,
        lookups=looked,
        only_context=only_context(outcome.faults),
    )


def only_context(faults: Sequence[Fault]) -> bool:
    """Whether nothing was hit but what planners ask."""
    return bool(faults) and all(fault.part in CONTEXT for fault in faults)


def _published(kafka: str) -> tuple[list[Receipt], frozenset[str]]:
    """All receipts, and the ids of plans that ask for nothing: their receipts say applied, and the arm never hears of them."""
    receipts, idle = [], set()
    with Subscriber(kafka, [Topics().applied, Topics().plan]) as subscriber:
        while (message := subscriber.poll(QUIET_SECONDS)) is not None:
            if message.topic == Topics().applied:
                receipts.append(Receipt.model_validate_json(message.value))
            elif not acts(plan := Plan.model_validate_json(message.value)):
                idle.add(plan.plan_id or "")
    return receipts, frozenset(idle)
