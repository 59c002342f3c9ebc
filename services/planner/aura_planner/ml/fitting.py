"""Fitting the model on the candidates of the head's windows, and how good it is on the windows it has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_planner.errors import SetupError
from aura_planner.ml.features import FEATURES
from aura_planner.ml.library import lightgbm

__all__ = ["VALIDATION_SHARE", "Examples", "Fitted", "Score", "auc", "fit", "log_loss"]

VALIDATION_SHARE = 0.2
ROUNDS = 500
PATIENCE = 50
"""Trees at the most, and trees without a better log loss on the validation windows after which no more are grown."""

RISING = {"count", "count_before", "count_rank", "frequency", "frequency_rank", "share_of_frequency", "intent"}
FALLING = {"last_seen"}
"""Features with which the chance may only rise or only fall: a head of few windows would teach it the noise as well."""

SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "metric": "binary_logloss",
    "learning_rate": 0.05,
    "num_leaves": 4,
    "min_data_in_leaf": 40,
    "lambda_l2": 1.0,
    "monotone_constraints": [(name in RISING) - (name in FALLING) for name in FEATURES],
    "deterministic": True,
    "force_row_wise": True,
    # The order of sums, and so the last digits, depends on the number of threads.
    "num_threads": 1,
    "verbosity": -1,
}


@dataclass(frozen=True)
class Examples:
    """The candidates of one window: features, shape (n, len(FEATURES)), and whether the next window requests them, shape (n,)."""

    features: NDArray[np.float64]
    requested: NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """A ranking on the validation windows: area under the ROC curve, NaN when all or none are requested, and log loss in nats."""

    auc: float
    log_loss: float


@dataclass(frozen=True)
class Fitted:
    """A model as LightGBM's text, with its number of trees, and its score beside those of what it must beat.

    `base_log_loss` is that of the training windows' share of requested candidates, and `frequency_auc` that of ranking by the
    decayed frequency alone. `trained` and `validated` count windows.
    """

    text: str
    trees: int
    trained: int
    validated: int
    score: Score
    base_log_loss: float
    frequency_auc: float


def fit(windows: Sequence[Examples], seed: int) -> Fitted:
    """A binary classifier of the windows, in their order; at least two of them, the last fifth being for validation.

    Equal windows and seeds give an equal text. Raises SetupError where LightGBM is missing or all
    candidates had the same fate.
    """
    library = lightgbm()
    held = max(1, round(len(windows) * VALIDATION_SHARE))
    trained, validated = _joined(windows[:-held]), _joined(windows[-held:])
    ones = int(trained.requested.sum())
    if ones in (0, len(trained.requested)):
        raise SetupError(
            f"{'all' if ones else 'none'} of the {len(trained.requested):,} candidates to learn from are requested in the next "
            "window, so there is nothing to learn; change trigger.everyEvents, raise --head, or take another log"
        )
    names = list(FEATURES)
    data = library.Dataset(trained.features, trained.requested, feature_name=names)
    booster = library.train(
        {**SETTINGS, "seed": seed},
        data,
        ROUNDS,
        valid_sets=[library.Dataset(validated.features, validated.requested, feature_name=names, reference=data)],
        callbacks=[library.early_stopping(PATIENCE, verbose=False)],
    )
    predicted = booster.predict(validated.features, num_threads=1)
    base = np.full(len(validated.requested), trained.requested.mean())
    return Fitted(
        text=booster.model_to_string(num_iteration=booster.best_iteration),
        trees=booster.best_iteration,
        trained=len(windows) - held,
        validated=held,
        score=Score(auc(predicted, validated.requested), log_loss(predicted, validated.requested)),
        base_log_loss=log_loss(base, validated.requested),
        frequency_auc=auc(validated.features[:, FEATURES.index("frequency")], validated.requested),
    )


def auc(ranking: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Chance that a random true one ranks above a random false one, ties counting half (Mann and Whitney 1947); shapes (n,)."""
    ones, zeros = ranking[truth], np.sort(ranking[~truth])
    if not len(ones) or not len(zeros):
        return float("nan")
    below = np.searchsorted(zeros, ones) + np.searchsorted(zeros, ones, side="right")
    return float(below.mean() / 2 / len(zeros))


def log_loss(predicted: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Mean of minus the logarithm of the probability given to what came, in nats; shapes (n,)."""
    given = np.where(truth, predicted, 1 - predicted)
    return float(-np.log(np.maximum(given, np.finfo(np.float64).tiny)).mean())


def _joined(windows: Sequence[Examples]) -> Examples:
    return Examples(np.concatenate([w.features for w in windows]), np.concatenate([w.requested for w in windows]))
