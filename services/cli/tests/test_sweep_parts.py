"""The parts of a sweep that need no processes: its grid, its folder, its estimates."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from leaks import in_folder

from aura_cli.errors import InputError
from aura_cli.sweep.grid import Capacity, common, grid, own_capacity, parse_capacities, seeds_from
from aura_cli.sweep.runner import last_line
from aura_cli.sweep.store import CELL, Store
from aura_cli.sweep.view import duration, time_left
from aura_contract.cache import CacheSpec
from aura_contract.plan import Policy
from aura_contract.results import ArmResult, PlanCounts, Verdict, WindowRecord

MANIFEST: dict[str, Any] = {
    "metadata": {"name": "small"},
    "spec": {"cache": {"memory": "1Mi", "clock": "event"}, "seed": 7, "controls": ["noop"]},
}
ARM = ArmResult(
    requests=9, hits=3, misses=6, hit_ratio=1 / 3, backend_reads=6, prefetches=0, prefetch_hits=0, plans=PlanCounts(), planner=None, batch_p99_ms=1,
)  # fmt: skip
VERDICT = Verdict(
    experiment="small", run="r", verdict="Better", reason="", arms={"baseline": ARM}, delta_points=1.0, interval=(0.5, 1.5), windows=1,
    warmup_windows=0, events=9, bad_rows=0, events_per_second=1.0, wall_seconds=1.0, data_sha256="a",
)  # fmt: skip
WINDOW = WindowRecord(
    arm="baseline", window=0, first_event=0, last_event=8, end_v=9, requests=9, hits=3, misses=6, fills=6, prefetches=0, prefetch_hits=0,
    backend_reads=6, hit_ratio=1 / 3, pressure=0.5, items=6, policy=Policy(), batch_p50_ms=1, batch_p99_ms=1,
)  # fmt: skip
CELLS = grid(MANIFEST, (Capacity("5%", "capacity"), Capacity("8Mi", "memory")), (7, 8))
SHARED = {"manifest": common(MANIFEST), "servers": True, "bad_rows": "fail"}


def end(store: Store, number: int) -> None:
    """What a cell's run leaves, as far as the sweep looks at it."""
    place = store.begin(CELLS[number])
    (place / "verdict.json").write_text(VERDICT.model_dump_json())
    (place / "windows.jsonl").write_text(WINDOW.model_dump_json() + "\n")
    (place / "report.html").write_text("<!doctype html>")


def done(store: Store) -> list[int]:
    return [number for number, cell in enumerate(CELLS) if store.verdict(cell)]


def test_the_grid_goes_capacity_by_capacity() -> None:
    assert [cell.folder for cell in CELLS] == ["5pct/seed-7", "5pct/seed-8", "8Mi/seed-7", "8Mi/seed-8"]
    assert CELLS[1].manifest["spec"] == {"cache": {"clock": "event", "capacity": "5%"}, "seed": 8, "controls": ["noop"]}
    assert CELLS[2].manifest["spec"]["cache"] == {"clock": "event", "memory": "8Mi"}
    assert MANIFEST["spec"]["cache"] == {"memory": "1Mi", "clock": "event"}
    assert {repr(common(cell.manifest)) for cell in CELLS} == {repr(common(MANIFEST))}


def test_capacities_are_shares_and_byte_sizes() -> None:
    assert parse_capacities("0.5%, 8Mi") == (Capacity("0.5%", "capacity"), Capacity("8Mi", "memory"))
    assert [capacity.folder for capacity in parse_capacities("0.5%,100%,65536")] == ["0.5pct", "100pct", "65536"]
    assert own_capacity(CacheSpec(memory="8Mi")) == Capacity("8Mi", "memory")
    assert own_capacity(CacheSpec(capacity="5%")) == Capacity("5%", "capacity")


def test_seeds_are_counted_from_the_manifests() -> None:
    assert seeds_from(7, 3) == (7, 8, 9)


def test_a_cell_is_done_with_exactly_its_manifest(tmp_path: Path) -> None:
    store = Store(tmp_path / "sweep", SHARED)
    with store.opened(force=False):
        assert done(store) == []
        end(store, 0)
        end(store, 3)
        assert done(store) == [0, 3]
        path = tmp_path / "sweep" / CELLS[3].folder / CELL
        path.write_text(path.read_text().replace("seed: 8", "seed: 9"))
        assert done(store) == [0]
        path.write_text("a: [")
        assert done(store) == [0]


def with_login(login: str) -> dict[str, Any]:
    source = {"url": f"https://{login}@logs.example.org/log.csv?signature={login}"}
    return {**MANIFEST, "spec": {**MANIFEST["spec"], "workload": {"source": source}}}


def test_a_login_of_the_manifest_is_in_no_file_and_no_other_sweep(tmp_path: Path) -> None:
    for login in ("somebody:canary", "somebody:renewed"):
        manifest = with_login(login)
        (cell,) = grid(manifest, (Capacity("5%", "capacity"),), (7,))
        store = Store(tmp_path / "sweep", {**SHARED, "manifest": common(manifest)})
        with store.opened(force=False):
            store.begin(cell)
        assert in_folder(tmp_path, ["canary", "renewed", "somebody"]) == {}
        assert "https://***@logs.example.org/log.csv?signature=***" in (tmp_path / "sweep" / cell.folder / CELL).read_text()


@pytest.mark.parametrize(
    ("name", "text"), [("verdict.json", "{"), ("verdict.json", None), ("windows.jsonl", None), ("report.html", None)]
)
def test_a_cell_that_was_broken_off_is_not_done(name: str, text: str | None, tmp_path: Path) -> None:
    store = Store(tmp_path / "sweep", SHARED)
    with store.opened(force=False):
        end(store, 0)
        path = tmp_path / "sweep" / CELLS[0].folder / name
        path.unlink()
        if text is not None:
            path.write_text(text)
        assert done(store) == []


def test_a_cell_that_begins_again_has_no_verdict(tmp_path: Path) -> None:
    store = Store(tmp_path / "sweep", SHARED)
    with store.opened(force=False):
        end(store, 0)
        place = store.begin(CELLS[0])
        assert done(store) == []
        assert yaml.safe_load((place / CELL).read_text()) == CELLS[0].manifest


def test_a_sweep_is_taken_up_and_another_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path, SHARED)
    with store.opened(force=False):
        end(store, 0)
    with Store(tmp_path, SHARED).opened(force=False):
        assert done(store) == [0]
    other = {**MANIFEST, "metadata": {"name": "other"}}
    advice = "; choose another --out, or add --force to replace it"
    for shared, sentence in (
        ({**SHARED, "manifest": common(other)}, "holds a sweep of another manifest"),
        ({**SHARED, "servers": False}, "holds a sweep of this manifest that ran on real servers"),
        ({**SHARED, "bad_rows": "skip"}, "holds a sweep of this manifest with --bad-rows fail"),
    ):
        with pytest.raises(InputError) as caught, Store(tmp_path, shared).opened(force=False):
            pass
        assert str(caught.value) == f"{tmp_path}: {sentence}{advice}"
    assert done(store) == [0]


def test_force_takes_away_the_sweep_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path, SHARED)
    with store.opened(force=False):
        end(store, 0)
    (tmp_path / "mine.txt").write_text("precious")
    (tmp_path / "5pct" / "seed-mine").mkdir()
    with Store(tmp_path, {**SHARED, "servers": False}).opened(force=True):
        assert done(store) == []
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["5pct", "mine.txt", "seed-mine", "sweep.yaml"]


def test_two_sweeps_do_not_share_a_folder(tmp_path: Path) -> None:
    with Store(tmp_path, SHARED).opened(force=False):
        with pytest.raises(InputError) as caught, Store(tmp_path, SHARED).opened(force=False):
            pass
        assert str(caught.value) == f"{tmp_path}: another sweep is running in it; let it end, or choose another --out"


@pytest.mark.parametrize(
    ("took", "ages", "waiting", "jobs", "left"),
    [
        ([10], [], 3, 1, 30),
        ([8, 12], [4], 2, 1, 26),
        ([10], [0, 5], 2, 2, 17.5),
        ([10], [0], 0, 4, 10),
        ([10], [25], 0, 1, 0),
    ],
)
def test_time_left(took: list[float], ages: list[float], waiting: int, jobs: int, left: float) -> None:
    assert time_left(took, ages, waiting, jobs) == pytest.approx(left)


def test_durations_in_words() -> None:
    assert [duration(seconds) for seconds in (0.4, 8, 200, 7500)] == ["0 s", "8 s", "3 min 20 s", "2 h 5 min"]


@pytest.mark.parametrize(
    ("text", "line"), [("", ""), ("a\n  b \n\n", "b"), ("╭──╮\n│ no such option │\n╰──╯\n", "no such option"), ("--\n", "")]
)
def test_the_last_line_that_says_something(text: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(text)
    assert last_line(tmp_path / "log") == line
