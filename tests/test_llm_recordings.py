"""What the models of docs/llm.md planned, replayed without them: the same hits, to the last one."""

import json
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "hit_ratio"
RECORDINGS = sorted((BENCHMARK / "recordings").glob("*.json"))

sys.path.append(str(BENCHMARK))

from llm import simulate  # noqa: E402 - benchmarks are no package


@pytest.mark.parametrize("result", RECORDINGS, ids=lambda path: path.stem)
def test_a_recorded_model_repeats_its_result(result: Path, tmp_path: Path) -> None:
    expected = json.loads(result.read_text())
    verdict = simulate({"backend": "recorded", "recording": str(result.with_suffix(".jsonl"))}, tmp_path / "run")
    arm = verdict["arms"]["aura"]
    assert (arm["hits"], arm["backend_reads"], arm["plans"]["vetoed"]) == (
        expected["hits"],
        expected["backend_reads"],
        expected["vetoed"],
    )


def test_there_are_recordings() -> None:
    assert RECORDINGS
