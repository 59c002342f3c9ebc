"""The grid capacity × seed: its cells, their manifests and the names of their folders."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from aura_cli.errors import InputError
from aura_contract.cache import CacheSpec
from aura_contract.quantities import parse_bytes, parse_share

__all__ = ["Capacity", "Cell", "common", "grid", "own_capacity", "parse_capacities", "seeds_from"]


@dataclass(frozen=True)
class Capacity:
    """A size of every arm as the user wrote it; `field` is the one of `spec.cache` that takes it: capacity or memory."""

    text: str
    field: str

    @property
    def folder(self) -> str:
        """Its name as a folder: a percent sign would have to be escaped in links."""
        return self.text.replace("%", "pct")


@dataclass(frozen=True)
class Cell:
    """One run of the sweep: `manifest` is the data of its own AuraExperiment, `folder` relative to the sweep's."""

    capacity: Capacity
    seed: int
    folder: str
    manifest: dict[str, Any]

    @property
    def title(self) -> str:
        """The cell in a sentence."""
        return f"capacity {self.capacity.text}, seed {self.seed}"


def parse_capacities(text: str) -> tuple[Capacity, ...]:
    """Capacities of a list such as `1%,5%,8Mi`; raises InputError."""
    found: dict[tuple[str, float], Capacity] = {}
    for part in text.split(","):
        try:
            capacity, value = _capacity(part.strip())
        except ValueError as error:
            raise InputError(f"--capacity {text}: {error}") from None
        if (capacity.field, value) in found:
            raise InputError(f"--capacity {text}: names {capacity.text} twice; each capacity is once in the grid")
        found[capacity.field, value] = capacity
    return tuple(found.values())


def _capacity(text: str) -> tuple[Capacity, float]:
    """The capacity and its size as a number; raises ValueError with a sentence."""
    field = "capacity" if text.endswith("%") else "memory"
    try:
        value = parse_share(text) if field == "capacity" else parse_bytes(text)
    except ValueError:
        limits = "a share above 0% and at most 100%, such as 5%, nor an amount of memory, such as 8Mi"
        raise ValueError(f"{text!r} is neither {limits}") from None
    try:
        CacheSpec.model_validate({field: text})
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ValueError(f"{reason}; a share is written with %, such as 5%") from None
    return Capacity(text, field), value


def own_capacity(cache: CacheSpec) -> Capacity:
    """The capacity that the manifest itself names."""
    return Capacity(cache.memory.strip(), "memory") if cache.memory else Capacity(str(cache.capacity).strip(), "capacity")


def seeds_from(first: int, count: int) -> tuple[int, ...]:
    """`count` seeds, the manifest's own first; raises InputError."""
    if count < 1:
        raise InputError(f"--seeds {count}: must be at least 1; it is the number of seeds, counted from spec.seed")
    return tuple(range(first, first + count))


def grid(manifest: dict[str, Any], capacities: Sequence[Capacity], seeds: Sequence[int]) -> tuple[Cell, ...]:
    """All cells, capacity by capacity; `manifest` is data whose paths do not depend on where it lies."""
    return tuple(
        Cell(capacity, seed, f"{capacity.folder}/seed-{seed}", _manifest(manifest, capacity, seed))
        for capacity in capacities
        for seed in seeds
    )


def _manifest(manifest: dict[str, Any], capacity: Capacity, seed: int) -> dict[str, Any]:
    spec = manifest["spec"]
    cache = {name: value for name, value in spec["cache"].items() if name not in {"capacity", "memory"}}
    return {**manifest, "spec": {**spec, "cache": {**cache, capacity.field: capacity.text}, "seed": seed}}


def common(manifest: dict[str, Any]) -> dict[str, Any]:
    """What all cells of a sweep share: the manifest without capacity, memory and seed."""
    spec = {name: value for name, value in manifest["spec"].items() if name != "seed"}
    cache = {name: value for name, value in spec["cache"].items() if name not in {"capacity", "memory"}}
    return {**manifest, "spec": {**spec, "cache": cache}}
