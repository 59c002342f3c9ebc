"""The reasoners, one module each, and the table that names them."""

import logging
from collections.abc import Callable
from pathlib import Path

from aura_contract.experiment import ExperimentSpec
from aura_planner.decision import Reasoner
from aura_planner.enrichment import Enrichment
from aura_planner.reasoners.adversarial import AdversarialReasoner
from aura_planner.reasoners.auto import choose
from aura_planner.reasoners.bandit import BanditReasoner
from aura_planner.reasoners.heuristic import HeuristicReasoner
from aura_planner.reasoners.ml import MlReasoner
from aura_planner.reasoners.model import ChatServer, ModelReasoner
from aura_planner.reasoners.noop import NoopReasoner
from aura_planner.reasoners.ollama import OllamaServer
from aura_planner.reasoners.openai import OpenAiServer
from aura_planner.reasoners.random import RandomReasoner
from aura_planner.reasoners.recorded import RecordedReasoner

__all__ = ["build"]

log = logging.getLogger(__name__)


def build(backend: str, spec: ExperimentSpec, base: Path, enrichment: Enrichment) -> Reasoner:
    """The reasoner of one arm; raises SetupError with a sentence when it cannot work at all.

    `base` is the folder that relative paths of the manifest start from; models are told what `enrichment` finds.
    A model server that is away is no SetupError: windows run unplanned until it comes.
    """
    planner = spec.planner
    table: dict[str, Callable[[], Reasoner]] = {
        "noop": NoopReasoner,
        "adversarial": AdversarialReasoner,
        "bandit": lambda: BanditReasoner(spec.seed),
        "random": lambda: RandomReasoner(spec.seed),
        "heuristic": HeuristicReasoner,
        "ml": lambda: MlReasoner(base / (planner.model_file or ""), spec.trigger.every_events, spec.cache.ttl.thresholds[1]),
        "recorded": lambda: RecordedReasoner(base / (planner.recording or "")),
        "ollama": lambda: _ollama(spec, enrichment),
        "auto": lambda: _auto(spec, enrichment),
        "openai": lambda: _model(OpenAiServer(spec.model_endpoint or "", planner.model or "", spec.seed), spec, enrichment),
    }
    return table[backend]()


def _ollama(spec: ExperimentSpec, enrichment: Enrichment) -> Reasoner:
    server = OllamaServer(spec.model_endpoint, spec.planner.model, spec.seed)
    problem = server.problem()
    if problem:
        log.warning("%s; windows run unplanned until that is mended", problem)
    return _model(server, spec, enrichment)


def _auto(spec: ExperimentSpec, enrichment: Enrichment) -> Reasoner:
    server = OllamaServer(spec.model_endpoint, spec.planner.model, spec.seed)
    return choose(_model(server, spec, enrichment), server.problem(), HeuristicReasoner())


def _model(server: ChatServer, spec: ExperimentSpec, enrichment: Enrichment) -> ModelReasoner:
    return ModelReasoner(server, spec.planner.style, spec.planner.timeout_seconds, enrichment)
