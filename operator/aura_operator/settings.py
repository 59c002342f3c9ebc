"""What an administrator decides for all experiments: images, resources, intervals. The chart writes the file."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from aura_contract.base import ManifestModel
from aura_contract.dependencies import Resources

__all__ = ["Images", "OperatorSettings", "PartResources", "PlacementSettings", "SettingsError", "load_settings"]


class SettingsError(ValueError):
    """Settings that cannot be used; the message names the file and the field."""


class Images(ManifestModel):
    """Image of every part."""

    replayer: str = "aura/replayer:0.1.0"
    planner: str = "aura/planner:0.1.0"
    executor: str = "aura/executor:0.1.0"
    redis: str = "redis:7.0.15-bookworm"
    kafka: str = "apache/kafka:4.1.1"
    mongodb: str = "mongo:8.0"
    milvus: str = "milvusdb/milvus:v2.6.0"
    ollama: str = "ollama/ollama:0.17.4"


def _resources(cpu: str, memory: str, limit: str) -> Resources:
    return Resources(requests={"cpu": cpu, "memory": memory}, limits={"memory": limit})


class PartResources(ManifestModel):
    """Default resources of every part; no limit of processors, since throttling would show as latency."""

    replayer: Resources = _resources("200m", "384Mi", "1Gi")
    planner: Resources = _resources("50m", "192Mi", "1Gi")
    executor: Resources = _resources("20m", "32Mi", "128Mi")
    loader: Resources = _resources("50m", "256Mi", "2Gi")
    redis: Resources = _resources("50m", "64Mi", "1Gi")
    kafka: Resources = _resources("100m", "512Mi", "1Gi")
    mongodb: Resources = _resources("50m", "256Mi", "2Gi")
    milvus: Resources = _resources("100m", "512Mi", "4Gi")
    ollama: Resources = _resources("200m", "1Gi", "8Gi")


class PlacementSettings(ManifestModel):
    """How other clusters are reached, and how they reach this one."""

    service: Literal["NodePort", "LoadBalancer"] = Field("NodePort", description="Kind of Service before an embedded Kafka.")
    host: str | None = Field(
        None, min_length=1, max_length=253, description="Where other clusters reach a NodePort; a node's InternalIP without it."
    )
    timeout_seconds: float = Field(5.0, ge=1, le=30, description="For one request to another cluster.")
    visit_seconds: float = Field(15.0, ge=1, description="Other clusters are looked at so often.")
    removal_seconds: float = Field(120.0, ge=0, description="For so long a deleted experiment waits for a cluster that is gone.")


class OperatorSettings(ManifestModel):
    """The operator's settings file, camelCase; every field has a default."""

    images: Images = Images()
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    storage_class_name: str | None = Field(None, description="Class of every volume; the cluster's default without it.")
    results_storage: str = "1Gi"
    results_access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = Field(
        "ReadWriteOnce", description="With ReadWriteMany the shards of an experiment may run on several nodes."
    )
    part_storage: str = Field("2Gi", description="Volume of an embedded Kafka, MongoDB or Milvus.")
    model_storage: str = Field("10Gi", description="Volume of models that an embedded Ollama pulls.")
    resources: PartResources = PartResources()
    tracing_endpoint: str | None = Field(
        None, min_length=1, description="Collector of OpenTelemetry traces, such as http://otel-collector.tracing.svc:4318."
    )
    service_monitors: Literal["auto", "always", "never"] = "auto"
    service_monitor_labels: dict[str, str] = Field({}, description="Labels by which Prometheus finds ServiceMonitors.")
    scrape_interval: str = Field("15s", pattern=r"^[1-9][0-9]*(ms|s|m|h)$", description="Time between scrapes of experiments.")
    placements: PlacementSettings = PlacementSettings()
    resync_seconds: float = Field(300.0, ge=1, description="The slow timer: every experiment is looked at so often.")
    status_seconds: float = Field(3.0, ge=0.5, description="Results are read and written at most so often.")
    workers: int = Field(8, ge=1, le=64, description="Calls to the API server that are under way at once.")


def load_settings(path: Path | None) -> OperatorSettings:
    """The settings in a YAML file, or the defaults without one; raises SettingsError."""
    if path is None:
        return OperatorSettings()
    try:
        return OperatorSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: is not valid YAML") from error
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}" for item in error.errors()]
        raise SettingsError("\n".join(lines)) from error
