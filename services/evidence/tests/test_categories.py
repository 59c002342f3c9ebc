"""The gain by category, with figures computed by hand."""

import json
from pathlib import Path

import pytest
from sample_folder import write_sample

from aura_contract.results import CategoryHits, CategoryTotals
from aura_evidence.bars import categories as picture
from aura_evidence.categories import category_gains
from aura_evidence.report import ReportError, write_report


def of(name: str, requests: int, baseline: int, aura: int) -> CategoryHits:
    return CategoryHits(category=name, requests=requests, hits={"baseline": baseline, "aura": aura, "noop": 0})


def totals(*parts: CategoryHits, rest: CategoryHits | None = None, run: str = "run-1") -> CategoryTotals:
    requests = sum(part.requests for part in (*parts, *([rest] if rest else [])))
    return CategoryTotals(run=run, requests=requests, categories=parts, rest=rest)


def test_contributions_add_up_and_losses_are_told() -> None:
    found = category_gains(totals(of("milk", 600, 300, 360), of("", 300, 150, 120), rest=of("", 100, 10, 20)))
    assert [(row.label, row.contribution) for row in found] == [("milk", 6.0), ("no category", -3.0), ("all others", 1.0)]
    assert sum(row.contribution for row in found) == pytest.approx(100 * (360 + 120 + 20 - 460) / 1000)
    milk = found[0]
    assert (milk.share, milk.baseline, milk.planned) == (0.6, 0.5, 0.6)
    assert "−3.00" in picture(found, "x")


def test_small_ones_of_many_are_one_row() -> None:
    parts = [of(f"c{n}", 100, 0, 20 - n) for n in range(12)]
    found = category_gains(totals(*parts, rest=of("", 100, 0, 50)))
    assert [row.label for row in found] == [*(f"c{n}" for n in range(8)), "all others"]
    # The last four with 12 + 11 + 10 + 9 hits, and the rest with 50.
    assert found[-1].contribution == pytest.approx(100 * 92 / 1300)


@pytest.mark.parametrize("found", [totals(), totals(of("", 5, 1, 2)), totals(of("", 5, 1, 2), rest=of("", 5, 1, 2))])
def test_a_log_without_categories_has_no_such_part(found: CategoryTotals) -> None:
    assert category_gains(found) == []


def test_names_are_escaped_in_the_report(tmp_path: Path) -> None:
    folder = write_sample(tmp_path)
    evil = "<script>alert(1)</script>"
    (folder / "categories.json").write_text(totals(of(evil, 10, 1, 5), of("tea", 5, 1, 2)).model_dump_json())
    page = write_report(folder).read_text()
    assert "By category" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "does not hold hits by category"),
        (json.dumps({"run": "run-1", "requests": "many"}), "does not hold hits by category"),
        (totals(of("tea", 5, 1, 2), run="other").model_dump_json(), "is of the run 'other' and verdict.json is not"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    folder = write_sample(tmp_path)
    (folder / "categories.json").write_text(text)
    with pytest.raises(ReportError, match=message):
        write_report(folder)
