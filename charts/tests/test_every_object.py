"""What holds for every object of every combination of values that matters."""

from typing import Any

import kube_schemas
import pod_security
import pytest

ALL_SHARED = {part: {"enabled": True} for part in ("kafka", "mongodb", "milvus", "ollama")}
SCHEDULING = {
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
}

COMBINATIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "two replicas": {"operator": {"replicas": 2}},
    "no replica": {"operator": {"replicas": 0}},
    "own namespace": {"scope": "namespaced"},
    "two namespaces, two replicas": {"scope": "namespaced", "watchNamespaces": ["a", "b"], "operator": {"replicas": 2}},
    "no CRD": {"crds": {"install": False}},
    "CRD goes with the release": {"crds": {"keep": False}},
    "no NetworkPolicy": {"networkPolicy": {"enabled": False}, "shared": ALL_SHARED},
    "NetworkPolicy with peers": {"networkPolicy": {"from": [{"namespaceSelector": {}}]}, "shared": ALL_SHARED},
    "a ServiceAccount that is there": {"serviceAccount": {"create": False, "name": "mine"}},
    "annotated ServiceAccount": {"serviceAccount": {"annotations": {"example.com/role": "aura"}}},
    "ids by the platform": {"podSecurity": {"runAsUser": None, "runAsGroup": None}},
    "mirror": {"imageRegistry": "registry.example.com/mirror/", "imagePullSecrets": ["pull"], "shared": ALL_SHARED},
    "names": {"nameOverride": "cache-lab", "fullnameOverride": "lab"},
    "scheduling": {
        "operator": {
            **SCHEDULING,
            "replicas": 2,
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
            ],
            "priorityClassName": "system-cluster-critical",
            "podLabels": {"team": "cache"},
            "podAnnotations": {"example.com/scrape": "true"},
        },
        "shared": {**ALL_SHARED, **SCHEDULING},
    },
    "shared": {"shared": ALL_SHARED},
    "shared, storage class": {"shared": ALL_SHARED, "settings": {"storageClassName": "fast"}},
    "image's own models": {"shared": {"ollama": {"enabled": True, "models": []}}},
    "Secret that is there": {"shared": {"mongodb": {"enabled": True, "existingSecret": "catalogue"}}},
}

CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "ClusterKopfPeering"}


@pytest.fixture(scope="module", params=[*COMBINATIONS, "monitoring", "long name"])
def objects(request, render):
    if request.param == "monitoring":
        return render({"metrics": {"serviceMonitor": {"labels": {"release": "prometheus"}}}}, apis=("monitoring.coreos.com/v1",))
    if request.param == "long name":
        return render({"shared": ALL_SHARED}, release="a-release-whose-name-is-as-long-as-helm-allows-it-xyz")
    return render(COMBINATIONS[request.param])


def test_object_is_well_formed(objects):
    assert [line for item in objects for line in kube_schemas.errors(item)] == []
    assert [line for item in objects for line in pod_security.violations(item)] == []
    names = [(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in objects]
    assert len(set(names)) == len(names)
    for kind, namespace, name in names:
        assert (namespace is None) == (kind in CLUSTER_WIDE), (kind, name)
        assert len(name) <= 63
    for item in objects:
        assert item["metadata"]["labels"]["app.kubernetes.io/part-of"] == "aura"


def test_rights_are_listed(objects):
    rules = [(item, rule) for item in objects if item["kind"] in {"Role", "ClusterRole"} for rule in item["rules"]]
    assert rules
    for _, rule in rules:
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"]


def test_containers_keep_house(objects):
    for item in objects:
        for spec in pod_security.pod_specs(item):
            for container in [*spec.get("initContainers", []), *spec["containers"]]:
                assert container["securityContext"]["readOnlyRootFilesystem"] is True
                assert container["resources"]["requests"].keys() == {"cpu", "memory"}
                assert "memory" in container["resources"]["limits"]
                _, _, tag = container["image"].rpartition(":")
                assert tag not in {"", "latest"}
            if item["kind"] != "Pod":
                assert all("readinessProbe" in container and "livenessProbe" in container for container in spec["containers"])


def test_selectors_find_their_pods(objects):
    workloads = [item for item in objects if item["kind"] in {"Deployment", "StatefulSet"}]
    pods = [item["spec"]["template"]["metadata"]["labels"] for item in workloads]
    kinds = {"Service": "selector", "Deployment": "selector", "StatefulSet": "selector", "PodDisruptionBudget": "selector"}
    selectors = [item["spec"][kinds[item["kind"]]] for item in objects if item["kind"] in kinds]
    selectors += [item["spec"]["podSelector"] for item in objects if item["kind"] == "NetworkPolicy"]
    for selector in selectors:
        wanted = selector.get("matchLabels", selector)
        assert sum(wanted.items() <= labels.items() for labels in pods) == 1
