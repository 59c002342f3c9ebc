"""What the operator remembers of one experiment between two looks; all of it can be lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aura_contract.status import ExperimentStatus
from aura_operator.reconcile.lookups import Lookups
from aura_operator.status.facts import Facts
from aura_operator.status.troubles import Trouble

__all__ = ["Memory", "Picture"]


@dataclass(frozen=True)
class Picture:
    """What the objects said at the look when they were as `version` says."""

    version: tuple[int, int]
    facts: Facts
    troubles: tuple[Trouble, ...]


@dataclass
class Memory:
    """One experiment's memory: `settled` is what the last look had before it that found everything as it should be."""

    status: ExperimentStatus | None = None
    written: float = 0.0
    failures: int = 0
    lookups: Lookups | None = None
    looked_up: tuple[int, float] = (-1, 0.0)
    announced: str = ""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    picture: Picture | None = None
    settled: object = None
    servers_wanted: frozenset[str] = frozenset()
    given_up: dict[tuple[str, str], str] = field(default_factory=dict)
    """Path at which an object stays different whatever is done, by its kind and name."""
