"""What a placement has in its cluster: pure, by the builders that make the same at home."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from aura_contract.dependencies import (
    DependenciesSpec,
    External,
    KafkaPart,
    MilvusPart,
    MongodbPart,
    OllamaPart,
    RedisPart,
    SecretRef,
)
from aura_contract.placements import Placement
from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import accounts, door, manifest, planner
from aura_operator.builders.credentials import API_KEY
from aura_operator.naming import COMPONENT, MANAGED_BY, PLACEMENT, PLACEMENTS_MANAGER, RUN

__all__ = ["Copy", "Placed", "copies", "objects", "place"]

FILES = ("ca.crt", "tls.crt", "tls.key")
LOGIN_KEYS = ("username", "password", "mechanism", API_KEY, *FILES)
KAFKA, MONGODB, MILVUS, OLLAMA, MODEL = "kafka", "mongodb", "milvus", "ollama", "model"


@dataclass(frozen=True)
class Copy:
    """A Secret of a placement: its component, the Secret at home that it is copied from, and which keys."""

    component: str
    source: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Placed(Blueprint):
    """An experiment as builders see it for a placement: its objects have names and labels of their own, and no owner.

    Owners live in the cluster of what they own; what is made elsewhere is found again by the labels of run and placement.
    `namespace` is the other cluster's, `home` is the blueprint of the experiment itself.
    """

    placement: str = ""
    home: Blueprint | None = None

    @property
    def place(self) -> str:
        """Name of the placement."""
        return self.placement

    @property
    def topic_namespace(self) -> str | None:
        """That of the experiment."""
        return self.home.topic_namespace if self.home else None

    def child(self, component: str) -> str:
        """Name of the object of a component: experiments of one name may be placed into one namespace."""
        number = hashlib.sha256(f"{self.uid}/{self.placement}".encode()).hexdigest()[:8]
        return f"{self.name}-{number}-{component}"

    def labels(self, component: str) -> dict[str, str]:
        """As at home, besides run and placement."""
        return {**super().labels(component), MANAGED_BY: PLACEMENTS_MANAGER, **self.selector(component)}

    def selector(self, component: str) -> dict[str, str]:
        """Run, placement and component: the experiment's name is not unique there."""
        return {RUN: self.run, PLACEMENT: self.placement, COMPONENT: component}

    def metadata(self, component: str, *, name: str | None = None, owned: bool = False) -> Manifest:
        """As at home, without an owner."""
        return super().metadata(component, name=name, owned=owned)


def place(home: Blueprint, placement: Placement) -> Placed | None:
    """The experiment for a placement, or None while the address of an embedded broker is not known."""
    if door.needed(home.spec) and home.door is None:
        return None
    bare = Placed(home.name, placement.namespace, home.uid, home.spec, home.settings, placement=placement.name, home=home)
    keys = {bare.child(copy.component): frozenset(copy.keys) for copy in copies(home)}
    alone = {
        "replicas": placement.replicas,
        # Their number is the placement's: autoscalers are at home.
        "autoscale": None,
        "placements": (),
        "secret_ref": _renamed(bare, MODEL, home.spec.planner.secret_ref),
    }
    spec = home.spec.model_copy(
        update={
            "planner": home.spec.planner.model_copy(update=alone),
            "dependencies": _dependencies(bare, home),
            "pods": placement.pods,
        }
    )
    return Placed(
        home.name, placement.namespace, home.uid, spec, home.settings, secret_keys=keys, placement=placement.name, home=home
    )


def objects(placed: Placed, data: Mapping[str, Mapping[str, str]]) -> list[Manifest]:
    """All objects of a placement; `data` are base64 values by component of a Secret and key."""
    secrets = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": placed.metadata(component), "type": "Opaque", "data": dict(values)}
        for component, values in data.items()
    ]
    return [*accounts.build(placed), *secrets, *manifest.build(placed), *planner.build(placed)]


def copies(home: Blueprint) -> list[Copy]:
    """The Secrets at home that planners log in with, and the keys of them that planners use."""
    parts = home.spec.dependencies
    servers = {KAFKA: parts.kafka_server, MONGODB: parts.mongodb_server, MILVUS: parts.milvus_server, OLLAMA: parts.ollama_server}
    found = [
        Copy(part, server.secret_ref.name, tuple(key for key in LOGIN_KEYS if key in _keys(home, server.secret_ref)))
        for part, server in servers.items()
        if server is not None and server.secret_ref is not None
    ]
    if home.door is not None:
        found.append(Copy(KAFKA, home.child(door.COMPONENT), door.LOGIN))
    secret = home.spec.planner.secret_ref
    if secret is not None:
        found.append(Copy(MODEL, secret.name, (API_KEY, *(key for key in FILES if key in _keys(home, secret)))))
    return found


def _keys(home: Blueprint, secret: SecretRef) -> frozenset[str]:
    return home.secret_keys.get(secret.name, frozenset())


def _dependencies(placed: Placed, home: Blueprint) -> DependenciesSpec:
    """All external, each with the placement's own Secret; none of the arms, which planners do not talk to."""
    parts = home.spec.dependencies
    broker = External(endpoint=door.address(home), tls=True, secret_ref=SecretRef(name="x")) if home.door else parts.kafka_server
    kafka = _moved(placed, KAFKA, broker)
    mongodb, milvus = _moved(placed, MONGODB, parts.mongodb_server), _moved(placed, MILVUS, parts.milvus_server)
    ollama = _moved(placed, OLLAMA, parts.ollama_server)
    return DependenciesSpec(
        redis=RedisPart(),
        kafka=KafkaPart(external=kafka, topic_prefix=parts.kafka.topic_prefix),
        mongodb=MongodbPart(external=mongodb) if mongodb else None,
        milvus=MilvusPart(external=milvus) if milvus else None,
        ollama=OllamaPart(external=ollama) if ollama else None,
    )


def _moved(placed: Placed, component: str, server: External | None) -> External | None:
    if server is None:
        return None
    return server.model_copy(update={"secret_ref": _renamed(placed, component, server.secret_ref)})


def _renamed(placed: Placed, component: str, secret: SecretRef | None) -> SecretRef | None:
    return SecretRef(name=placed.child(component)) if secret else None
