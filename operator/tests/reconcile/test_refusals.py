"""What the API server refuses, as a trouble of the experiment, and how long it is left alone after that."""

import pytest
from operator_samples import spec

from aura_operator.cluster.client import ApiError
from aura_operator.experiment import Experiment
from aura_operator.reconcile.memory import LONGEST_BACKOFF, Refusal
from aura_operator.reconcile.reconciler import _refused

GROCER = Experiment.read(
    {
        "apiVersion": "aura.dev/v1alpha1",
        "kind": "AuraExperiment",
        "metadata": {
            "name": "grocer", "namespace": "shop", "uid": "u1", "generation": 1, "creationTimestamp": "2026-05-04T00:00:00Z",
        },
        "spec": spec().model_dump(mode="json", by_alias=True, exclude_none=True),
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (
            ApiError(403, "Forbidden", "unable to create new content in namespace shop because it is being terminated"),
            "NamespaceTerminating",
            "namespace shop is being deleted, and the experiment with it",
        ),
        (
            ApiError(403, "Forbidden", "exceeded quota: small"),
            "QuotaExceeded",
            "exceeded quota: small; raise the quota or set smaller resources",
        ),
        (
            ApiError(403, "Forbidden", "no"),
            "Forbidden",
            "the operator may not do this: no; compare its roles with the chart's",
        ),
        (ApiError(422, "Invalid", "bad"), "ApiRefused", "the API server refuses an object: bad"),
    ],
)
def test_a_refusal_is_a_trouble_that_says_what_to_do(error: ApiError, reason: str, message: str) -> None:
    trouble = _refused(error, GROCER)
    assert (trouble.reason, trouble.message) == (reason, message)


def test_each_refusal_waits_twice_as_long_unless_the_spec_is_another() -> None:
    refusal = None
    waits = []
    for _ in range(9):
        refusal = Refusal.after(refusal, ApiError(403, "Forbidden", "no"), generation=1)
        waits.append(round(refusal.left))
    assert waits == [1, 2, 4, 8, 16, 32, LONGEST_BACKOFF, LONGEST_BACKOFF, LONGEST_BACKOFF]
    assert refusal is not None
    assert not refusal.over(1)
    assert refusal.over(2)
    assert round(Refusal.after(refusal, refusal.error, generation=2).left) == 1
