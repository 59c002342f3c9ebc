"""The parts of a simulated run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from aura_cli.simulation.arm import SimulatedArm
from aura_cli.simulation.desk import LocalDesk
from aura_contract.quantities import parse_bytes
from aura_data.catalog import Catalog
from aura_planner.pipeline import Pipeline
from aura_planner.reasoners import build
from aura_planner.sources import open_enrichment
from aura_replayer.arm.base import Arm
from aura_replayer.arm.sizing import Sizing, batch_size, check_items, wanted_items
from aura_replayer.parts import RunSettings, guard_of
from aura_replayer.results import JsonLines
from aura_replayer.source.items import ItemTable
from aura_replayer.source.scan import LogSummary
from aura_simulator.arm import warm_up

__all__ = ["ITEM_BYTES", "SimulatedParts"]

ITEM_BYTES = 150
"""What Redis takes for an item besides its key and payload, about: table and expiry entries, object, header, rounding up."""


class SimulatedParts:
    """See `aura_replayer.parts.Parts`: arms of so many items, planners in this process."""

    missing = "compiling the simulator"

    def __init__(self, settings: RunSettings) -> None:
        self._settings, self._spec = settings, settings.experiment.spec
        self._guard = guard_of(settings.experiment)
        self._table: ItemTable | None = None

    def open(self) -> None:
        """Compile the simulator, or load what was compiled before, so that no window waits for it."""
        warm_up()

    def items(self, catalog: Catalog) -> ItemTable:
        """See `Parts.items`."""
        self._table = ItemTable(catalog, 0, self._guard.held)
        return self._table

    def arms(self) -> list[SimulatedArm]:
        """See `Parts.arms`."""
        assert self._table is not None
        spec = self._spec
        return [SimulatedArm(name, self._table, spec.cache.ttl, self._guard, spec.seed) for name in spec.arms]

    def size(self, arms: Sequence[Arm], items: ItemTable, log: LogSummary) -> tuple[Sizing, tuple[int, ...]]:
        """See `Parts.size`: a `capacity` is exact, a `memory` is divided by about what Redis takes for an item."""
        shard, distinct = self._settings.shard, len(log.requested)
        wanted, budget = wanted_items(self._spec.cache, log, shard), 0
        if wanted is None:
            assert self._spec.cache.memory is not None
            budget = shard.part(parse_bytes(self._spec.cache.memory))
            wanted = min(distinct, budget // (ITEM_BYTES + self._payload_bytes(items, log)))
            check_items(self._spec.cache.memory, wanted, log, shard)
        return Sizing(budget, wanted, 0.0, batch_size(wanted, stops=bool(self._spec.acting_arms))), (0,) * len(arms)

    def _payload_bytes(self, items: ItemTable, log: LogSummary) -> int:
        """Mean bytes of key and payload of the requested items."""
        sample = log.requested[:: max(1, len(log.requested) // 2000)].tolist()
        return sum(items.entry_bytes(code, self._spec.cache.payload_bytes) for code in sample) // len(sample)

    def desk(self, arms: Sequence[Arm], items: ItemTable, logs: Mapping[str, JsonLines]) -> LocalDesk:  # noqa: ARG002
        """See `Parts.desk`."""
        spec, base = self._spec, Path(self._settings.base)
        enrichment = open_enrichment(spec, base)
        pipelines = {}
        for arm, backend in spec.planned_arms.items():
            reasoner = build(backend, spec, base, enrichment)
            # Rules decide in milliseconds that differ from run to run; only what a model takes is worth charging.
            pipelines[arm] = Pipeline(reasoner, spec, enrichment, instant=not reasoner.slow)
        simulated = {arm.name: arm for arm in arms if isinstance(arm, SimulatedArm)}
        return LocalDesk(pipelines, simulated, spec.executor, logs)
