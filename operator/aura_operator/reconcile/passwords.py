"""Which passwords an experiment's own servers have: those of its Secret, and new ones for what it lacks."""

from collections.abc import Mapping

from aura_contract.credentials import variable
from aura_operator.blueprint import Manifest
from aura_operator.builders import secrets
from aura_operator.builders.endpoints import KAFKA, MILVUS, REPLAYER
from aura_operator.builders.milvus import ROOT_PASSWORD
from aura_operator.cluster.children import ChildKey

__all__ = ["completed", "in_use"]


def completed(secret: Manifest | None, before: Mapping[str, str]) -> dict[str, str]:
    """The passwords of the Secret; for what it lacks those of before, since running servers still have them; else new ones."""
    return {**secrets.generate(), **before, **secrets.read(secret)}


def in_use(passwords: Mapping[str, str], name: str, observed: Mapping[ChildKey, Manifest], *, started: bool) -> dict[str, str]:
    """Without those of the experiment `name` that servers made by an earlier operator cannot be given any more.

    The Job of a replay that has started is never replaced, so that its Kafka stays open where it knows no password;
    and Milvus takes its password when it first starts, and never again.
    """
    replayer, milvus = observed.get(("Job", f"{name}-{REPLAYER}")), observed.get(("StatefulSet", f"{name}-{MILVUS}"))
    without = set()
    if started and replayer is not None and variable("KAFKA", "password") not in _variables(replayer):
        without.add(KAFKA)
    if milvus is not None and ROOT_PASSWORD not in _variables(milvus):
        without.add(MILVUS)
    return {part: password for part, password in passwords.items() if part not in without}


def _variables(item: Manifest) -> set[str]:
    """Names of a workload's environment variables."""
    return {one["name"] for part in item["spec"]["template"]["spec"]["containers"] for one in part.get("env") or []}
