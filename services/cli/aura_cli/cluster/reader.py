"""The pod that reads the results of an experiment whose replayer is gone."""

from typing import Any

from aura_cli.errors import AuraError
from aura_contract.experiment import API_VERSION, KIND
from aura_operator.experiment import Experiment
from aura_operator.naming import COMPONENT, EXPERIMENT

__all__ = ["CONTAINER", "FOLDER", "LIFETIME", "PYTHON", "reader_pod"]

Manifest = dict[str, Any]

CONTAINER = "reader"
FOLDER = "/results"
LIFETIME = 600
"""Seconds after which the pod ends by itself, whatever became of the command that made it."""

PYTHON = ("python", "-I", "-S", "-c")
"""How a script is run in the replayer's image, which has no other program, and no shell."""

RESOURCES = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
KEPT = ("imagePullSecrets", "nodeSelector", "priorityClassName", "securityContext", "serviceAccountName", "tolerations")
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
}


def reader_pod(template: Manifest, experiment: Experiment, name: str) -> Manifest:
    """A pod that does nothing, with the results mounted read-only, from the template of the replayer's Job.

    It has the replayer's image, user and place, no access to the API server, and goes with the experiment.
    """
    replayer = template["spec"]["containers"][0]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {EXPERIMENT: experiment.name, COMPONENT: CONTAINER},
            "ownerReferences": [
                {"apiVersion": API_VERSION, "kind": KIND, "name": experiment.name, "uid": experiment.uid},
            ],
        },
        "spec": {
            **{field: template["spec"][field] for field in KEPT if field in template["spec"]},
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": LIFETIME,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": CONTAINER,
                    "image": replayer["image"],
                    "imagePullPolicy": replayer.get("imagePullPolicy", "IfNotPresent"),
                    "command": [*PYTHON, f"import time; time.sleep({LIFETIME})"],
                    "securityContext": RESTRICTED,
                    "resources": RESOURCES,
                    "volumeMounts": [{"name": "results", "mountPath": FOLDER, "readOnly": True}],
                }
            ],
            "volumes": [{"name": "results", "persistentVolumeClaim": {"claimName": _claim(template), "readOnly": True}}],
        },
    }


def _claim(template: Manifest) -> str:
    mounts = {mount["mountPath"]: mount["name"] for mount in template["spec"]["containers"][0].get("volumeMounts", [])}
    for volume in template["spec"].get("volumes", []):
        if volume["name"] == mounts.get(FOLDER) and "persistentVolumeClaim" in volume:
            return str(volume["persistentVolumeClaim"]["claimName"])
    raise AuraError(f"the replayer's Job has no volume at {FOLDER}; is it of another version than this command?")
