"""The reasoners, one module each, and the table that names them."""

from pathlib import Path

from aura_contract.experiment import BackendName, ExperimentSpec

from aura_planner.decision import Reasoner
from aura_planner.reasoners.heuristic import HeuristicReasoner
from aura_planner.reasoners.noop import NoopReasoner
from aura_planner.reasoners.random import RandomReasoner

__all__ = ["build"]


def build(backend: str, spec: ExperimentSpec, base: Path, *, similar: bool) -> Reasoner:
    """The reasoner of one arm; raises SetupError with a sentence when it cannot work at all.

    `base` is the folder that relative paths of the manifest start from, and `similar` says whether neighbours are at hand.
    """
    match backend:
        case "noop":
            return NoopReasoner()
        case "random":
            return RandomReasoner(spec.seed)
        case "heuristic":
            return HeuristicReasoner(spec.cache.ttl.thresholds[1])
    raise ValueError(f"no planner is called {backend!r}")
