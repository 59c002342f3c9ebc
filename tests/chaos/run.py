"""One run with the faults of one seed, from its first process to the list of what was wrong."""

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from chaos.checks import Evidence, problems
from chaos.faults import ARMS, Fault, schedule
from chaos.world import World

from aura_bus import Subscriber
from aura_cli.embedded.household import Household
from aura_contract.receipt import Receipt
from aura_contract.results import Verdict, WindowRecord
from aura_contract.topics import Topics
from aura_replayer.results import read_lines

__all__ = ["Outcome", "one_run"]

PLAN_SECONDS = 5
MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: chaos}}
spec:
  workload: {{source: {{dataset: complete-journey}}, requests: [purchase], limit: {rows}}}
  catalog: {{source: {{dataset: complete-journey}}}}
  cache: {{capacity: 5%}}
  trigger: {{everyEvents: {window}}}
  planner: {{backend: heuristic, timeoutSeconds: {timeout}}}
"""
ROWS, WINDOW = 30_000, 500
END_SECONDS = 150.0
QUIET_SECONDS = 3.0
TRIES_AFTER = 2
PART_LOST = 3


@dataclass
class Outcome:
    """`told` are the sentences of parts that gave up and were started again, `lost` the arms whose server was started again empty
    after their first window, and `problems` what must not be: empty when all is well."""

    seed: int
    faults: list[Fault] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    verdict: Verdict | None = None
    sentence: str | None = None
    seconds: float = 0.0


def one_run(seed: int, folder: Path) -> Outcome:
    """Replays under the faults of `seed`; all its files go to `folder`."""
    folder.mkdir(parents=True)
    manifest = folder / "experiment.yaml"
    manifest.write_text(MANIFEST.format(rows=ROWS, window=WINDOW, timeout=PLAN_SECONDS))
    outcome, started = Outcome(seed), time.monotonic()
    with Household(folder / "logs") as house:
        world = World(house, manifest, folder / "out", f"chaos-{seed}")
        try:
            world.start()
            _Drive(world, outcome, folder / "out").through(schedule(Random(seed)))
            outcome.problems += problems(_evidence(world, outcome, folder / "out"))
        finally:
            world.close()
    outcome.seconds = time.monotonic() - started
    return outcome


class _Drive:
    """Injects the faults and starts what gives up again, until the run has ended."""

    def __init__(self, world: World, outcome: Outcome, out: Path) -> None:
        self._world, self._outcome, self._out = world, outcome, out
        self._tries = -1
        """Of a replayer that gave up after the last fault; before that there is no end of them."""

    def through(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            time.sleep(fault.after)
            if self._ended() or (fault.loses_data and self._outcome.seed % 3 and not self._first_window()):
                return
            if fault.loses_data and 0 < self._windows() < ROWS // WINDOW:
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
        if child.exit_code not in (1, PART_LOST) or not child.said:
            self._outcome.problems.append(f"the {part} ended by itself ({child.ending}): {child.said}")


def _evidence(world: World, outcome: Outcome, out: Path) -> Evidence:
    said_before = (out / "verdict.json").exists()
    if said_before:
        outcome.verdict = Verdict.model_validate_json((out / "verdict.json").read_text())
    whole = said_before and not any(fault.loses_data for fault in outcome.faults)
    return Evidence(
        expected=[WINDOW] * (ROWS // WINDOW),
        verdict=outcome.verdict,
        sentence=outcome.sentence,
        windows=read_lines(out / "windows.jsonl", WindowRecord),
        states={arm: world.state(arm) for arm in ARMS} if whole else {},
        receipts=_receipts(world.kafka) if whole else (),
        lost=frozenset(outcome.lost),
    )


def _receipts(kafka: str) -> list[Receipt]:
    found = []
    with Subscriber(kafka, [Topics().applied]) as subscriber:
        while (message := subscriber.poll(QUIET_SECONDS)) is not None:
            found.append(Receipt.model_validate_json(message.value))
    return found
