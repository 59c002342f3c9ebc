"""The finalizer of experiments with placements: nothing of them is deleted before what they have elsewhere is."""

from aura_operator.cluster.client import EXPERIMENTS, ApiError, Cluster
from aura_operator.experiment import Experiment
from aura_operator.naming import PLACEMENTS_FINALIZER

__all__ = ["held", "hold", "release"]

CONFLICT, ATTEMPTS = 409, 5


def held(experiment: Experiment) -> bool:
    """Whether the resource was seen with it."""
    return PLACEMENTS_FINALIZER in experiment.finalizers


def hold(cluster: Cluster, experiment: Experiment) -> None:
    """Add it; raises ApiError."""
    _write(cluster, experiment, present=True)


def release(cluster: Cluster, experiment: Experiment) -> None:
    """Take it away, if the resource is still there; raises ApiError."""
    _write(cluster, experiment, present=False)


def _write(cluster: Cluster, experiment: Experiment, *, present: bool) -> None:
    """Others write the list as well, and only the whole of it can be merged: so only as it was read, or again."""
    for attempt in range(ATTEMPTS):
        found = cluster.read(EXPERIMENTS, experiment.namespace, experiment.name)
        if found is None or found["metadata"]["uid"] != experiment.uid:
            return
        metadata = found["metadata"]
        listed = metadata.get("finalizers") or []
        if (PLACEMENTS_FINALIZER in listed) == present:
            return
        wanted = [*listed, PLACEMENTS_FINALIZER] if present else [one for one in listed if one != PLACEMENTS_FINALIZER]
        change = {"metadata": {"finalizers": wanted, "resourceVersion": metadata["resourceVersion"]}}
        try:
            cluster.merge(EXPERIMENTS, experiment.namespace, experiment.name, change)
            return
        except ApiError as error:
            if error.gone:
                return
            if error.status != CONFLICT or attempt == ATTEMPTS - 1:
                raise
