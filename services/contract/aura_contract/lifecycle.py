"""When an experiment stops, what stays of it, and where its pods may run: fields that only Kubernetes acts on."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from aura_contract.base import ManifestModel

__all__ = ["FinishedTtl", "PodsSpec", "SuccessCondition", "Toleration"]

ShortText = Annotated[str, StringConstraints(max_length=253)]


class FinishedTtl(ManifestModel):
    """Seconds after its end when an experiment deletes itself, by outcome; never without a number."""

    succeeded: int | None = Field(None, ge=0)
    failed: int | None = Field(None, ge=0)


class SuccessCondition(ManifestModel):
    """What a finished run must show to count as Succeeded; without it every verdict is a success."""

    verdicts: tuple[Literal["Better", "Worse", "NoDifference", "Inconclusive"], ...] = Field(
        ("Better", "Worse", "NoDifference", "Inconclusive"), min_length=1, max_length=4
    )
    min_delta_points: float | None = Field(None, ge=-100, le=100, description="Points of hit ratio over the baseline.")


class Toleration(ManifestModel):
    """A toleration of pods, as Kubernetes writes it."""

    key: ShortText | None = None
    operator: Literal["Exists", "Equal"] = "Equal"
    value: ShortText | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = Field(None, ge=0)


class PodsSpec(ManifestModel):
    """Where the experiment's pods may run, and with which pull secrets."""

    node_selector: dict[str, ShortText] = Field({}, max_length=16)
    tolerations: tuple[Toleration, ...] = Field((), max_length=16)
    priority_class_name: ShortText | None = None
    image_pull_secrets: tuple[ShortText, ...] = Field((), max_length=8, description="Names of Secrets, besides the operator's.")
