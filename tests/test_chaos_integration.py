"""A run whose catalogue, neighbours and model are in containers that are killed, paused, cut off and stalled."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.faults import ACTIONS, CONTEXT
from chaos.run import one_run, only_context
from chaos.scene import scene_with_context, started_servers
from chaos.servers import Servers

pytestmark = pytest.mark.integration

SEED = 2


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with started_servers() as servers:
        yield servers


def test_seeds_draw_every_fault_of_every_context_server(servers: Servers) -> None:
    scenes = [scene_with_context(seed, servers) for seed in range(40)]
    drawn = {(fault.part, fault.action) for scene in scenes for fault in scene.faults}
    assert {(part, action) for part in CONTEXT for action in ACTIONS} <= drawn
    assert {only_context(scene.faults) for scene in scenes} == {True, False}
    assert scene_with_context(SEED, servers) == scenes[SEED]


def test_a_run_outlives_what_its_planner_asks(servers: Servers, tmp_path: Path) -> None:
    outcome = one_run(SEED, tmp_path / "run", servers)
    assert outcome.problems == [], outcome
    assert any(fault.part in CONTEXT for fault in outcome.faults)
    assert outcome.verdict is not None
