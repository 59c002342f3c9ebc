"""What a run is made of besides its log: arms, their sizing, and where plans come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from aura_bus import ensure_topics
from aura_contract.experiment import AuraExperiment
from aura_contract.limits import GuardSpec
from aura_contract.topics import Topics
from aura_data.catalog import Catalog
from aura_replayer.arm.base import Arm
from aura_replayer.arm.event_arm import EventArm
from aura_replayer.arm.sizing import Sizing, measure
from aura_replayer.arm.wall_arm import WallArm
from aura_replayer.desk import Desk, PlanDesk
from aura_replayer.results import JsonLines
from aura_replayer.source.items import ItemTable
from aura_replayer.source.scan import LogSummary
from aura_replayer.source.shards import Shard
from aura_telemetry.tracing import open_tracing

__all__ = ["SHARDS", "Parts", "RunSettings", "ServerParts", "guard_of", "shard_folder"]

SHARDS = "shards"
"""Folder with one folder for each shard of a run that has several."""


@dataclass(frozen=True)
class RunSettings:
    """What a run is about: `base` is the manifest's folder, results go to `out`; `index` is the shard that is replayed."""

    experiment: AuraExperiment
    base: Path
    run: str
    out: Path
    bad_rows: Literal["fail", "skip"]
    index: int = 0

    @property
    def shard(self) -> Shard:
        """The part of the log that is replayed."""
        return Shard(self.index, self.experiment.spec.workload.shards)

    @property
    def folder(self) -> Path:
        """Where this shard's files are: those of the run where there is one shard."""
        return shard_folder(self.out, self.shard)


def shard_folder(out: Path, shard: Shard) -> Path:
    """Folder of a shard's files below that of the run."""
    return out if shard.count == 1 else out / SHARDS / str(shard.index)


def guard_of(experiment: AuraExperiment) -> GuardSpec:
    """The manifest's guard; where nobody acts there is nothing to hold out, and telling keys apart costs the arms time."""
    spec = experiment.spec
    acts = bool(spec.acting_arms) and spec.cache.clock == "event"
    return spec.guard if acts else GuardSpec(hold_out="0%")


class Parts(Protocol):
    """Servers and services, or what stands in for them."""

    missing: str
    """What is waited for before anything has happened, in words."""

    def open(self) -> None:
        """Wait for what must be there first."""

    def items(self, catalog: Catalog) -> ItemTable:
        """An empty item table."""

    def arms(self) -> Sequence[Arm]:
        """The arms in the manifest's order, the baseline first."""

    def size(self, arms: Sequence[Arm], items: ItemTable, log: LogSummary) -> tuple[Sizing, tuple[int, ...]]:
        """How large the arms are, and what each takes in bytes while it is empty."""

    def desk(self, arms: Sequence[Arm], items: ItemTable, logs: Mapping[str, JsonLines]) -> Desk:
        """Where plans come from."""


class ServerParts:
    """Redis servers, by arm name in `urls`, and planners and executors behind the Kafka broker `kafka`."""

    def __init__(self, settings: RunSettings, kafka: str, urls: Mapping[str, str]) -> None:
        self._settings, self._kafka, self._urls = settings, kafka, urls
        self._spec = settings.experiment.spec
        self._guard = guard_of(settings.experiment)
        self._topics = Topics(self._spec.dependencies.kafka.topic_prefix)
        self.missing = f"waiting for Kafka at {kafka}"

    def open(self) -> None:
        """See `Parts.open`; raises BusError."""
        ensure_topics(self._kafka, self._topics.partitions)

    def items(self, catalog: Catalog) -> ItemTable:
        """See `Parts.items`."""
        return ItemTable(catalog, self._spec.cache.payload_bytes, self._guard.held)

    def arms(self) -> list[EventArm] | list[WallArm]:
        """See `Parts.arms`; raises ArmLost."""
        urls, ttl = {name: self._urls[name] for name in self._spec.arms}, self._spec.cache.ttl
        if self._spec.cache.clock == "wall":
            return [WallArm(name, url, ttl) for name, url in urls.items()]
        return [EventArm(name, url, ttl, self._guard) for name, url in urls.items()]

    def size(self, arms: Sequence[Arm], items: ItemTable, log: LogSummary) -> tuple[Sizing, tuple[int, ...]]:
        """See `Parts.size`; by filling the arms."""
        stops = bool(self._spec.acting_arms)
        return measure(arms, self._spec.cache, items, log, self._spec.seed, self._settings.shard, stops=stops)

    def desk(self, arms: Sequence[Arm], items: ItemTable, logs: Mapping[str, JsonLines]) -> PlanDesk:  # noqa: ARG002
        """See `Parts.desk`."""
        settings, planned = self._settings, tuple(self._spec.planned_arms)
        name, patient = settings.experiment.metadata.name, not self._spec.acting_arms
        tracing = open_tracing("aura-replayer")
        return PlanDesk(
            self._kafka, self._topics, name, settings.run, settings.index, planned, logs, patient=patient, tracing=tracing
        )
