"""The two model bases of the contract: manifests (camelCase, closed) and messages (snake_case, open)."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

__all__ = ["CONTRACT_VERSION", "RULES", "ManifestModel", "MessageModel", "rules"]

CONTRACT_VERSION = 1
"""Version that every message carries; a reader accepts its own version and the one before."""

RULES = "x-kubernetes-validations"


class ManifestModel(BaseModel):
    """Part of an `AuraExperiment`: camelCase on the wire, and an unknown field is an error."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, coerce_numbers_to_str=True
    )


class MessageModel(BaseModel):
    """A message between services: snake_case on the wire; unknown fields are ignored so that versions can mix."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def rules(*pairs: tuple[str, str]) -> ConfigDict:
    """Model settings that say in CEL what a validator says in Python: pairs of expression and message, for the API server."""
    return ConfigDict(json_schema_extra={RULES: [{"rule": rule, "message": message} for rule, message in pairs]})
