"""Names, labels and annotations of everything that the operator makes."""

__all__ = [
    "ANNOTATION_PREFIX",
    "COMPLETION_INDEX",
    "COMPONENT",
    "EXPERIMENT",
    "FIELD_MANAGER",
    "FINALIZER",
    "GROUP",
    "MANAGED_BY",
    "PLACEMENT",
    "PLACEMENTS_FINALIZER",
    "PLACEMENTS_MANAGER",
    "PLURAL",
    "RUN",
    "TEMPLATE_HASH",
    "VERSION",
    "labels",
    "run_id",
    "selector",
]

GROUP, VERSION, PLURAL = "aura.dev", "v1alpha1", "auraexperiments"
FIELD_MANAGER = "aura-operator"
FINALIZER = "aura.dev/operator"
ANNOTATION_PREFIX = "operator.aura.dev"

EXPERIMENT = "aura.dev/experiment"
COMPONENT = "app.kubernetes.io/component"
MANAGED_BY = "app.kubernetes.io/managed-by"
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation that Kubernetes gives the pods of a Job that numbers them."""
TEMPLATE_HASH = "aura.dev/template-hash"

PLACEMENT = "aura.dev/placement"
RUN = "aura.dev/run"
PLACEMENTS_FINALIZER = "aura.dev/placements"
PLACEMENTS_MANAGER = "aura-operator-placements"
"""Who manages objects in other clusters: not the name that the watches of an operator there look for."""


def run_id(experiment: str, uid: str) -> str:
    """Id of the run: the same for the whole life of the resource, so that every part can go on after a restart."""
    return f"{experiment}-{uid.replace('-', '')[:8]}"


def selector(experiment: str, component: str) -> dict[str, str]:
    """Labels that find the pods of one part of one experiment; they never change."""
    return {EXPERIMENT: experiment, COMPONENT: component}


def labels(experiment: str, component: str) -> dict[str, str]:
    """All labels of an object of one part of one experiment."""
    return {
        "app.kubernetes.io/name": "aura",
        "app.kubernetes.io/part-of": "aura",
        MANAGED_BY: FIELD_MANAGER,
        **selector(experiment, component),
    }
