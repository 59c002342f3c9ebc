"""What is built, object by object, beside the files that a reviewer reads."""

from collections.abc import Callable

import pytest
from sample_blueprints import BLUEPRINTS

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import stages

STAGES: dict[str, Callable[[Blueprint], list[Manifest]]] = {
    "servers": stages.servers,
    "loading": stages.loading,
    "workers": stages.workers,
    "keepsakes": stages.keepsakes,
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("experiment", BLUEPRINTS)
def test_objects_are_as_in_the_golden_file(experiment: str, stage: str, golden: Callable[[str, list[Manifest]], None]) -> None:
    golden(f"{experiment}-{stage}", STAGES[stage](BLUEPRINTS[experiment]))
