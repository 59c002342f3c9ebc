"""What a plan may do: the executor's caps and the guard."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from aura_contract.base import ManifestModel, rules
from aura_contract.quantities import SHARE, parse_share

__all__ = ["ExecutorSpec", "GuardSpec"]

TTL_ORDER = "ttlMin must not be above ttlMax"


class ExecutorSpec(ManifestModel):
    """Caps that the executor enforces on every plan; TTLs in seconds."""

    model_config = rules(("self.ttlMin <= self.ttlMax", TTL_ORDER))

    max_evict: int = Field(20, ge=0, le=5000)
    max_prefetch: int = Field(20, ge=0, le=5000)
    ttl_min: int = Field(60, ge=1)
    ttl_max: int = Field(3600, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.ttl_min > self.ttl_max:
            raise ValueError(TTL_ORDER)
        return self


class GuardSpec(ManifestModel):
    """What keeps a planner from doing harm, whatever it plans."""

    backend_reads: str = Field(
        "5%",
        json_schema_extra={"pattern": SHARE},
        description="Prefetches without a hit, as a share of the misses, both so far, at the most; 100% is no limit.",
    )
    hold_out: str = Field(
        "10%",
        json_schema_extra={"pattern": SHARE},
        description="Share of the keys that no plan evicts or prefetches, to compare the others with.",
    )
    ghost_check: bool = Field(True, description="Refuse plans that lose in a small copy of the cache over the last window.")
    rollback: bool = Field(True, description="Take back levers that lose against the baseline.")

    @field_validator("backend_reads", "hold_out")
    @classmethod
    def _share(cls, value: str) -> str:
        parse_share(value, zero=True)
        return value

    @property
    def reads(self) -> float:
        """`backend_reads` as a fraction."""
        return parse_share(self.backend_reads, zero=True)

    @property
    def held(self) -> float:
        """`hold_out` as a fraction."""
        return parse_share(self.hold_out, zero=True)
