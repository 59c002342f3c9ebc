"""Four experiments: the least one may write, everything embedded, everything external, one of several shards; and two with planners elsewhere."""

from dataclasses import replace
from typing import Any

import yaml

from aura_contract.experiment import ExperimentSpec
from aura_operator.blueprint import KEDA, MONITORING, Blueprint, Door, Manifest
from aura_operator.settings import OperatorSettings

__all__ = [
    "BLUEPRINTS",
    "DOOR_SECRETS",
    "EMBEDDED",
    "EXTERNAL",
    "MINIMAL",
    "PASSWORDS",
    "PLACED_EMBEDDED",
    "PLACED_EXTERNAL",
    "SHARDED",
    "SHARDED_SPEC",
    "blueprint",
    "one",
    "opened",
    "variables",
    "with_placement",
]

UID = "6f1c0b9e-3f6e-4c1b-9a53-0b6f1a2c3d4e"
PASSWORDS = {part: f"generated-for-{part}" for part in ("redis", "kafka", "mongodb", "milvus")}

MINIMAL_SPEC = """
workload: {source: {url: https://example.org/log.csv}}
cache: {capacity: 5%}
planner: {backend: heuristic}
"""

EMBEDDED_SPEC = """
workload:
  source: {path: logs/2024.parquet, volumeClaim: grocer-logs}
  columns: {user: customer}
  limit: 400000
catalog:
  source: {path: /items.csv, volumeClaim: grocer-items}
  columns: {brand: null}
cache: {memory: 8Mi}
trigger: {everyEvents: 2000}
planner: {backend: auto, replicas: 2}
executor: {maxEvict: 100, maxPrefetch: 200}
controls: [noop, random]
dependencies:
  redis: {embedded: {resources: {requests: {cpu: "0.5", memory: 64Mi}, limits: {memory: 1024Mi}}}}
  kafka: {embedded: {storage: 1024Mi}}
  mongodb: {}
  milvus: {embedded: {image: "registry.example/milvus:mine"}}
deletionPolicy: Retain
activeDeadlineSeconds: 7200
pods:
  nodeSelector: {disk: fast}
  tolerations: [{key: experiments, operator: Exists, effect: NoSchedule}]
  imagePullSecrets: [registry]
"""

EXTERNAL_SPEC = """
workload: {source: {dataset: complete-journey}, requests: [purchase]}
catalog: {source: {dataset: complete-journey}}
cache: {capacity: 5%, clock: wall}
planner:
  backend: openai
  endpoint: https://models.example.org/v1
  model: some-model
  secretRef: {name: model}
  autoscale: {minReplicas: 2, maxReplicas: 6, lagThreshold: 3}
dependencies:
  redis:
    external:
      endpoints: {baseline: "redis-a.example.org:6380", aura: "redis-b.example.org:6380"}
      tls: true
      secretRef: {name: redis-login}
  kafka: {external: {endpoint: "kafka.example.org:9093", tls: true, secretRef: {name: kafka-login}}}
  mongodb: {external: {endpoint: "mongodb://mongodb.example.org/catalogue", secretRef: {name: mongodb-login}}}
  milvus: {external: {endpoint: "https://milvus.example.org", tls: true, secretRef: {name: milvus-login}}}
"""

SHARDED_SPEC = """
workload: {source: {dataset: complete-journey}, columns: {user: user}, requests: [purchase], shards: 2}
cache: {memory: 600Mi}
planner: {backend: heuristic}
controls: [noop]
"""

SECRET_KEYS = {
    "redis-login": frozenset({"password", "ca.crt"}),
    "kafka-login": frozenset({"username", "password", "mechanism", "ca.crt", "tls.crt", "tls.key"}),
    "mongodb-login": frozenset({"username", "password"}),
    "milvus-login": frozenset({"username", "password", "ca.crt", "unrelated"}),
    "model": frozenset({"api-key"}),
}


def blueprint(spec: str, name: str = "grocer", namespace: str = "shop", settings: OperatorSettings | None = None) -> Blueprint:
    """The experiment of a spec in YAML."""
    parsed = ExperimentSpec.model_validate(yaml.safe_load(spec))
    apis = frozenset({MONITORING}) if "controls" in spec else frozenset({KEDA}) if "autoscale" in spec else frozenset()
    return Blueprint(name, namespace, UID, parsed, settings or OperatorSettings(), PASSWORDS, SECRET_KEYS, apis)


MINIMAL, EMBEDDED, EXTERNAL = blueprint(MINIMAL_SPEC), blueprint(EMBEDDED_SPEC), blueprint(EXTERNAL_SPEC)
SHARDED = blueprint(SHARDED_SPEC)
BLUEPRINTS = {"minimal": MINIMAL, "embedded": EMBEDDED, "external": EXTERNAL, "sharded": SHARDED}

PLACEMENT = "{name: east, kubeconfigSecretRef: {name: kube}, namespace: theirs, replicas: 3}"


DOOR_SECRETS = {"password": "a-password", "jaas": "a-login", "server.pem": "a-key"}
DOOR = {"username": "planner", "mechanism": "PLAIN", "ca.crt": "an-authority", "host": "192.0.2.8", **DOOR_SECRETS}


def with_placement(spec: str, planner: str, placement: str = PLACEMENT) -> str:
    """A spec in YAML with another planner, and with a placement of it."""
    found = yaml.safe_load(spec)
    found["planner"] = {**yaml.safe_load(planner), "placements": [yaml.safe_load(placement)]}
    return yaml.safe_dump(found)


def opened(found: Blueprint) -> Blueprint:
    """The same experiment once the address of its Kafka's door is known."""
    return replace(found, door=Door("192.0.2.8", 31094, DOOR))


PLACED_EMBEDDED = opened(blueprint(with_placement(MINIMAL_SPEC, "{backend: heuristic}")))
OPENAI = yaml.safe_dump(yaml.safe_load(EXTERNAL_SPEC)["planner"])
PLACED_EXTERNAL = blueprint(with_placement(EXTERNAL_SPEC, OPENAI))


def variables(built: Manifest) -> dict[str, Any]:
    """Environment of the one container; Secrets' keys in the place of values."""
    (container,) = built["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item.get("value") or item["valueFrom"] for item in container["env"]}


def one(built: list[Manifest]) -> Manifest:
    """The only object of a builder."""
    (found,) = built
    return found
