"""Who plans, when, and how its time is counted."""

import math
import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from aura_contract.base import ManifestModel, rules
from aura_contract.dependencies import LOGIN, NO_LOGIN, SecretRef
from aura_contract.placements import Placement
from aura_contract.quantities import SHARE, parse_share

__all__ = ["MAX_AHEAD_SECONDS", "AutoscaleSpec", "BackendName", "PlannerSpec", "TriggerSpec"]

BackendName = Literal["auto", "ollama", "openai", "heuristic", "bandit", "ml", "random", "adversarial", "noop", "recorded"]
TriggerName = Literal["drop", "pressure", "random"]

MAX_AHEAD_SECONDS = 3600
"""The executor's own bound of how far ahead of the arm's clock a plan may apply."""

LATENCY = r"^(charged|free|x[0-9]{1,4})$"
NEEDS_RECORDING = "backend recorded needs recording: the plans.jsonl of an earlier run"
NEEDS_MODEL_FILE = "backend ml needs modelFile: what `aura train` has written"
UPSIDE_DOWN = "autoscale.minReplicas is greater than maxReplicas; lower the one or raise the other"
AUTOSCALED = "replicas is the autoscaler's while there is autoscale; change minReplicas or maxReplicas, or take autoscale out"
NEEDS_MODEL = "backend openai needs endpoint and model"
PLACED_TWICE = "placements has a name twice; give each placement a name of its own"


class TriggerSpec(ManifestModel):
    """When a window ends and the planner is asked."""

    every_events: int = Field(5000, ge=100, description="Log events a window.")
    when: tuple[TriggerName, ...] = Field(
        (), max_length=3, description="Ask only after windows in which one of these happened; after every window by default."
    )
    drop_points: float = Field(2.0, gt=0, le=100, description="drop: points of hit ratio below the mean of four windows before.")
    pressure_points: float = Field(10.0, gt=0, le=100, description="pressure: points by which the memory pressure rose.")
    random_share: str = Field(
        "25%", json_schema_extra={"pattern": SHARE}, description="random: share of the windows, drawn by lot, as a control."
    )

    @field_validator("random_share")
    @classmethod
    def _share(cls, value: str) -> str:
        parse_share(value)
        return value

    @property
    def share(self) -> float:
        """`random_share` as a fraction."""
        return parse_share(self.random_share)


class AutoscaleSpec(ManifestModel):
    """Between how many planners something else than the operator chooses in Kubernetes.

    Where KEDA is installed it is by the contexts that wait in Kafka, elsewhere a HorizontalPodAutoscaler by processor time.
    """

    model_config = rules(("self.minReplicas <= self.maxReplicas", UPSIDE_DOWN))

    min_replicas: int = Field(1, ge=1, le=64)
    max_replicas: int = Field(ge=1, le=64)
    lag_threshold: int = Field(1, ge=1, description="With KEDA: waiting contexts for each planner.")
    target_cpu: int = Field(
        80, ge=1, le=1000, alias="targetCPU", description="Without KEDA: percent of the requested processor time."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError(UPSIDE_DOWN)
        return self


class PlannerSpec(ManifestModel):
    """Who plans for the arm `aura`, and how its time is counted."""

    model_config = rules(
        ("self.backend != 'recorded' || has(self.recording)", NEEDS_RECORDING),
        ("self.backend != 'openai' || (has(self.endpoint) && has(self.model))", NEEDS_MODEL),
        ("self.backend != 'ml' || has(self.modelFile)", NEEDS_MODEL_FILE),
        ("!has(self.autoscale) || !has(oldSelf.autoscale) || self.replicas == oldSelf.replicas", AUTOSCALED),
        (f"!has(self.endpoint) || !self.endpoint.matches('{LOGIN}')", NO_LOGIN),
        ("self.placements.all(one, self.placements.exists_one(other, other.name == one.name))", PLACED_TWICE),
    )

    backend: BackendName = "auto"
    model: str | None = Field(None, description="Model name for ollama and openai, such as llama3.2:1b.")
    endpoint: str | None = Field(None, max_length=2048, description="Base url of the model server.")
    style: Literal["levers", "keys"] = "levers"
    mode: Literal["lockstep", "async"] = "lockstep"
    latency: str = Field(
        "charged",
        json_schema_extra={"pattern": LATENCY},
        description="Times of a plan's seconds that pass before it applies, such as x10; charged is x1, free x0.",
    )
    timeout_seconds: float = Field(60.0, gt=0, le=3600)
    recording: str | None = Field(None, description="plans.jsonl of an earlier run, for backend or control recorded.")
    model_file: str | None = Field(None, min_length=1, description="What `aura train` has written, for backend or control ml.")
    replicas: int = Field(1, ge=0, le=64, description="Planners in Kubernetes; of no effect while there is autoscale.")
    autoscale: AutoscaleSpec | None = None
    placements: tuple[Placement, ...] = Field(
        (), max_length=8, description="Further planners, in other clusters; they share the windows with those here."
    )
    secret_ref: SecretRef | None = Field(None, description="Secret with the model server's api-key, and its ca.crt to trust.")

    @field_validator("latency")
    @classmethod
    def _latency(cls, value: str) -> str:
        if not re.fullmatch(LATENCY, value):
            raise ValueError("latency is charged, free, or a multiple of what a plan took, such as x10")
        return value

    @property
    def latency_factor(self) -> int:
        """How many times a plan's seconds pass on the experiment's clock before it applies."""
        return int({"charged": "x1", "free": "x0"}.get(self.latency, self.latency)[1:])

    @property
    def max_ahead_seconds(self) -> int:
        """How far ahead of the arm's clock a plan may apply: twice what the slowest answer is charged, and not below an hour."""
        return max(MAX_AHEAD_SECONDS, math.ceil(2 * self.timeout_seconds * self.latency_factor))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.backend == "recorded" and not self.recording:
            raise ValueError(NEEDS_RECORDING)
        if self.backend == "openai" and not (self.endpoint and self.model):
            raise ValueError(NEEDS_MODEL)
        if self.backend == "ml" and self.model_file is None:
            raise ValueError(NEEDS_MODEL_FILE)
        if len({placement.name for placement in self.placements}) != len(self.placements):
            raise ValueError(PLACED_TWICE)
        return self
