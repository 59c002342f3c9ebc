"""Size, clock and time to live of the arms' caches."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from aura_contract.base import ManifestModel, rules
from aura_contract.quantities import parse_bytes, parse_share

__all__ = ["CacheSpec", "TtlSpec"]

THRESHOLDS = "thresholds must rise and lie between 0 and 1, such as [0.5, 0.8]"
ONE_SIZE = "give exactly one of memory (such as 8Mi) or capacity (such as 5%)"


class TtlSpec(ManifestModel):
    """Dynamic TTL in seconds by memory pressure: `long` below the first threshold, `short` above the second."""

    model_config = rules(
        ("0.0 <= self.thresholds[0] && self.thresholds[0] <= self.thresholds[1] && self.thresholds[1] <= 1.0", THRESHOLDS)
    )

    long: int = Field(1800, ge=1)
    medium: int = Field(900, ge=1)
    short: int = Field(300, ge=1)
    thresholds: tuple[float, float] = (0.5, 0.8)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.thresholds
        if not 0 <= low <= high <= 1:
            raise ValueError(THRESHOLDS)
        return self


class CacheSpec(ManifestModel):
    """Size and time-keeping of every arm: all arms get the same."""

    model_config = rules(("has(self.memory) != has(self.capacity)", ONE_SIZE))

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
            raise ValueError(ONE_SIZE)
        return self
