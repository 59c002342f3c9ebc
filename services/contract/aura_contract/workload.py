"""The log and the catalogue: where rows come from, what their columns mean, and the experiment's clock."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from aura_contract.base import ManifestModel, rules

__all__ = [
    "CatalogColumns",
    "CatalogSpec",
    "ClockSpec",
    "SourceSpec",
    "TimestampClock",
    "WorkloadColumns",
    "WorkloadSpec",
]

VolumeClaim = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
FileFormat = Literal["auto", "csv", "tsv", "jsonl", "parquet"]

ONE_SOURCE = "give exactly one of path, url or dataset"
CLAIM_WITH_PATH = "volumeClaim goes with path: the file's place inside the volume"
ONE_CLOCK = "give rate or timestamps, not both"


class SourceSpec(ManifestModel):
    """Where rows come from: exactly one of a file, a url or a named data set."""

    model_config = rules(
        ("[has(self.path), has(self.url), has(self.dataset)].filter(given, given).size() == 1", ONE_SOURCE),
        ("!has(self.volumeClaim) || has(self.path)", CLAIM_WITH_PATH),
    )

    path: str | None = Field(None, min_length=1, description="File, relative to the manifest.")
    url: str | None = Field(None, min_length=1, description="Any url that fsspec opens, such as https:// or s3://.")
    dataset: str | None = Field(None, min_length=1, description="Named data set that a package brings, such as complete-journey.")
    volume_claim: VolumeClaim | None = Field(
        None, description="PersistentVolumeClaim in which Kubernetes finds path; a local run reads path from the disk."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.path, self.url, self.dataset)) != 1:
            raise ValueError(ONE_SOURCE)
        if self.volume_claim is not None and self.path is None:
            raise ValueError(CLAIM_WITH_PATH)
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

    model_config = rules(("!(has(self.rate) && has(self.timestamps))", ONE_CLOCK))

    rate: float | None = Field(None, gt=0, description="Events a second; 1000 unless timestamps is given.")
    timestamps: TimestampClock | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if self.rate is not None and self.timestamps is not None:
            raise ValueError(ONE_CLOCK)
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
        ("click",), max_length=64, description="Actions that are cache requests; other rows only feed the context."
    )
    limit: int | None = Field(None, gt=0, description="Replay only the first so many rows.")
    clock: ClockSpec = ClockSpec()
    shards: int = Field(1, ge=1, le=64, description="Replayers that share the log by user, each with arms of its own.")


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
