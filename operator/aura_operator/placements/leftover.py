"""What an experiment leaves in a cluster that could not be reached, as an event of the experiment: a pure function."""

from datetime import datetime

from aura_contract.experiment import API_VERSION, KIND
from aura_contract.placements import Place
from aura_operator.blueprint import Manifest
from aura_operator.experiment import Experiment
from aura_operator.naming import FIELD_MANAGER, PLACEMENT, RUN, run_id
from aura_operator.status.derive import stamp

__all__ = ["LEFT", "leftover"]

LEFT = "LeftBehind"
MESSAGE = 1024
"""Longest message that the API server takes for an event."""


def leftover(experiment: Experiment, place: Place, server: str, tried: float, reason: str, now: datetime) -> Manifest:
    """What stays, where, why, and how it is removed by hand; `tried` in seconds. One event, however often it is told."""
    run = run_id(experiment.name, experiment.uid)
    command = (
        f"kubectl -n {place.namespace} delete deployments,secrets,configmaps,serviceaccounts "
        f"-l {RUN}={run},{PLACEMENT}={place.name}"
    )
    message = (
        f"placement {place.name}: planners, Secrets and ConfigMap stay in namespace {place.namespace} of the cluster at "
        f"{server}, which was tried for {tried:g} s ({reason}); remove them there: {command}"
    )
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{run}.{place.name}.left", "namespace": experiment.namespace},
        "type": "Warning",
        "reason": LEFT,
        "message": message[:MESSAGE],
        "source": {"component": FIELD_MANAGER},
        "firstTimestamp": stamp(now),
        "lastTimestamp": stamp(now),
        "count": 1,
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": experiment.name,
            "namespace": experiment.namespace,
            "uid": experiment.uid,
        },
    }
