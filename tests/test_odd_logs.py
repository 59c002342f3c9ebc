"""Logs that lack what planners live on, and a model that talks nonsense: less context, and a verdict all the same."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from model_server import model_server

ROWS = 12_000
MANIFEST = """\
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: odd}}
spec:
  workload: {{source: {{path: log.csv}}, columns: {columns}}}
  catalog: {catalog}
  cache: {{{cache}}}
  trigger: {{everyEvents: 1000}}
  planner: {planner}
  controls: [bandit, random, noop, adversarial]
"""
GROUPED = "{time: null, user: user, session: session, item: item, action: null}"
BARE = "{time: null, user: null, session: null, item: item, action: null}"
POPULAR = np.random.default_rng(5).zipf(1.3, ROWS) % 2000


def simulate(
    folder: Path, items: np.ndarray, columns: str, cache: str, planner: str = "{backend: heuristic}", catalog: str = "null"
) -> dict[str, Any]:
    rows = [f"u{number % 40},s{number // 12},{item}" for number, item in enumerate(items.tolist())]
    (folder / "log.csv").write_text("user,session,item\n" + "\n".join(rows) + "\n")
    (folder / "odd.yaml").write_text(MANIFEST.format(columns=columns, cache=cache, planner=planner, catalog=catalog))
    argv = [sys.executable, "-m", "aura_cli", "simulate", "odd.yaml", "--out", "out"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "out" / "report.html").stat().st_size > 10_000
    verdict: dict[str, Any] = json.loads((folder / "out" / "verdict.json").read_text())
    assert {arm["requests"] for arm in verdict["arms"].values()} == {ROWS}
    return verdict


@pytest.mark.parametrize(
    ("items", "columns", "cache"),
    [
        pytest.param(np.arange(ROWS), GROUPED, "capacity: 5%", id="all-distinct"),
        pytest.param(np.zeros(ROWS, np.int64), GROUPED, "memory: 1Mi", id="one-item"),
        pytest.param(POPULAR, BARE, "capacity: 5%", id="without-users"),
        pytest.param(POPULAR, GROUPED, "capacity: 100%", id="everything-fits"),
        pytest.param(POPULAR, GROUPED, "memory: 512Mi", id="far-too-large"),
    ],
)
def test_every_odd_log_ends_in_a_verdict_and_no_planner_does_harm(
    items: np.ndarray, columns: str, cache: str, tmp_path: Path
) -> None:
    arms = simulate(tmp_path, items, columns, cache)["arms"]
    for name in ("aura", "bandit", "adversarial"):
        assert arms[name]["hit_ratio"] >= arms["noop"]["hit_ratio"] - 0.002, name


LONG = 150_000
HOURS = np.arange(ROWS) * 60.0
TIMED = """\
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {name: timed}
spec:
  workload:
    source: {path: log.parquet}
    columns: {time: time, user: user, session: null, item: item, action: action}
    requests: [click]
    clock: {timestamps: {speedup: 1}}
  cache: {capacity: 5%}
  trigger: {everyEvents: 2000}
  planner: {backend: heuristic}
"""
LATE = "an experiment's clock ends after 285; correct the times, or raise the clock's rate or speedup"


def timed(folder: Path, command: str = "run", every: int = 2000, **columns: Any) -> subprocess.CompletedProcess[str]:
    """A log with times through real arms, or simulated ones; `columns` replace some of it."""
    count = len(columns.get("user", POPULAR))
    log = {"time": HOURS, "user": ["u"] * count, "item": POPULAR.astype(str), "action": ["click"] * count, **columns}
    pq.write_table(pa.table(log), folder / "log.parquet")
    (folder / "timed.yaml").write_text(TIMED.replace("2000", str(every)))
    argv = [sys.executable, "-m", "aura_cli", command, "timed.yaml", "--out", "out", "--force"]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(HOURS - 1e7, id="negative"),
        pytest.param(np.random.default_rng(2).permutation(HOURS), id="out-of-order"),
        pytest.param(HOURS + 4e9 * (np.arange(ROWS) > ROWS // 2), id="a-jump-of-126-years"),
        pytest.param(HOURS - 4e9 * (np.arange(ROWS) > ROWS // 2), id="a-jump-back"),
    ],
)
def test_times_may_be_odd(times: np.ndarray, tmp_path: Path) -> None:
    done = timed(tmp_path, time=times)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (tmp_path / "out" / "windows.jsonl").read_text().splitlines()]
    for arm in ("baseline", "aura"):
        mine = [record for record in records if record["arm"] == arm]
        assert sum(record["requests"] for record in mine) == ROWS
        clock = [record["end_v"] for record in mine]
        assert clock == sorted(clock)
        # Nothing that is cached outlives a jump of years; once the clock stands still nothing is ever too old.
        assert sum(record["hits"] for record in mine) > 0


def test_as_many_users_as_rows_and_one(tmp_path: Path) -> None:
    wanted = (np.random.default_rng(5).zipf(1.3, LONG) % 2000).astype(str)
    users = np.char.add("u", np.arange(LONG).astype(str))
    done = timed(tmp_path, "run", 50_000, time=np.arange(LONG, dtype=float), user=users, item=wanted)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "verdict.json").read_text())["events"] == LONG
    assert timed(tmp_path, "simulate").returncode == 0, "one user"


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"time": HOURS + 1e12 * (np.arange(ROWS) > 10)},
            f"row 12 is 31,688 years after the first; {LATE}",
        ),
        (
            {"time": HOURS + 1e300 * (np.arange(ROWS) > 10)},
            f"row 12 is 146,135,512 years after the first; {LATE}",
        ),
        (
            {"action": [f"a{number}" for number in range(40_000)], "user": ["u"] * 40_000, "time": np.arange(40_000.0),
             "item": np.resize(POPULAR, 40_000).astype(str)},
            "column 'action' holds more than 32,768 actions; name another for action",
        ),
    ],
    ids=["too late", "far too late", "actions"],
)  # fmt: skip
@pytest.mark.parametrize("command", ["run", "simulate"])
def test_what_no_run_can_replay_is_one_sentence(columns: dict[str, Any], sentence: str, command: str, tmp_path: Path) -> None:
    done = timed(tmp_path, command, **columns)
    assert (done.returncode, done.stderr) == (2, f"aura: {tmp_path / 'log.parquet'}: {sentence}\n")


def test_a_catalogue_without_categories_costs_nothing_but_them(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item,title\n" + "\n".join(f"{item},Tea {item}" for item in range(2000)) + "\n")
    catalog = "{source: {path: items.csv}, columns: {category: null, brand: null}}"
    arms = simulate(tmp_path, POPULAR, GROUPED, "capacity: 5%", catalog=catalog)["arms"]
    assert arms["aura"]["hit_ratio"] > arms["noop"]["hit_ratio"]
    assert "By category" not in (tmp_path / "out" / "report.html").read_text()


def test_one_item_and_a_share_of_it_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="cache of 5% holds 0 of the log's 1 distinct items; an arm needs room for 32"):
        simulate(tmp_path, np.zeros(ROWS, np.int64), GROUPED, "capacity: 5%")


@pytest.fixture
def babble() -> Iterator[str]:
    with model_server("babble", "42, of course! {") as url:
        yield url


def test_a_model_that_answers_nonsense_leaves_every_window_unplanned(babble: str, tmp_path: Path) -> None:
    planner = f"{{backend: ollama, model: babble, endpoint: '{babble}', latency: free}}"
    verdict = simulate(tmp_path, POPULAR, GROUPED, "capacity: 5%", planner)
    arm = verdict["arms"]["aura"]
    assert arm["plans"]["unplanned"] == {"invalid": ROWS // 1000 - 1}
    assert arm["plans"]["decided"] == arm["prefetches"] == 0
    assert arm["hit_ratio"] == verdict["arms"]["noop"]["hit_ratio"]
    reasons = {
        json.loads(line)["reason"] for line in (tmp_path / "out" / "plans.jsonl").read_text().splitlines() if '"aura"' in line
    }
    assert len(reasons) == 1
