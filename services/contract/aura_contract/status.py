"""The status of an `AuraExperiment` in Kubernetes: what `kubectl get ax` and `kubectl describe ax` tell."""

from typing import Literal

from pydantic import Field

from aura_contract.base import ManifestModel
from aura_contract.placements import Place

__all__ = ["ArmStatus", "Condition", "ConditionType", "ExperimentStatus", "Phase", "PlacementStatus", "PlannersStatus"]

Phase = Literal["Pending", "Provisioning", "Running", "Succeeded", "Failed", "Suspended"]
ConditionType = Literal[
    "Ready",
    "DependenciesReady",
    "Progressing",
    "MetricsAvailable",
    "Suspended",
    "Complete",
    "Failed",
    "Degraded",
    "PlacementsReady",
]


class Condition(ManifestModel):
    """One aspect of the experiment, as Kubernetes writes conditions; `message` says what to do when it is not well."""

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str = Field(max_length=128)
    message: str = Field("", max_length=2048)
    observed_generation: int = 0
    last_transition_time: str = Field("", description="RFC 3339.")


class ArmStatus(ManifestModel):
    """One arm so far; ratios as text with four decimals, so that no reader rounds them again."""

    planner: str = ""
    hit_ratio: str = ""
    requests: str = ""
    hits: str = ""
    misses: str = ""
    backend_reads: str = ""
    prefetches: str = ""
    plans_decided: str = ""
    plans_applied: str = ""
    plans_refused: str = ""
    unplanned: str = ""


class PlannersStatus(ManifestModel):
    """Planner pods of all clusters; `local` are those that the scale subresource counts, and `selector` finds, `autoscaler` who
    decides on their number."""

    replicas: int = 0
    ready: int = 0
    local: int = 0
    autoscaler: Literal["", "KEDA", "HorizontalPodAutoscaler"] = ""
    selector: str = ""


class PlacementStatus(Place):
    """A placement that may have objects in its cluster: it stays until they are gone, though the spec names it no more."""

    made: bool = Field(False, description="Whether anything may be there that has to be removed.")
    ready: bool = False
    replicas: int = Field(0, description="Planners that are wanted there.")
    ready_replicas: int = 0
    reason: str = Field("Pending", max_length=128)
    message: str = Field("", max_length=1024)
    last_transition_time: str = Field("", description="When ready became what it is, RFC 3339.")


class ExperimentStatus(ManifestModel):
    """Where an experiment stands; `message` is one sentence that says what to do."""

    phase: Phase = "Pending"
    message: str = Field("", max_length=2048)
    observed_generation: int = 0
    run: str = Field("", description="Id of the run, in every message and file of it.")
    started_at: str | None = Field(None, description="When the replay began, RFC 3339; from then on log and cache are fixed.")
    finished_at: str | None = None
    progress: str = Field("", description="Share of the log that was replayed, such as 42%.")
    events: str = ""
    total_events: str = ""
    hit_ratio: str = ""
    baseline_hit_ratio: str = ""
    delta_points: str = Field("", description="Points of hit ratio over the baseline, with sign.")
    interval: str = Field("", description="95 % interval of delta_points after warm-up, such as [+10.40, +10.95].")
    verdict: str = ""
    reason: str = Field("", description="One sentence of the verdict.")
    data_sha256: str = ""
    arms: dict[str, ArmStatus] = Field({}, max_length=16)
    planners: PlannersStatus = PlannersStatus()
    placements: tuple[PlacementStatus, ...] = Field((), max_length=32)
    conditions: tuple[Condition, ...] = Field((), max_length=16)
