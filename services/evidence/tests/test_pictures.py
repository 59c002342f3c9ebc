"""Pictures: their text, and what they show."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hand_made import folder_of
from hypothesis import given
from hypothesis import strategies as st
from sample_folder import write_sample

from aura_contract.results import WindowRecord
from aura_evidence.bars import gap, precision
from aura_evidence.charts import curves
from aura_evidence.facts import gather
from aura_evidence.figure import clean, spread
from aura_evidence.folder import Ceiling, read_folder
from aura_evidence.frontier import frontier


def test_pictures_keep_their_text(tmp_path: Path) -> None:
    picture = str(curves(gather(read_folder(write_sample(tmp_path, 20))), "x", wide=False))
    assert picture.startswith('<svg viewBox="0 0 ')
    assert "xmlns" not in picture
    assert ">Hit ratio by window, %</text>" in picture
    assert "var(--arm-1,#d9480f)" in picture


def test_pictures_without_ceilings_or_prefetches(record: Callable[..., WindowRecord]) -> None:
    facts = gather(folder_of([record(arm, 0) for arm in ("baseline", "aura")]))
    assert gap(facts, "x") is None
    assert precision(facts, "x") is None
    assert "backend reads for 100 requests" in frontier(facts, "x")


def test_the_gap_and_the_frontier_are_those_of_the_figures(record: Callable[..., WindowRecord]) -> None:
    ceilings = {
        "lru": Ceiling(hit_ratio=0.4, backend_reads=600),
        "s3fifo": Ceiling(hit_ratio=0.45, backend_reads=550),
        "belady": Ceiling(hit_ratio=0.6, backend_reads=400),
        "clairvoyant_prefetch": Ceiling(hit_ratio=0.62, backend_reads=400, prefetches=20),
    }
    served = {"baseline": 400, "aura": 500, "noop": 390}
    facts = gather(folder_of([record(arm, 0, hits=count) for arm, count in served.items()], ceilings=ceilings))
    assert [arm.gap_closed for arm in facts.arms] == pytest.approx([0.0, 0.5, -0.05])
    assert [row.gap_closed for row in facts.ceilings] == pytest.approx([0.0, 0.25, 1.0, 1.1])
    picture = gap(facts, "x") or ""
    assert all(f">{words}</text>" in picture for words in ("0 %", "50 %", "−5 %", "25 %"))
    assert all(f">{words}</text>" in frontier(facts, "x") for words in ("exact LRU", "S3-FIFO", "OPT (Belady)", "aura", "noop"))


@given(st.lists(st.floats(0, 100), max_size=6))
def test_labels_are_moved_apart_in_their_order(values: list[float]) -> None:
    places = spread(values, 1.0)
    assert len(places) == len(values)
    ordered = [place for _, place in sorted(zip(values, places, strict=True))]
    assert all(high - low >= 0.9 for low, high in pairwise(ordered))


def test_labels_have_one_short_line() -> None:
    assert clean("a\n\tb\0c") == "a b c"
    assert len(clean("x" * 99)) == 26
