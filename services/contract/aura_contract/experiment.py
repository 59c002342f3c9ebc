"""The `AuraExperiment` resource: the manifest that `aura run` and Kubernetes both take."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from aura_contract.base import ManifestModel
from aura_contract.quantities import parse_bytes, parse_share

__all__ = [
    "API_VERSION",
    "KIND",
    "AuraExperiment",
    "BackendName",
    "CacheSpec",
    "CatalogColumns",
    "CatalogSpec",
    "ClockSpec",
    "DependenciesSpec",
    "Endpoint",
    "ExecutorSpec",
    "ExperimentSpec",
    "KafkaSpec",
    "Metadata",
    "PlannerSpec",
    "SourceSpec",
    "TimestampClock",
    "TriggerSpec",
    "TtlSpec",
    "WorkloadColumns",
    "WorkloadSpec",
]

API_VERSION = "aura.dev/v1alpha1"
KIND = "AuraExperiment"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$")]
BackendName = Literal["auto", "ollama", "openai", "heuristic", "random", "noop", "recorded"]
ControlName = Literal["heuristic", "random", "noop"]
FileFormat = Literal["auto", "csv", "tsv", "jsonl", "parquet"]


class SourceSpec(ManifestModel):
    """Where rows come from: exactly one of a file, a url or a named data set."""

    path: str | None = Field(None, min_length=1, description="File, relative to the manifest.")
    url: str | None = Field(None, min_length=1, description="Any url that fsspec opens, such as https:// or s3://.")
    dataset: str | None = Field(None, min_length=1, description="Named data set that a package brings, such as complete-journey.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.path, self.url, self.dataset)) != 1:
            raise ValueError("give exactly one of path, url or dataset")
        return self


class WorkloadColumns(ManifestModel):
    """Names of the log's columns; all but `item` may be absent from a log (write `null` or leave the default out)."""

    time: str | None = None
    user: str | None = None
    session: str | None = None
    item: str = "item"
    action: str | None = None


class TimestampClock(ManifestModel):
    """Event clock read from the log's time column."""

    speedup: float = Field(1.0, gt=0, description="Log seconds that pass in one second of the experiment's clock.")


class ClockSpec(ManifestModel):
    """The experiment's clock: a fixed rate of events a second, or the log's own times."""

    rate: float | None = Field(None, gt=0, description="Events a second; 1000 unless timestamps is given.")
    timestamps: TimestampClock | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if self.rate is not None and self.timestamps is not None:
            raise ValueError("give rate or timestamps, not both")
        return self

    @property
    def events_per_second(self) -> float | None:
        """Rate of the event clock in events a second, or None when the log's times are the clock."""
        return None if self.timestamps else (self.rate or 1000.0)


class WorkloadSpec(ManifestModel):
    """The log that is replayed and how it is read."""

    source: SourceSpec
    format: FileFormat = "auto"
    columns: WorkloadColumns = WorkloadColumns()
    requests: tuple[str, ...] = Field(
        ("click",), description="Actions that are cache requests; other rows only feed the context."
    )
    limit: int | None = Field(None, gt=0, description="Replay only the first so many rows.")
    clock: ClockSpec = ClockSpec()
    shards: int = Field(1, ge=1, le=1, description="Replayers that share the log by user; 1 in this version.")


class CatalogColumns(ManifestModel):
    """Names of the catalogue's columns; `embedding` holds a list of numbers when the catalogue brings vectors."""

    item: str = "item"
    title: str | None = "title"
    category: str | None = "category"
    brand: str | None = "brand"
    price: str | None = None
    embedding: str | None = None


class CatalogSpec(ManifestModel):
    """Metadata of the items: the payload that is cached and what planners are told."""

    source: SourceSpec
    format: FileFormat = "auto"
    columns: CatalogColumns = CatalogColumns()


class TtlSpec(ManifestModel):
    """Dynamic TTL in seconds by memory pressure: `long` below the first threshold, `short` above the second."""

    long: int = Field(1800, ge=1)
    medium: int = Field(900, ge=1)
    short: int = Field(300, ge=1)
    thresholds: tuple[float, float] = (0.5, 0.8)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.thresholds
        if not 0 <= low <= high <= 1:
            raise ValueError("thresholds must rise and lie between 0 and 1, such as [0.5, 0.8]")
        return self


class CacheSpec(ManifestModel):
    """Size and time-keeping of every arm: all arms get the same."""

    memory: str | None = Field(None, description="Budget an arm, such as 8Mi, over what an empty server uses.")
    capacity: str | None = Field(None, description="Share of the log's distinct requested items, such as 5%.")
    clock: Literal["event", "wall"] = "event"
    ttl: TtlSpec = TtlSpec()
    payload_bytes: int = Field(128, ge=1, le=65000, description="Size of a value when there is no catalogue.")

    @field_validator("memory")
    @classmethod
    def _memory(cls, value: str | None) -> str | None:
        if value is not None and parse_bytes(value) < 65536:
            raise ValueError(f"{value} is too small; an arm needs at least 64Ki")
        return value

    @field_validator("capacity")
    @classmethod
    def _capacity(cls, value: str | None) -> str | None:
        if value is not None:
            parse_share(value)
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.memory is None) == (self.capacity is None):
            raise ValueError("give exactly one of memory (such as 8Mi) or capacity (such as 5%)")
        return self


class TriggerSpec(ManifestModel):
    """When a window ends and the planner is asked."""

    every_events: int = Field(5000, ge=100, description="Log events a window.")


class PlannerSpec(ManifestModel):
    """Who plans for the arm `aura`, and how its time is counted."""

    backend: BackendName = "auto"
    model: str | None = Field(None, description="Model name for ollama and openai, such as llama3.2:1b.")
    endpoint: str | None = Field(None, description="Base url of the model server.")
    style: Literal["levers", "keys"] = "levers"
    mode: Literal["lockstep", "async"] = "lockstep"
    latency: Literal["charged", "free"] = "charged"
    timeout_seconds: float = Field(60.0, gt=0, le=3600)
    recording: str | None = Field(None, description="plans.jsonl of an earlier run, for backend recorded.")
    replicas: int = Field(1, ge=0, le=64)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.backend == "recorded" and not self.recording:
            raise ValueError("backend recorded needs recording: the plans.jsonl of an earlier run")
        if self.backend == "openai" and not (self.endpoint and self.model):
            raise ValueError("backend openai needs endpoint and model")
        return self


class ExecutorSpec(ManifestModel):
    """Caps that the executor enforces on every plan; TTLs in seconds."""

    max_evict: int = Field(20, ge=0, le=5000)
    max_prefetch: int = Field(20, ge=0, le=5000)
    ttl_min: int = Field(60, ge=1)
    ttl_max: int = Field(3600, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.ttl_min > self.ttl_max:
            raise ValueError("ttlMin must not be above ttlMax")
        return self


class Endpoint(ManifestModel):
    """A server that the user brings."""

    endpoint: str = Field(min_length=1)


class KafkaSpec(ManifestModel):
    """The broker; embedded unless an endpoint (`HOST:PORT`) is given."""

    endpoint: str | None = Field(None, min_length=1)
    topic_prefix: str = Field(
        "", pattern=r"^[A-Za-z0-9._-]{0,100}$", description="Goes before each topic name on a shared broker."
    )


class DependenciesSpec(ManifestModel):
    """Parts that are embedded unless an external endpoint is given."""

    kafka: KafkaSpec = KafkaSpec()
    mongodb: Endpoint | None = Field(None, description="Catalogue server; the manifest's own file is used without it.")
    milvus: Endpoint | None = Field(None, description="Vector server; Milvus Lite is embedded without it.")


class ExperimentSpec(ManifestModel):
    """What to replay, through which caches, and who plans."""

    workload: WorkloadSpec
    catalog: CatalogSpec | None = None
    cache: CacheSpec
    trigger: TriggerSpec = TriggerSpec()
    planner: PlannerSpec = PlannerSpec()
    executor: ExecutorSpec = ExecutorSpec()
    controls: tuple[ControlName, ...] = Field(
        (), description="Further planned arms, each with its own Redis and the named planner."
    )
    dependencies: DependenciesSpec = DependenciesSpec()
    seed: int = Field(0, ge=0)

    @field_validator("controls")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names a planner twice; each control is one further arm")
        return value

    @property
    def planned_arms(self) -> dict[str, str]:
        """Planner backend of each planned arm, by arm name: `aura` first, then the controls."""
        return {"aura": self.planner.backend, **{name: name for name in self.controls}}

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of all arms, the baseline first."""
        return ("baseline", *self.planned_arms)

    @property
    def acting_arms(self) -> frozenset[str]:
        """Names of the planned arms whose planner can change anything: all but the no-op ones."""
        return frozenset(arm for arm, backend in self.planned_arms.items() if backend != "noop")


class Metadata(ManifestModel):
    """Kubernetes object metadata, as far as a local run needs it."""

    name: Name
    namespace: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class AuraExperiment(ManifestModel):
    """One experiment: the resource `aura.dev/v1alpha1 AuraExperiment`."""

    api_version: Literal["aura.dev/v1alpha1"]
    kind: Literal["AuraExperiment"]
    metadata: Metadata
    spec: ExperimentSpec
