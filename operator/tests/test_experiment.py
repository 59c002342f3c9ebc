"""Reading an AuraExperiment as the API server gives it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from operator_samples import UID

from aura_operator.experiment import Experiment, UnreadableError

SPEC = {"workload": {"source": {"url": "https://example.org/log.csv"}}, "cache": {"capacity": "5%"}}


def body(**changes: Any) -> dict[str, Any]:
    metadata = {"name": "grocer", "namespace": "shop", "uid": UID, "generation": 4, "creationTimestamp": "2026-05-04T12:00:00Z"}
    return {"metadata": metadata | changes.pop("metadata", {}), "spec": SPEC, **changes}


def test_a_resource_is_read_with_its_metadata() -> None:
    found = Experiment.read(body())
    assert (found.name, found.namespace, found.uid, found.generation) == ("grocer", "shop", UID, 4)
    assert found.created == datetime(2026, 5, 4, 12, tzinfo=UTC)
    assert (found.deleting, found.status.phase, found.status.conditions) == (False, "Pending", ())


def test_one_that_is_being_deleted_says_so() -> None:
    assert Experiment.read(body(metadata={"deletionTimestamp": "2026-05-04T13:00:00Z"})).deleting


def test_a_status_of_another_version_is_read_as_far_as_it_is_known() -> None:
    found = Experiment.read(body(status={"phase": "Running", "startedAt": "2026-05-04T12:01:00Z", "later": {"field": 1}}))
    assert (found.status.phase, found.status.started_at) == ("Running", "2026-05-04T12:01:00Z")


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({**SPEC, "unknown": 1}, "spec.unknown: "),
        ({**SPEC, "cache": {}}, "spec.cache: "),
        ({"cache": SPEC["cache"]}, "spec.workload: "),
    ],
)
def test_a_spec_that_this_version_does_not_read_is_named(spec: dict[str, Any], where: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        Experiment.read(body(spec=spec))
    assert str(raised.value).startswith(where)
    assert str(raised.value).endswith("; correct it and apply it again")


def test_a_status_that_cannot_be_read_is_not_blamed_on_the_spec() -> None:
    with pytest.raises(UnreadableError, match=r"^status\.phase: "):
        Experiment.read(body(status={"phase": "Dancing"}))
