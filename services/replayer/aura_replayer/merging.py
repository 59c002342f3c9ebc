"""Result files of a run from those of its shards, by the same code that judges a run of one."""

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from aura_contract.results import CategoryTotals, Verdict, WindowRecord
from aura_data.errors import DataError
from aura_evidence.merging import MergeError, merge_categories, merge_plans, merge_windows
from aura_evidence.verdict import make_verdict
from aura_replayer.parts import RunSettings, shard_folder
from aura_replayer.results import JsonLines, SizingRecord, known_verdict, read_lines, write_whole
from aura_replayer.source.shards import Shard

__all__ = ["merge", "wait_for_shards"]

LOGS = ("plans.jsonl", "receipts.jsonl")
OF_ANOTHER_RUN = ("ceilings.json", "report.html")
"""What would not be written again, if an earlier run has left it in the folder."""
LOOK_SECONDS = 0.5


def wait_for_shards(settings: RunSettings, say: Callable[[str], None], stop: Callable[[], bool]) -> bool:
    """Return when every shard has its verdict; False when it was stopped before. `say` is told who is waited for."""
    while missing := _missing(settings):
        if stop():
            return False
        say(f"waiting for {_names(missing)} of {settings.shard.count}")
        time.sleep(LOOK_SECONDS)
    return True


def merge(settings: RunSettings, wall_seconds: Callable[[Iterable[float]], float] = max) -> Verdict:
    """Write the run's windows, plans, receipts, sizing and verdict from those of its shards; raises DataError.

    `wall_seconds` makes the time of the run of those of the shards: the longest when they ran side by side. A run that was
    merged before answers with its verdict again.
    """
    known = known_verdict(settings.out, settings.run)
    if known is not None:
        return known
    if missing := _missing(settings):
        raise DataError(f"{_names(missing)} of {settings.shard.count} did not come to an end, so there is no verdict")
    folders = _folders(settings)
    verdicts = [Verdict.model_validate_json((folder / "verdict.json").read_bytes()) for folder in folders]
    records = [read_lines(folder / "windows.jsonl", WindowRecord) for folder in folders]
    try:
        windows = merge_windows(records)
    except MergeError as error:
        raise DataError(f"{folders[0].parent}: {error}; the shards are not of one run, so start it again") from error
    if any((one.data_sha256, one.bad_rows) != (verdicts[0].data_sha256, verdicts[0].bad_rows) for one in verdicts):
        raise DataError(f"{folders[0].parent}: the log changed while it was read, so its shards do not fit; start the run again")
    for name in OF_ANOTHER_RUN:
        (settings.out / name).unlink(missing_ok=True)
    _write_windows(settings.out / "windows.jsonl", windows)
    for name in LOGS:
        _concatenate([folder / name for folder in folders], settings.out / name)
    write_whole(settings.out / "sizing.json", _sizing([folder / "sizing.json" for folder in folders]))
    categories = [CategoryTotals.model_validate_json((folder / "categories.json").read_bytes()) for folder in folders]
    write_whole(settings.out / "categories.json", merge_categories(categories))
    verdict = _verdict(settings, verdicts, windows, wall_seconds(one.wall_seconds for one in verdicts))
    write_whole(settings.out / "verdict.json", verdict)
    return verdict


def _folders(settings: RunSettings) -> list[Path]:
    count = settings.shard.count
    return [shard_folder(settings.out, Shard(index, count)) for index in range(count)]


def _missing(settings: RunSettings) -> list[int]:
    """Shards that have no verdict of this run."""
    return [index for index, folder in enumerate(_folders(settings)) if known_verdict(folder, settings.run) is None]


def _names(shards: Sequence[int]) -> str:
    return f"shard{'s' if len(shards) > 1 else ''} {', '.join(map(str, shards))}"


def _verdict(settings: RunSettings, shards: Sequence[Verdict], windows: Sequence[WindowRecord], seconds: float) -> Verdict:
    arms = list(shards[0].arms)
    capacity = sum(shard.capacity_items for shard in shards)
    # With `auto` shards may have found different planners.
    named = {arm: list(dict.fromkeys(planner for shard in shards if (planner := shard.arms[arm].planner))) for arm in arms}
    verdict = make_verdict(
        settings.experiment.metadata.name,
        settings.run,
        windows,
        {arm: merge_plans([shard.arms[arm].plans for shard in shards]) for arm in arms},
        {arm: " and ".join(planners) or None for arm, planners in named.items()},
        capacity_items=capacity,
        events=sum(shard.events for shard in shards),
        bad_rows=shards[0].bad_rows,
        wall_seconds=seconds,
        data_sha256=shards[0].data_sha256,
        seed=settings.experiment.spec.seed,
    )
    budget = sum(shard.budget_bytes for shard in shards)
    return verdict.model_copy(update={"budget_bytes": budget})


def _sizing(paths: Sequence[Path]) -> SizingRecord:
    shards = [SizingRecord.model_validate_json(path.read_bytes()) for path in paths]
    return SizingRecord(
        run=shards[0].run,
        budget=sum(shard.budget for shard in shards),
        capacity_items=sum(shard.capacity_items for shard in shards),
        item_bytes=sum(shard.item_bytes for shard in shards) / len(shards),
        batch=max(shard.batch for shard in shards),
        empties=tuple(map(sum, zip(*(shard.empties for shard in shards), strict=True))),
    )


def _write_windows(path: Path, windows: Sequence[WindowRecord]) -> None:
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    lines = JsonLines(draft)
    for record in windows:
        lines.write(record)
    lines.close()
    draft.replace(path)


def _concatenate(parts: Sequence[Path], path: Path) -> None:
    draft = path.with_suffix(".tmp")
    with draft.open("wb") as whole:
        for part in parts:
            with part.open("rb") as lines:
                shutil.copyfileobj(lines, whole)
    draft.replace(path)
