"""The two model bases of the contract: manifests (camelCase, closed) and messages (snake_case, open)."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

__all__ = ["CONTRACT_VERSION", "ManifestModel", "MessageModel"]

CONTRACT_VERSION = 1
"""Version that every message carries; a reader accepts its own version and the one before."""


class ManifestModel(BaseModel):
    """Part of an `AuraExperiment`: camelCase on the wire, and an unknown field is an error."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, coerce_numbers_to_str=True
    )


class MessageModel(BaseModel):
    """A message between services: snake_case on the wire; unknown fields are ignored so that versions can mix."""

    model_config = ConfigDict(extra="ignore", frozen=True)
