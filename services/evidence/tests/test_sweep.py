"""A sweep's numbers and page, made of result folders."""

import json
import re
from pathlib import Path

import pytest
from sample_folder import PLANNERS, write_sample
from test_report import HOSTILE, Page, check_harmless

from aura_contract.results import SweepCapacity, SweepCell, SweepResult, Verdict
from aura_evidence.folder import ReportError
from aura_evidence.sweep import gather_sweep, spread_of
from aura_evidence.sweep_chart import labelled, places, ratios
from aura_evidence.sweep_page import render_sweep, write_sweep

EMPTY = SweepCapacity(capacity="1%", arms={}, verdicts={})


def cells_in(root: Path, capacities: dict[str, int], seeds: int = 2) -> list[SweepCell]:
    """Cells whose logs have so many windows, by capacity; the second seed's is two windows longer."""
    cells = []
    for capacity, windows in capacities.items():
        for seed in range(seeds):
            folder = f"{capacity.replace('%', 'pct')}/seed-{seed}"
            (root / folder).mkdir(parents=True)
            write_sample(root / folder, windows + 2 * seed)
            cells.append(SweepCell(capacity=capacity, seed=seed, folder=folder))
    return cells


def verdict_of(root: Path, cell: SweepCell) -> Verdict:
    return Verdict.model_validate_json((root / cell.folder / "verdict.json").read_bytes())


def test_figures_are_those_of_the_cells(tmp_path: Path) -> None:
    cells = cells_in(tmp_path, {"5%": 20, "1%": 16})
    result = gather_sweep(tmp_path, "sample", cells, servers=True)
    assert (result.seeds, [capacity.capacity for capacity in result.capacities]) == ((0, 1), ["5%", "1%"])
    first = result.capacities[0]
    assert list(first.arms) == ["baseline", "aura", "heuristic", "noop"]
    verdicts = [verdict_of(tmp_path, cell) for cell in cells[:2]]
    ratios_of_aura = [verdict.arms["aura"].hit_ratio for verdict in verdicts]
    aura = first.arms["aura"]
    assert (aura.hit_ratio.low, aura.hit_ratio.high) == pytest.approx((min(ratios_of_aura), max(ratios_of_aura)), abs=1e-6)
    assert aura.hit_ratio.mean == pytest.approx(sum(ratios_of_aura) / 2, abs=1e-6)
    assert aura.delta_points is not None
    assert aura.delta_points.mean == pytest.approx(sum(verdict.delta_points for verdict in verdicts) / 2, abs=1e-3)
    reads = [verdict.arms["aura"].backend_reads / verdict.arms["baseline"].backend_reads for verdict in verdicts]
    assert aura.backend_reads_ratio.mean == pytest.approx(sum(reads) / 2, abs=1e-6)
    assert first.arms["baseline"].delta_points is None
    assert first.arms["baseline"].backend_reads_ratio == spread_of([1.0, 1.0])
    assert sum(first.verdicts.values()) == 2
    assert (first.capacity_items, first.budget_bytes) == (6000, 1_234_567)
    assert [cell.verdict for cell in result.cells[:2]] == [verdict.verdict for verdict in verdicts]


def test_no_difference_without_windows_after_warmup(tmp_path: Path) -> None:
    cells = cells_in(tmp_path, {"5%": 3}, seeds=1)
    verdict = verdict_of(tmp_path, cells[0]).model_copy(update={"warmup_windows": 3})
    (tmp_path / cells[0].folder / "verdict.json").write_text(verdict.model_dump_json())
    (capacity,) = gather_sweep(tmp_path, "sample", cells, servers=True).capacities
    assert {arm.delta_points for arm in capacity.arms.values()} == {None}


def test_spread() -> None:
    spread = spread_of([0.1, 0.2, 0.6])
    assert (spread.mean, spread.low, spread.high, spread.deviation) == (0.3, 0.1, 0.6, 0.264575)
    assert spread_of([0.5]).deviation == 0


def test_failed_and_damaged_cells_are_left_out_of_the_figures(tmp_path: Path) -> None:
    cells = cells_in(tmp_path, {"1%": 8, "5%": 8})
    (tmp_path / cells[2].folder / "windows.jsonl").unlink()
    asked = [cell.model_copy(update={"error": "no room"}) if cell.capacity == "1%" else cell for cell in cells]
    result = gather_sweep(tmp_path, "sample", asked, servers=False)
    assert [cell.error for cell in result.cells[:2]] == ["no room", "no room"]
    assert result.cells[2].error is not None
    assert "windows.jsonl: is missing" in result.cells[2].error
    assert result.cells[3].error is None
    none, one = result.capacities
    assert none == EMPTY
    assert sum(one.verdicts.values()) == 1


def test_the_page_is_whole_and_links_to_the_reports(tmp_path: Path) -> None:
    cells = cells_in(tmp_path, {"1%": 16, "5%": 20})
    cells[1] = cells[1].model_copy(update={"error": "no room"})
    result = gather_sweep(tmp_path, "sample", cells, servers=False)
    path = write_sweep(tmp_path, result)
    assert path == tmp_path / "sweep.html"
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    check_harmless(text, page)
    assert page.seen.count("svg") == 2
    links = re.findall(r'<a href="([^"]+)"', text)
    assert links == ["1pct/seed-0/report.html", "5pct/seed-0/report.html", "5pct/seed-1/report.html"]
    for words in (
        "2 capacities, 2 seeds, simulated.",
        "aura (ollama/llama3.2:1b)",
        "room for about 6,000 items",
        "failed no room",
    ):
        assert words in page.text, words
    assert SweepResult.model_validate_json((tmp_path / "sweep.json").read_bytes()) == result
    assert json.loads((tmp_path / "sweep.json").read_text())["version"] == 1


def test_untrusted_text_is_only_ever_text(tmp_path: Path) -> None:
    write_sample(tmp_path, 8, planners={**PLANNERS, "aura": HOSTILE})
    cells = [
        SweepCell(capacity="5%", seed=0, folder="."),
        SweepCell(capacity=HOSTILE, seed=0, folder=HOSTILE, error=HOSTILE),
    ]
    text = render_sweep(gather_sweep(tmp_path, HOSTILE, cells, servers=True))
    check_harmless(text, Page(text))
    assert "<script" not in text


def test_a_sweep_without_any_result_has_no_picture() -> None:
    cell = SweepCell(capacity="1%", seed=1, folder="x", error="no room")
    result = SweepResult(experiment="e", servers=True, seeds=(1,), capacities=(EMPTY,), cells=(cell,))
    assert ratios(result.capacities, "x", wide=True) is None
    page = Page(render_sweep(result))
    assert "svg" not in page.seen
    assert "1% · no cell ended" in page.text


def test_the_axis_is_in_items_when_they_are_known() -> None:
    sizes = [EMPTY.model_copy(update={"capacity_items": items}) for items in (100, 500)]
    assert places(sizes) == ([100, 500], True)
    assert places([EMPTY, sizes[0]]) == ([0, 1], False)
    assert places([sizes[0], sizes[0]]) == ([0, 1], False)


def test_labels_without_room_are_left_out() -> None:
    assert labelled([0, 1, 2, 10], 0.15) == [0, 2, 3]
    assert labelled([3], 0.15) == [0]


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "sweep.html").mkdir()
    result = SweepResult(experiment="e", servers=True, seeds=(), capacities=(), cells=())
    with pytest.raises(ReportError, match=r"sweep.html: cannot be written"):
        write_sweep(tmp_path, result)
