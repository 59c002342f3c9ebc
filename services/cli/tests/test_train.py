"""`aura train` on a real log: what it learns, that it repeats, how far it reads, and what it refuses."""

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from cli_helpers import ENVIRONMENT
from rich.console import Console

from aura_cli.errors import InputError
from aura_cli.head import find_head, head_windows
from aura_cli.training import train
from aura_contract.context import CacheView, Caps, ContextSnapshot
from aura_contract.experiment import ExperimentSpec
from aura_contract.manifest import load_manifest
from aura_contract.plan import Policy
from aura_planner.ml.fitting import auc
from aura_planner.ml.model import read_model
from aura_planner.reasoners.ml import MlReasoner

WINDOW = 2000
LIMIT = 50_000
HEAD_WINDOWS = 7
NOTHING = (
    "candidates to learn from are requested in the next window, so there is nothing to learn; "
    "change trigger.everyEvents, raise --head, or take another log"
)


def write(folder: Path, **changes: Any) -> Path:
    spec = {
        "workload": {"source": {"dataset": "complete-journey"}, "requests": ["purchase"], "limit": LIMIT},
        "catalog": {"source": {"dataset": "complete-journey"}},
        "cache": {"capacity": "5%"},
        "trigger": {"everyEvents": WINDOW},
        "planner": {"backend": "ml", "modelFile": "model.txt"},
        **changes,
    }
    whole = {"apiVersion": "aura.dev/v1alpha1", "kind": "AuraExperiment", "metadata": {"name": "learnt"}, "spec": spec}
    path = folder / "learnt.yaml"
    path.write_text(yaml.safe_dump(whole))
    return path


def trained(manifest: Path, out: Path | None = None, head: str = "30%") -> str:
    """What the command prints."""
    printed = io.StringIO()
    train(Console(file=printed, width=200), manifest, out, head, "fail")
    return printed.getvalue()


def log_file(folder: Path, lines: list[str]) -> dict[str, Any]:
    (folder / "log.csv").write_text("item\n" + "\n".join(lines) + "\n")
    return {"workload": {"source": {"path": "log.csv"}}, "catalog": None}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write(tmp_path_factory.mktemp("learnt"))
    trained(path)
    return path


@pytest.fixture(scope="module")
def tail(manifest: Path) -> list[tuple[ContextSnapshot, np.ndarray]]:
    """The contexts of the windows after the head, and which of their candidates the next window requests."""
    spec: ExperimentSpec = load_manifest(manifest).spec
    whole = find_head(spec, manifest.parent, 1.0, "fail")
    seen = list(head_windows(spec, manifest.parent, whole, "fail"))
    cache = CacheView(
        hit_ratio=0.4, hit_ratio_history=(), baseline_hit_ratio=0.3, pressure=0.95, items=500, capacity_items=500,
        resident=tuple(range(0, 200, 2)), policy=Policy(),
    )  # fmt: skip
    caps = Caps(max_evict=20, max_prefetch=20, ttl_min=60, ttl_max=3600)
    return [
        (
            ContextSnapshot(
                experiment="learnt", run="r1", arm="aura", window=window.number, context_id=window.snapshot.identity,
                issued_at=0.0, expires_at=0, workload=view, cache=cache, caps=caps,
            ),
            np.isin(window.snapshot.candidates, after.codes),
        )
        for (window, view), (after, _) in zip(seen[HEAD_WINDOWS:], seen[HEAD_WINDOWS + 1 :], strict=False)
    ]  # fmt: skip


def test_ranks_better_than_chance_on_windows_it_has_not_seen(
    manifest: Path, tail: list[tuple[ContextSnapshot, np.ndarray]]
) -> None:
    reasoner = MlReasoner(manifest.parent / "model.txt", WINDOW, 0.8)
    assert len(tail) == 17
    chance = np.concatenate([reasoner.probabilities(context) for context, _ in tail])
    truth = np.concatenate([requested for _, requested in tail])
    assert auc(chance, truth) > 0.7
    # Whoever lists a candidate above the threshold is right more often than not.
    assert truth[chance >= 0.5].mean() > 0.5 > truth[chance < 0.3].mean()


def test_equal_logs_give_equal_models_and_plans(
    manifest: Path, tmp_path: Path, tail: list[tuple[ContextSnapshot, np.ndarray]]
) -> None:
    again = tmp_path / "again.txt"
    trained(manifest, again)
    assert again.read_bytes() == (manifest.parent / "model.txt").read_bytes()
    one, other = MlReasoner(manifest.parent / "model.txt", WINDOW, 0.8), MlReasoner(again, WINDOW, 0.8)
    decisions = [one.decide(context) for context, _ in tail]
    assert decisions == [other.decide(context) for context, _ in tail]
    assert any(decision.seeds for decision in decisions)


def test_what_it_says_and_what_the_file_says(manifest: Path) -> None:
    lines = trained(manifest).splitlines()
    header = read_model(manifest.parent / "model.txt", WINDOW).header
    assert (header.last_row, header.every_events) == (HEAD_WINDOWS * WINDOW - 1, WINDOW)
    assert lines[0] == "head: rows 0 to 13,999 of 50,000, 7 windows of 2,000 events"
    assert lines[1].startswith(f"candidates: {header.rows:,}, of which {header.positives:,} (")
    assert lines[2].endswith(", from 5 windows; validated on the 1 after them")
    assert lines[3].startswith("AUC: 0.")
    assert lines[-1] == "Its hit ratio counts from window 7 on: what comes before, the model has seen."


def test_nothing_after_the_head_is_learnt_from(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    draw = [f"i{int(value)}" for value in rng.pareto(1.0, 4000)]
    texts = []
    for tail in (draw[1200:], [f"other{n % 7}" for n in range(2800)]):
        manifest = write(tmp_path, **log_file(tmp_path, draw[:1200] + tail), trigger={"everyEvents": 200})
        trained(manifest)
        texts.append(read_model(tmp_path / "model.txt", 200))
    assert texts[0].text == texts[1].text
    assert texts[0].header.data_sha256 != texts[1].header.data_sha256


def test_memory_in_bytes_and_logs_that_are_packed(tmp_path: Path) -> None:
    draw = [f"i{int(value)}" for value in np.random.default_rng(1).pareto(1.0, 4000)]
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(("item\n" + "\n".join(draw) + "\n").encode()))
    source = {"source": {"path": "log.csv.gz"}}
    manifest = write(tmp_path, workload=source, catalog=None, cache={"memory": "1Mi"}, trigger={"everyEvents": 200})
    assert "head: rows 0 to 1,199 of 4,000, 6 windows of 200 events" in trained(manifest)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("x", "--head 'x' is not a share; write it like 5%, above 0% and at most 100%"),
        ("100%", "--head 100%: leaves no tail to judge the model on; take less, such as 30%"),
        (
            "10%",
            (
                "the head holds 2 windows of 2,000 events of the log's 50,000, and training needs 5; "
                "lower trigger.everyEvents, raise --head, or take a longer log"
            ),
        ),
    ],
)
def test_a_head_that_will_not_do(manifest: Path, head: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        trained(manifest, head=head)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("lines", "changes", "message"),
    [
        ([f"i{n}" for n in range(2000)], {}, f"none of the 400 {NOTHING}"),
        (["a", "b"] * 1000, {}, f"all of the 8 {NOTHING}"),
        (["a"] * 2000, {"source": {"path": "none.csv"}}, "{folder}/none.csv: "),
    ],
)
def test_logs_that_will_not_do(tmp_path: Path, lines: list[str], changes: dict[str, Any], message: str) -> None:
    workload = log_file(tmp_path, lines)
    workload["workload"] |= changes
    manifest = write(tmp_path, **workload, trigger={"everyEvents": 100})
    with pytest.raises(InputError) as caught:
        trained(manifest)
    assert str(caught.value).startswith(message.format(folder=tmp_path))
    assert not (tmp_path / "model.txt").exists()


def test_places_that_cannot_be_written(manifest: Path, tmp_path: Path) -> None:
    for out, reason in ((tmp_path, "is a folder"), (tmp_path / "a" / "b", "its folder is not there or cannot be written")):
        with pytest.raises(InputError) as caught:
            trained(manifest, out)
        assert str(caught.value) == f"{out}: {reason}; choose another --out"


def test_train_and_run(tmp_path: Path) -> None:
    write(tmp_path, controls=["noop"], planner={"backend": "ml", "modelFile": "model.txt", "latency": "free"})
    for command in (["train", "learnt.yaml"], ["run", "learnt.yaml", "--out", "out"]):
        done = subprocess.run(
            [sys.executable, "-m", "aura_cli", *command], cwd=tmp_path, capture_output=True, text=True, timeout=200,
            env=ENVIRONMENT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text())
    arm = verdict["arms"]["aura"]
    assert (arm["planner"], arm["plans"]["applied"], arm["plans"]["unplanned"]) == ("ml", LIMIT // WINDOW - 1, {})
    assert arm["hit_ratio"] > verdict["arms"]["noop"]["hit_ratio"] + 0.05
