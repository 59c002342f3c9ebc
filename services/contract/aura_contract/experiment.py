"""The `AuraExperiment` resource: the manifest that `aura run` and Kubernetes both take."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from aura_contract.base import ManifestModel, rules
from aura_contract.cache import CacheSpec
from aura_contract.dependencies import DependenciesSpec
from aura_contract.lifecycle import FinishedTtl, PodsSpec, SuccessCondition
from aura_contract.limits import ExecutorSpec, GuardSpec
from aura_contract.planner import PlannerSpec, TriggerSpec
from aura_contract.workload import CatalogSpec, WorkloadSpec

__all__ = ["API_VERSION", "KIND", "NAME", "AuraExperiment", "ExperimentSpec", "Metadata"]

API_VERSION = "aura.dev/v1alpha1"
KIND = "AuraExperiment"

NAME = r"^[a-z]([-a-z0-9]{0,37}[a-z0-9])?$"
"""Names of Services are made from it: they begin with a letter, and have at most 63 characters with what is added."""

Name = Annotated[str, StringConstraints(pattern=NAME)]
ControlName = Literal["ollama", "openai", "heuristic", "bandit", "ml", "random", "adversarial", "noop", "recorded"]

CONTROL_NEEDS_MODEL_FILE = "control ml needs planner.modelFile: what `aura train` has written"
CONTROL_NEEDS_MODEL = "control openai needs planner.endpoint and planner.model"
CONTROL_NEEDS_RECORDING = "control recorded needs planner.recording: the plans.jsonl of an earlier run"
TWICE = "names a planner twice; each control is one further arm"
EVERY_ARM = "dependencies.redis.external.endpoints must name a server for every arm: baseline, aura and each control"
ONE_SERVER_AN_ARM = "workload.shards above 1 needs embedded Redis: external.endpoints name one server an arm, not one a shard"
ONE_MODEL_SERVER = "give planner.endpoint or dependencies.ollama, not both: each names the model server"
OUT_OF_REACH = (
    "planner.placements reach no embedded MongoDB, Milvus or Ollama: make them external, or leave out mongodb and milvus; "
    "ollama and auto need planner.endpoint or dependencies.ollama.external"
)
NO_VOLUMES = (
    "planner.placements have no volume of this cluster: give catalog.source as url or dataset, and no recording or modelFile"
)


class ExperimentSpec(ManifestModel):
    """What to replay, through which caches, and who plans."""

    model_config = rules(
        ("self.controls.all(name, self.controls.filter(other, other == name).size() == 1)", f"controls {TWICE}"),
        (
            (
                "!has(self.dependencies.redis.external) || (['baseline', 'aura'] + self.controls)"
                ".all(arm, arm in self.dependencies.redis.external.endpoints)"
            ),
            EVERY_ARM,
        ),
        ("!has(self.dependencies.redis.external) || self.workload.shards == 1", ONE_SERVER_AN_ARM),
        ("!(has(self.planner.endpoint) && has(self.dependencies.ollama))", ONE_MODEL_SERVER),
        ("!('ml' in self.controls) || has(self.planner.modelFile)", CONTROL_NEEDS_MODEL_FILE),
        ("!('openai' in self.controls) || (has(self.planner.endpoint) && has(self.planner.model))", CONTROL_NEEDS_MODEL),
        ("!('recorded' in self.controls) || has(self.planner.recording)", CONTROL_NEEDS_RECORDING),
        (
            (
                "self.planner.placements.size() == 0 || ("
                "(!has(self.dependencies.mongodb) || has(self.dependencies.mongodb.external))"
                " && (!has(self.dependencies.milvus) || has(self.dependencies.milvus.external))"
                " && (!(self.planner.backend in ['ollama', 'auto'] || 'ollama' in self.controls) || has(self.planner.endpoint)"
                " || (has(self.dependencies.ollama) && has(self.dependencies.ollama.external))))"
            ),
            OUT_OF_REACH,
        ),
        (
            (
                "self.planner.placements.size() == 0 || ("
                "(!has(self.catalog) || !has(self.catalog.source.path))"
                " && !has(self.planner.recording) && !has(self.planner.modelFile))"
            ),
            NO_VOLUMES,
        ),
    )

    workload: WorkloadSpec
    catalog: CatalogSpec | None = None
    cache: CacheSpec
    trigger: TriggerSpec = TriggerSpec()
    planner: PlannerSpec = PlannerSpec()
    executor: ExecutorSpec = ExecutorSpec()
    guard: GuardSpec = GuardSpec()
    controls: tuple[ControlName, ...] = Field(
        (), max_length=8, description="Further planned arms, each with its own Redis and the named planner."
    )
    dependencies: DependenciesSpec = DependenciesSpec()
    seed: int = Field(0, ge=0)
    suspend: bool = Field(False, description="Stop the replay where it is; it goes on when this is false again.")
    active_deadline_seconds: int | None = Field(None, ge=1, description="The experiment fails when it runs longer.")
    ttl_seconds_after_finished: FinishedTtl | None = None
    deletion_policy: Literal["Delete", "Retain"] = Field("Delete", description="Retain keeps the volume with the result files.")
    success_condition: SuccessCondition | None = None
    pods: PodsSpec = PodsSpec()

    @field_validator("controls")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError(TWICE)
        return value

    @model_validator(mode="after")
    def _servers(self) -> Self:
        external = self.dependencies.redis.external
        if external is not None and not set(self.arms) <= set(external.endpoints):
            raise ValueError(EVERY_ARM)
        if external is not None and self.workload.shards > 1:
            raise ValueError(ONE_SERVER_AN_ARM)
        if self.planner.endpoint is not None and self.dependencies.ollama is not None:
            raise ValueError(ONE_MODEL_SERVER)
        if "ml" in self.controls and self.planner.model_file is None:
            raise ValueError(CONTROL_NEEDS_MODEL_FILE)
        if "openai" in self.controls and not (self.planner.endpoint and self.planner.model):
            raise ValueError(CONTROL_NEEDS_MODEL)
        if "recorded" in self.controls and not self.planner.recording:
            raise ValueError(CONTROL_NEEDS_RECORDING)
        return self

    @model_validator(mode="after")
    def _placeable(self) -> Self:
        if not self.planner.placements:
            return self
        named = (self.dependencies.mongodb, self.dependencies.milvus)
        out_of_reach = self.asks_ollama and self.model_endpoint is None
        if out_of_reach or any(part is not None and part.external is None for part in named):
            raise ValueError(OUT_OF_REACH)
        if (self.catalog and self.catalog.source.path) or self.planner.recording or self.planner.model_file:
            raise ValueError(NO_VOLUMES)
        return self

    @property
    def planned_arms(self) -> dict[str, str]:
        """Planner backend of each planned arm, by arm name: `aura` first, then the controls."""
        return {"aura": self.planner.backend, **{name: name for name in self.controls}}

    @property
    def asks_ollama(self) -> bool:
        """Whether an arm is planned by an Ollama, or may be."""
        return bool({"ollama", "auto"} & set(self.planned_arms.values()))

    @property
    def model_endpoint(self) -> str | None:
        """Base url of the user's model server, if the manifest names one."""
        server = self.dependencies.ollama_server
        return self.planner.endpoint or (server.endpoint if server else None)

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of all arms, the baseline first."""
        return ("baseline", *self.planned_arms)

    @property
    def acting_arms(self) -> frozenset[str]:
        """Names of the planned arms whose planner can change anything: all but the no-op ones."""
        return frozenset(arm for arm, backend in self.planned_arms.items() if backend != "noop")


class Metadata(ManifestModel):
    """Kubernetes object metadata, as far as a local run needs it."""

    name: Name
    namespace: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class AuraExperiment(ManifestModel):
    """One experiment: the resource `aura.dev/v1alpha1 AuraExperiment`."""

    api_version: Literal["aura.dev/v1alpha1"]
    kind: Literal["AuraExperiment"]
    metadata: Metadata
    spec: ExperimentSpec
