"""The `AuraExperiment` resource: the manifest that `aura run` and Kubernetes both take."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from aura_contract.base import ManifestModel, rules
from aura_contract.dependencies import DependenciesSpec, SecretRef
from aura_contract.lifecycle import FinishedTtl, PodsSpec, SuccessCondition
from aura_contract.quantities import parse_bytes, parse_share
from aura_contract.workload import CatalogSpec, WorkloadSpec

__all__ = [
    "API_VERSION",
    "KIND",
    "NAME",
    "AuraExperiment",
    "BackendName",
    "CacheSpec",
    "ExecutorSpec",
    "ExperimentSpec",
    "Metadata",
    "PlannerSpec",
    "TriggerSpec",
    "TtlSpec",
]

API_VERSION = "aura.dev/v1alpha1"
KIND = "AuraExperiment"

NAME = r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$"
"""Names of Services are made from it: they begin with a letter, and have at most 63 characters with what is added."""

Name = Annotated[str, StringConstraints(pattern=NAME)]
BackendName = Literal["auto", "ollama", "openai", "heuristic", "bandit", "ml", "random", "adversarial", "noop", "recorded"]
TriggerName = Literal["drop", "pressure", "random"]
ControlName = Literal["heuristic", "bandit", "ml", "random", "adversarial", "noop"]

THRESHOLDS = "thresholds must rise and lie between 0 and 1, such as [0.5, 0.8]"
LATENCY = r"^(charged|free|x[0-9]{1,4})$"
SHARE = r"^(100|\d{1,2}(\.\d+)?)%$"
ONE_SIZE = "give exactly one of memory (such as 8Mi) or capacity (such as 5%)"
NEEDS_RECORDING = "backend recorded needs recording: the plans.jsonl of an earlier run"
NEEDS_MODEL_FILE = "backend ml needs modelFile: what `aura train` has written"
CONTROL_NEEDS_MODEL_FILE = "control ml needs planner.modelFile: what `aura train` has written"
NEEDS_MODEL = "backend openai needs endpoint and model"
TTL_ORDER = "ttlMin must not be above ttlMax"
TWICE = "names a planner twice; each control is one further arm"
EVERY_ARM = "dependencies.redis.external.endpoints must name a server for every arm: baseline, aura and each control"
ONE_MODEL_SERVER = "give planner.endpoint or dependencies.ollama, not both: each names the model server"


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


class PlannerSpec(ManifestModel):
    """Who plans for the arm `aura`, and how its time is counted."""

    model_config = rules(
        ("self.backend != 'recorded' || has(self.recording)", NEEDS_RECORDING),
        ("self.backend != 'openai' || (has(self.endpoint) && has(self.model))", NEEDS_MODEL),
        ("self.backend != 'ml' || has(self.modelFile)", NEEDS_MODEL_FILE),
    )

    backend: BackendName = "auto"
    model: str | None = Field(None, description="Model name for ollama and openai, such as llama3.2:1b.")
    endpoint: str | None = Field(None, description="Base url of the model server.")
    style: Literal["levers", "keys"] = "levers"
    mode: Literal["lockstep", "async"] = "lockstep"
    latency: str = Field(
        "charged",
        json_schema_extra={"pattern": LATENCY},
        description="Times of a plan's seconds that pass before it applies, such as x10; charged is x1, free x0.",
    )
    timeout_seconds: float = Field(60.0, gt=0, le=3600)
    recording: str | None = Field(None, description="plans.jsonl of an earlier run, for backend recorded.")
    model_file: str | None = Field(None, min_length=1, description="What `aura train` has written, for backend or control ml.")
    replicas: int = Field(1, ge=0, le=64)
    secret_ref: SecretRef | None = Field(None, description="Secret with the model server's api-key.")

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

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.backend == "recorded" and not self.recording:
            raise ValueError(NEEDS_RECORDING)
        if self.backend == "openai" and not (self.endpoint and self.model):
            raise ValueError(NEEDS_MODEL)
        if self.backend == "ml" and self.model_file is None:
            raise ValueError(NEEDS_MODEL_FILE)
        return self


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
        ("!(has(self.planner.endpoint) && has(self.dependencies.ollama))", ONE_MODEL_SERVER),
        ("!('ml' in self.controls) || has(self.planner.modelFile)", CONTROL_NEEDS_MODEL_FILE),
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
        if self.planner.endpoint is not None and self.dependencies.ollama is not None:
            raise ValueError(ONE_MODEL_SERVER)
        if "ml" in self.controls and self.planner.model_file is None:
            raise ValueError(CONTROL_NEEDS_MODEL_FILE)
        return self

    @property
    def planned_arms(self) -> dict[str, str]:
        """Planner backend of each planned arm, by arm name: `aura` first, then the controls."""
        return {"aura": self.planner.backend, **{name: name for name in self.controls}}

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
