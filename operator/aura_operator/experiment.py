"""An `AuraExperiment` as the API server holds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from aura_contract.experiment import ExperimentSpec
from aura_contract.status import ExperimentStatus

__all__ = ["Experiment", "UnreadableError"]

Model = TypeVar("Model", bound=BaseModel)


class UnreadableError(ValueError):
    """A resource of another version of the definition than this operator reads."""


@dataclass(frozen=True)
class Experiment:
    """One resource; `status` is empty before the first look."""

    name: str
    namespace: str
    uid: str
    generation: int
    created: datetime
    deleting: bool
    finalizers: tuple[str, ...]
    spec: ExperimentSpec
    status: ExperimentStatus

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Experiment":
        """From the resource's body; raises UnreadableError with one sentence."""
        metadata = body["metadata"]
        spec = _read(ExperimentSpec, "spec", dict(body["spec"]))
        status = _read(ExperimentStatus, "status", _known(dict(body.get("status") or {})))
        return cls(
            name=metadata["name"],
            namespace=metadata["namespace"],
            uid=metadata["uid"],
            generation=metadata.get("generation", 0),
            created=datetime.fromisoformat(metadata["creationTimestamp"]),
            deleting=bool(metadata.get("deletionTimestamp")),
            finalizers=tuple(metadata.get("finalizers") or ()),
            spec=spec,
            status=status,
        )


def _read(model: type[Model], part: str, value: dict[str, Any]) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in (part, *first["loc"]))
        raise UnreadableError(f"{where}: {first['msg']}; correct it and apply it again") from error


def _known(status: dict[str, Any]) -> dict[str, Any]:
    """What this version's status has: an earlier or later operator may have written more."""
    names = {str(field.alias) for field in ExperimentStatus.model_fields.values()}
    return {key: value for key, value in status.items() if key in names}
