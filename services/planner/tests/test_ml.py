"""The learnt planner without a log: its features, its file, and what it makes of a model."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aura_contract.context import ContextSnapshot
from aura_contract.experiment import ExperimentSpec
from aura_planner.enrichment import Enrichment
from aura_planner.errors import SetupError
from aura_planner.ml.features import FEATURES, features
from aura_planner.ml.fitting import Examples, auc, fit, log_loss
from aura_planner.ml.model import Model, ModelHeader, digest, read_model, write_model
from aura_planner.reasoners import build
from aura_planner.reasoners.heuristic import HeuristicReasoner
from aura_planner.reasoners.ml import DEAD_SHARE, LIKELY, MlReasoner

MakeContext = Callable[..., ContextSnapshot]
AGAIN = "; write it again with `aura train`"
WINDOW = 5000


def window(seed: int, rows: int = 300) -> Examples:
    """Candidates that are requested again the more surely, the larger the first feature; the others are noise."""
    rng = np.random.default_rng(seed)
    columns = rng.random((rows, len(FEATURES)))
    columns[:, 0] *= 4
    return Examples(columns, rng.random(rows) < columns[:, 0] / 4)


def header(text: str, **changes: Any) -> ModelHeader:
    values = {"every_events": WINDOW, "last_row": 29_999, "rows": 2000, "positives": 1000, "data_sha256": "ab" * 32}
    return ModelHeader.model_validate(values | {"sha256": digest(text)} | changes)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.txt"
    fitted = fit([window(seed) for seed in range(8)], seed=1)
    write_model(path, Model(header(fitted.text), fitted.text))
    return path


def column(context: ContextSnapshot, name: str) -> list[float]:
    return features(context.workload)[:, FEATURES.index(name)].tolist()


def test_features_of_a_window(make_context: MakeContext, make_candidate: Callable[..., dict[str, Any]]) -> None:
    rows = [
        make_candidate(0, count=9, trend=5, frequency=30.0, last_seen=2500, intent=1, category="tea"),
        make_candidate(1, count=1, trend=1, frequency=10.0, last_seen=5000, category="tea"),
        make_candidate(2, count=0, trend=-3, frequency=20.0, last_seen=10_000, category="salt"),
    ]
    context = make_context(rows, workload={"requests": 1000, "new_items": 100, "distinct_items": 400})
    log = np.log1p
    assert features(context.workload).shape == (3, len(FEATURES))
    expected = {
        "count": log([9, 1, 0]),
        "count_before": log([4, 0, 3]),
        "trend": [np.log(10 / 5), np.log(2), -np.log(4)],
        "count_rank": [1.0, 0.5, 0.0],
        "frequency": log([1.5, 0.5, 1.0]),
        "frequency_rank": [1.0, 0.0, 0.5],
        "share_of_frequency": [1 / 2, 1 / 6, 1 / 3],
        "surprise": log([2.7, 0.3, 0.0]) - log([1.5, 0.5, 1.0]),
        "last_seen": [0.5, 1.0, 2.0],
        "intent": log([1, 0, 0]),
        "category_share": [0.01, 0.01, 0.0],
        "category_trend": [np.log(11 / 5), np.log(11 / 5), -np.log(4)],
        "share_of_category": [0.75, 0.25, 1.0],
        "new_share": [0.1] * 3,
        "distinct_share": [0.4] * 3,
    }
    assert set(expected) == set(FEATURES)
    for name, values in expected.items():
        assert column(context, name) == pytest.approx(list(values)), name


def test_features_do_not_depend_on_how_fast_frequencies_decay(make_context: MakeContext) -> None:
    context = make_context(40)
    listed = context.workload.candidates
    slower = listed.model_copy(update={"frequency": tuple(7 * value for value in listed.frequency)})
    view = context.workload.model_copy(update={"candidates": slower})
    assert features(view) == pytest.approx(features(context.workload))


@pytest.mark.parametrize(
    "changes", [{"category": ""}, {"frequency": 0.0, "count": 0, "trend": 0}, {"count": 0, "trend": 5}, {"last_seen": 0}]
)
def test_features_are_always_numbers(
    changes: dict[str, Any], make_context: MakeContext, make_candidate: Callable[..., dict[str, Any]]
) -> None:
    for count in (1, 2, 500):
        context = make_context([make_candidate(n, **changes) for n in range(count)], workload={"requests": 0, "events": 0})
        assert np.isfinite(features(context.workload)).all()
    assert features(make_context(0).workload).shape == (0, len(FEATURES))


def test_auc_and_log_loss() -> None:
    truth = np.array([True, False, True, False])
    assert auc(np.array([4.0, 3.0, 2.0, 1.0]), truth) == 0.75
    assert auc(np.array([1.0, 1.0, 1.0, 1.0]), truth) == 0.5
    assert np.isnan(auc(np.ones(2), np.array([True, True])))
    assert log_loss(np.array([0.8, 0.2, 0.5, 0.5]), truth) == pytest.approx((2 * np.log(1.25) + 2 * np.log(2)) / 4)


def test_fitting_learns_and_repeats_byte_for_byte() -> None:
    windows = [window(seed) for seed in range(10)]
    fitted = fit(windows, seed=1)
    assert (fitted.trained, fitted.validated) == (8, 2)
    # The true chance itself has an AUC of 5/6.
    assert 0.78 < fitted.score.auc < 0.88
    assert fitted.score.log_loss < fitted.base_log_loss - 0.1
    assert 0.4 < fitted.frequency_auc < 0.6
    assert fit(windows, seed=1).text == fitted.text


@pytest.mark.parametrize(("requested", "word"), [(False, "none"), (True, "all")])
def test_nothing_to_learn(requested: bool, word: str) -> None:
    windows = [Examples(window(seed).features, np.full(300, requested)) for seed in range(4)]
    with pytest.raises(SetupError) as caught:
        fit(windows, seed=1)
    assert str(caught.value) == (
        f"{word} of the 900 candidates to learn from are requested in the next window, so there is nothing to learn; "
        "change trigger.everyEvents, raise --head, or take another log"
    )


def test_decision(model: Path, make_context: MakeContext, make_candidate: Callable[..., dict[str, Any]]) -> None:
    rows = [make_candidate(n, count=n % 50, trend=0) for n in range(200)]
    context = make_context(rows)
    reasoner = MlReasoner(model, WINDOW, 0.8)
    decision, chance = reasoner.decide(context), reasoner.probabilities(context)
    by_item = dict(zip(context.workload.candidates.item, chance, strict=True))
    resident = {context.workload.candidates.item[place] for place in context.cache.resident}
    assert decision.seeds
    assert not set(decision.seeds) & resident
    assert [by_item[item] for item in decision.seeds] == sorted((by_item[item] for item in decision.seeds), reverse=True)
    likely = [value for item, value in by_item.items() if item not in resident and value >= LIKELY]
    assert sorted((by_item[item] for item in decision.seeds), reverse=True) == sorted(likely, reverse=True)[:20]
    assert decision.policy == HeuristicReasoner().decide(context).policy
    assert MlReasoner(model, WINDOW, 0.8).decide(context) == decision
    assert reasoner.decide(make_context(rows, caps={"max_prefetch": 3})).seeds == decision.seeds[:3]


def test_only_dead_items_of_a_full_arm_are_evicted(
    tmp_path: Path, make_context: MakeContext, make_candidate: Callable[..., dict[str, Any]]
) -> None:
    # A head of which half came back, and in which nothing with a count of 0 ever did.
    windows = [Examples(w.features, w.features[:, 0] > 2) for w in map(window, range(8))]
    fitted = fit(windows, seed=1)
    write_model(tmp_path / "model.txt", Model(header(fitted.text), fitted.text))
    reasoner = MlReasoner(tmp_path / "model.txt", WINDOW, 0.8)
    rows = [make_candidate(n, count=0 if n < 30 else 40, trend=0) for n in range(100)]
    context = make_context(rows)
    decision, chance = reasoner.decide(context), reasoner.probabilities(context)
    assert len(decision.evict) == 20 // DEAD_SHARE
    assert set(decision.evict) <= {f"i{n}" for n in range(0, 30, 2)}
    assert chance[:30].max() < 0.05 < chance[30:].min()
    assert set(decision.seeds) <= {f"i{n}" for n in range(31, 100, 2)}
    assert reasoner.decide(make_context(rows, cache={"pressure": 0.5})).evict == ()


def test_contexts_without_candidates_get_levers_only(model: Path, make_context: MakeContext) -> None:
    context = make_context(0, workload={"top_items": [], "top_categories": [], "sessions": []})
    decision = MlReasoner(model, WINDOW, 0.8).decide(context)
    assert (decision.seeds, decision.evict) == ((), ())
    assert decision.policy == HeuristicReasoner().decide(context).policy


def test_the_manifest_names_the_model(model: Path, make_spec: Callable[..., ExperimentSpec]) -> None:
    spec = make_spec({"backend": "ml", "modelFile": model.name}, controls=["ml"])
    for backend in spec.planned_arms.values():
        assert build(backend, spec, model.parent, Enrichment(None, None, 128)).name == "ml"


def test_models_of_no_use_are_named(model: Path, tmp_path: Path) -> None:
    good = model.read_text()
    text = good.partition("\n")[2]
    path = tmp_path / "model.txt"
    cases = {
        "the model cannot be read: No such file or directory": None,
        "is no model of planner ml": "tree\nversion=v4\n",
        "the model is damaged": good[: len(good) // 2],
        "the model was trained on other features than this version has": (
            header(text, features=("count",)).model_dump_json() + "\n" + text
        ),
        "the model was trained on windows of 100 events and trigger.everyEvents is 5000": (
            header(text, every_events=100).model_dump_json() + "\n" + text
        ),
    }
    for problem, content in cases.items():
        if content is not None:
            path.write_text(content)
        with pytest.raises(SetupError) as caught:
            read_model(path, WINDOW)
        assert str(caught.value) == f"{path}: {problem}{AGAIN}"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SetupError, match="is no model of planner ml"):
        read_model(path, WINDOW)
    path.write_text(header("tree\n").model_dump_json() + "\ntree\n")
    with pytest.raises(SetupError, match="LightGBM cannot read the model: "):
        MlReasoner(path, WINDOW, 0.8)


def test_a_failed_write_leaves_the_old_model_and_nothing_else(model: Path, tmp_path: Path) -> None:
    (tmp_path / "model.txt").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_model(tmp_path / "model.txt", read_model(model, WINDOW))
    assert [path.name for path in tmp_path.iterdir()] == ["model.txt"]


def test_a_planner_without_lightgbm_says_so(model: Path) -> None:
    # What an interpreter does where the package is not installed.
    program = (
        "import sys; sys.modules['lightgbm'] = None\n"
        "from pathlib import Path\nfrom aura_planner.reasoners.ml import MlReasoner\n"
        f"MlReasoner(Path({str(model)!r}), {WINDOW}, 0.8)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment(), check=False)
    assert "SetupError: planner ml needs LightGBM, which cannot be loaded here (" in done.stderr
    assert done.stderr.rstrip().endswith("); install aura-experiment[ml], and libgomp if it is missing")


def environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(path for path in sys.path if path), "PATH": ""}
