"""One run from manifest to verdict: measure, replay, write the result files."""

import gc
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Literal

from aura_contract.results import ArmProgress, Progress, Verdict, WindowRecord
from aura_data.catalog import open_catalog
from aura_data.errors import ServerError
from aura_data.tables import fingerprint
from aura_evidence.verdict import make_verdict
from aura_replayer.arm.base import ArmEmptied
from aura_replayer.arm.sizing import Sizing
from aura_replayer.book import ArmPlans
from aura_replayer.context.message import ContextWriter
from aura_replayer.desk import Desk
from aura_replayer.lane import Lane
from aura_replayer.monitor import Observer
from aura_replayer.parts import Parts, RunSettings
from aura_replayer.replay import Replay
from aura_replayer.results import JsonLines, SizingRecord, known_verdict, read_lines, write_whole
from aura_replayer.scoreboard import Scoreboard
from aura_replayer.source.events import EventLog
from aura_replayer.source.items import ItemTable
from aura_replayer.source.scan import LogSummary, scan
from aura_replayer.tally import category_totals

__all__ = ["Run", "first_progress"]

LAST_ANSWERS = 15.0
OF_ONE_RUN = ("windows.jsonl", "verdict.json", "categories.json", "ceilings.json", "report.html")


def first_progress(settings: RunSettings, message: str = "") -> Progress:
    """Progress before anything has happened."""
    return Progress(
        phase="starting", experiment=settings.experiment.metadata.name, run=settings.run, events=0, total=0, window=0,
        events_per_second=0.0, eta_seconds=None, arms={}, message=message,
    )  # fmt: skip


class Run:
    """Executes one shard of a run, or all of it where there is one; started again with the same run id against the same
    Redis servers it goes on where it stopped."""

    def __init__(self, settings: RunSettings, parts: Parts, monitor: Observer, stop: Callable[[], bool]) -> None:
        self._settings, self._parts, self._monitor, self._stop = settings, parts, monitor, stop
        self._spec = settings.experiment.spec
        self._records: list[WindowRecord] = []
        self._lanes: list[Lane] = []
        self._rows = self._rows_before = 0
        self._started = 0.0

    def execute(self) -> Verdict | None:
        """Run to the end; None when it was stopped before. A run that had ended already answers with its verdict again."""
        settings, spec = self._settings, self._spec
        if (known := known_verdict(settings.folder, settings.run)) is not None:
            self._monitor.update(_last_progress(known))
            return known
        settings.folder.mkdir(parents=True, exist_ok=True)
        self._parts.open()
        self._show("measuring", message="reading the catalogue")
        catalog = open_catalog(spec.catalog, spec.dependencies.mongodb_server, settings.base)
        items = self._parts.items(catalog)
        log = EventLog(spec.workload, settings.base, items, settings.bad_rows, settings.folder, settings.shard)
        self._show("measuring", message="reading the log once, to count its items")
        summary = scan(log, items)
        if self._stop():
            return None
        self._show("measuring", summary.rows, message="filling the arms, to turn the cache's size into bytes")
        sizing = self._lanes_and_sizing(items, summary)
        self._rows = self._rows_before = log.rows_before(self._records[-1].last_event + 1) if self._records else 0
        desk = self._desk(items)
        self._monitor.planning(desk.arms)
        try:
            return self._replay(log, items, sizing, summary, desk)
        finally:
            desk.close()
            catalog.close()
            for lane in self._lanes:
                lane.arm.close()

    def _replay(self, log: EventLog, items: ItemTable, sizing: Sizing, summary: LogSummary, desk: Desk) -> Verdict | None:
        settings, spec = self._settings, self._spec
        window_log = JsonLines(settings.folder / "windows.jsonl")
        writer = ContextWriter(settings.experiment.metadata.name, settings.run, settings.index, spec.executor, spec.guard)
        # What lives to the end of the run is not looked through again and again.
        gc.collect()
        gc.freeze()
        self._started = time.monotonic()
        self._show("replaying", summary.rows, desk, "replaying the first window")

        def finish(records: list[WindowRecord], rows: int) -> None:
            for record in records:
                window_log.write(record)
                lane = next(lane for lane in self._lanes if lane.arm.name == record.arm)
                self._monitor.window(record, lane.batch_seconds)
            self._records.extend(records)
            self._rows = rows
            message = f"window {records[0].window} is done: {rows:,} of {summary.rows:,} events"
            self._show("replaying", summary.rows, desk, message)

        replay = Replay(spec, self._lanes, desk, log, items, summary.log_rows, sizing, writer, finish, self._stop)
        rows = replay.run()
        seconds = time.monotonic() - self._started
        window_log.close()
        if self._stop():
            return None
        desk.finish(LAST_ANSWERS, replay.asked)
        verdict = self._verdict(desk, sizing, rows, log.bad_rows, seconds)
        tallies = {lane.arm.name: lane.tally for lane in self._lanes}
        write_whole(settings.folder / "categories.json", category_totals(settings.run, tallies, items.category_names))
        write_whole(settings.folder / "verdict.json", verdict)
        self._show("done", summary.rows, desk, f"{verdict.verdict}: {verdict.reason}")
        return verdict

    def _lanes_and_sizing(self, items: ItemTable, summary: LogSummary) -> Sizing:
        settings = self._settings
        arms = self._parts.arms()
        draft = settings.folder / "sizing.json"
        known = SizingRecord.model_validate_json(draft.read_text()) if draft.exists() else None
        if known and known.run == settings.run:
            if known.unknown not in (None, items.unknown):
                # Misses would be filled with other values than before, and the arms hold another number of them.
                raise ServerError(
                    "the catalogue lacks items that it had when the run began, or has more; load it again with aura load"
                )
            known_sizing = (known.budget, known.capacity_items, known.item_bytes, known.batch, known.in_flight)
            sizing, empties = Sizing(*known_sizing), known.empties
        else:
            for name in OF_ONE_RUN:
                (settings.folder / name).unlink(missing_ok=True)
            unknown = items.unknown
            sizing, empties = self._parts.size(arms, items, summary)
            write_whole(draft, SizingRecord(run=settings.run, empties=empties, unknown=unknown, **asdict(sizing)))
        self._records = read_lines(settings.folder / "windows.jsonl", WindowRecord)
        for arm, empty in zip(arms, empties, strict=True):
            totals = arm.begin(settings.run, empty, sizing.room)
            if totals.requests < sum(record.requests for record in self._records if record.arm == arm.name):
                raise ArmEmptied(arm.name)
            lane = Lane(arm, totals.requests, totals, sizing.in_flight)
            lane.recorded = max((record.window for record in self._records if record.arm == arm.name), default=-1)
            lane.scores = Scoreboard.of(self._records, arm.name)
            lane.refresh_policy()
            self._lanes.append(lane)
        return sizing

    def _desk(self, items: ItemTable) -> Desk:
        settings = self._settings
        logs = {}
        for name in ("plans", "receipts"):
            # After a restart both topics are read again from their start.
            (settings.folder / f"{name}.jsonl").unlink(missing_ok=True)
            logs[name] = JsonLines(settings.folder / f"{name}.jsonl")
        return self._parts.desk([lane.arm for lane in self._lanes], items, logs)

    def _verdict(self, desk: Desk, sizing: Sizing, rows: int, bad_rows: int, seconds: float) -> Verdict:
        settings, spec = self._settings, self._spec
        verdict = make_verdict(
            settings.experiment.metadata.name,
            settings.run,
            self._records,
            {arm: state.counts() for arm, state in desk.arms.items()},
            {"baseline": None, **{arm: _planner(backend, desk.arms[arm]) for arm, backend in spec.planned_arms.items()}},
            capacity_items=sizing.capacity_items,
            events=rows,
            bad_rows=bad_rows,
            wall_seconds=seconds,
            data_sha256=fingerprint(spec.workload.source, settings.base),
            seed=spec.seed,
        )
        return verdict.model_copy(update={"capacity_items": sizing.capacity_items, "budget_bytes": sizing.budget})

    def _show(
        self,
        phase: Literal["measuring", "replaying", "done"],
        total: int = 0,
        desk: Desk | None = None,
        message: str = "",
    ) -> None:
        elapsed = time.monotonic() - self._started if self._started else 0.0
        rate = (self._rows - self._rows_before) / elapsed if elapsed > 0 else 0.0
        window = self._records[-1].window + 1 if self._records else 0
        progress = first_progress(self._settings).model_copy(
            update={
                "phase": phase,
                "events": self._rows,
                "total": total,
                "window": window,
                "events_per_second": round(rate, 1),
                "eta_seconds": round((total - self._rows) / rate, 1) if rate else None,
                "arms": {lane.arm.name: _arm_progress(lane, desk) for lane in self._lanes},
                "message": message,
            }
        )
        self._monitor.update(progress)


def _last_progress(verdict: Verdict) -> Progress:
    """Progress of a run that had ended before; its arms may be gone, so their pressure is unknown and 0."""
    arms = {
        name: ArmProgress(
            hit_ratio=arm.hit_ratio,
            pressure=0.0,
            requests=arm.requests,
            hits=arm.hits,
            plans_decided=arm.plans.decided,
            plans_applied=arm.plans.applied,
            plans_refused=arm.plans.refused,
            plans_vetoed=sum(arm.plans.vetoed.values()),
            rollbacks=arm.plans.rollbacks,
            unplanned=sum(arm.plans.unplanned.values()),
        )
        for name, arm in verdict.arms.items()
    }
    return Progress(
        phase="done", experiment=verdict.experiment, run=verdict.run, events=verdict.events, total=verdict.events,
        window=verdict.windows, events_per_second=verdict.events_per_second, eta_seconds=0.0, arms=arms,
        message=f"{verdict.verdict}: {verdict.reason}",
    )  # fmt: skip


def _planner(backend: str, plans: ArmPlans) -> str:
    """What planned for an arm: with `auto` that is known from its plans alone."""
    return plans.planner or backend if backend == "auto" else backend


def _arm_progress(lane: Lane, desk: Desk | None) -> ArmProgress:
    totals = lane.totals
    plans = desk.arms.get(lane.arm.name) if desk else None
    return ArmProgress(
        hit_ratio=round(totals.hits / totals.requests, 6) if totals.requests else 0.0,
        pressure=totals.pressure,
        requests=totals.requests,
        hits=totals.hits,
        plans_decided=plans.decided if plans else 0,
        plans_applied=plans.applied if plans else 0,
        plans_refused=plans.refused if plans else 0,
        plans_vetoed=sum(plans.vetoed.values()) if plans else 0,
        rollbacks=plans.rollbacks if plans else 0,
        unplanned=sum(plans.unplanned.values()) if plans else 0,
    )
