"""The servers of an experiment: each is embedded (brought up for it) or external (the user's own)."""

from typing import Annotated, Generic, Self, TypeVar

from pydantic import Field, StringConstraints, model_validator

from aura_contract.base import ManifestModel, rules

__all__ = [
    "LOGIN",
    "NO_LOGIN",
    "DependenciesSpec",
    "Embedded",
    "External",
    "ExternalArms",
    "KafkaPart",
    "MilvusPart",
    "MongodbPart",
    "OllamaPart",
    "RedisPart",
    "Resources",
    "SecretName",
    "SecretRef",
]

Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$", max_length=20)]
SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=2048)]

Brought = TypeVar("Brought")

ONE = "give embedded or external, not both"
LOGIN = "^([a-z][a-z0-9+.-]*://)?[^/?#]*@"
NO_LOGIN = "an endpoint has a user or a password in it, which all see who see the experiment; name a Secret in secretRef instead"
"""A rule of the API server alone: a manifest on one machine is the user's own file."""


class SecretRef(ManifestModel):
    """A Secret in the experiment's namespace.

    Its keys: `username`, `password`, `ca.crt`, and `tls.crt` with `tls.key` for a client certificate; a model server may
    take `api-key` instead of a password. A local run has no Secrets: it reads the same values from the environment
    (`aura_contract.credentials`).
    """

    name: SecretName


class Resources(ManifestModel):
    """Compute resources of a pod's container, as Kubernetes writes them."""

    requests: dict[str, Quantity] = Field({}, max_length=8)
    limits: dict[str, Quantity] = Field({}, max_length=8)


class Embedded(ManifestModel):
    """A part that the operator brings up; a local run starts its own, or does without."""

    image: str | None = Field(None, min_length=1, max_length=512, description="Instead of the operator's image for this part.")
    storage: Quantity | None = Field(None, description="Size of its volume, such as 1Gi; part of the operator's defaults.")
    resources: Resources | None = Field(None, description="Instead of the operator's defaults.")


class External(ManifestModel):
    """A server that the user brings."""

    model_config = rules((f"!self.endpoint.matches('{LOGIN}')", NO_LOGIN))

    endpoint: Address
    tls: bool = Field(False, description="Encrypt the connection; the Secret's ca.crt is trusted when it has one.")
    secret_ref: SecretRef | None = None


class ExternalArms(ManifestModel):
    """Redis servers that the user brings, one for each arm: an arm needs all of a server's memory for itself."""

    model_config = rules((f"self.endpoints.all(arm, !self.endpoints[arm].matches('{LOGIN}'))", NO_LOGIN))

    endpoints: dict[str, Address] = Field(min_length=1, max_length=16, description="HOST:PORT of each arm, by the arm's name.")
    tls: bool = Field(False, description="Encrypt the connection; the Secret's ca.crt is trusted when it has one.")
    secret_ref: SecretRef | None = None


class _Part(ManifestModel, Generic[Brought]):
    model_config = rules(("!(has(self.embedded) && has(self.external))", ONE))

    embedded: Embedded | None = None
    external: Brought | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.embedded is not None and self.external is not None:
            raise ValueError(ONE)
        return self


class RedisPart(_Part[ExternalArms]):
    """One Redis for each arm; embedded unless external."""


class KafkaPart(_Part[External]):
    """The broker; embedded unless external, whose endpoint is `HOST:PORT`, or several with commas between."""

    topic_prefix: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        max_length=100,
        description="Goes before each topic name on a shared broker; Kubernetes takes NAMESPACE.NAME. for an external broker.",
    )


class MongodbPart(_Part[External]):
    """Catalogue server, `mongodb://…/DATABASE`; the manifest's own file is used without it."""


class MilvusPart(_Part[External]):
    """Vector server, an url; there are no semantic neighbours without it."""


class OllamaPart(_Part[External]):
    """Model server, an url; embedded where the planner's backend needs one and no endpoint is given."""


class DependenciesSpec(ManifestModel):
    """The servers of an experiment. Redis and Kafka are always needed, the others where they are named."""

    redis: RedisPart = RedisPart()
    kafka: KafkaPart = KafkaPart()
    mongodb: MongodbPart | None = None
    milvus: MilvusPart | None = None
    ollama: OllamaPart | None = None

    @property
    def kafka_server(self) -> External | None:
        """The user's broker, if any."""
        return self.kafka.external

    @property
    def mongodb_server(self) -> External | None:
        """The user's catalogue server, if any."""
        return self.mongodb.external if self.mongodb else None

    @property
    def milvus_server(self) -> External | None:
        """The user's vector server, if any."""
        return self.milvus.external if self.milvus else None

    @property
    def ollama_server(self) -> External | None:
        """The user's model server, if any."""
        return self.ollama.external if self.ollama else None
