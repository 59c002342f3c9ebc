"""The operator's objects: settings, rights, CRD, replicas."""

import tomllib
from itertools import chain

import pytest
import yaml
from helm import CHART, ROOT

from aura_operator.cluster.kinds import OPTIONAL, OWNED
from aura_operator.settings import Images, OperatorSettings, load_settings


def only(objects, kind, name=None):
    found = [item for item in objects if item["kind"] == kind and name in {None, item["metadata"]["name"]}]
    assert len(found) == 1, (kind, name, len(found))
    return found[0]


def operator_pod(objects):
    return only(objects, "Deployment")["spec"]["template"]["spec"]


def settings(objects, tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text(only(objects, "ConfigMap", "aura-settings")["data"]["settings.yaml"], encoding="utf-8")
    return load_settings(file)


def test_settings_are_the_operators_own_defaults(render, tmp_path):
    assert settings(render(), tmp_path) == OperatorSettings()


def test_settings_are_passed_on(render, tmp_path):
    given = settings(
        render(
            {
                "imageRegistry": "registry.example.com",
                "imagePullPolicy": "Always",
                "imagePullSecrets": ["pull"],
                "settings": {
                    "storageClassName": "fast",
                    "statusSeconds": 0.5,
                    "resources": {"redis": {"limits": {"memory": "4Gi"}}},
                },
            }
        ),
        tmp_path,
    )
    assert given.images.redis == f"registry.example.com/{Images().redis}"
    assert (given.image_pull_policy, given.image_pull_secrets) == ("Always", ("pull",))
    assert (given.storage_class_name, given.status_seconds) == ("fast", 0.5)
    assert given.resources.redis.limits == {"memory": "4Gi"}


def test_change_of_settings_starts_the_operator_again(render):
    def checksum(values):
        return only(render(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]

    assert checksum({}) == checksum({"operator": {"replicas": 2}})
    assert checksum({}) != checksum({"settings": {"workers": 9}})


def test_version_is_the_projects():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    images = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["images"]
    assert chart["version"] == chart["appVersion"] == project["version"]
    for name in ("operator", "replayer", "planner", "executor"):
        assert images[name] == f"aura/{name}:{project['version']}"


def test_crd_is_the_file_and_is_kept(render):
    text = (CHART / "files/auraexperiments.aura.dev.yaml").read_text(encoding="utf-8")
    assert text == (ROOT / "crds/auraexperiments.aura.dev.yaml").read_text(encoding="utf-8"), "the CRD changed: run make crds"
    file = yaml.safe_load(text)
    crd = only(render(), "CustomResourceDefinition")
    assert crd["spec"] == file["spec"]
    assert crd["metadata"]["name"] == "auraexperiments.aura.dev"
    assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_crd_can_go_or_stay_away(render):
    assert "annotations" not in only(render({"crds": {"keep": False}}), "CustomResourceDefinition")["metadata"]
    assert not [item for item in render({"crds": {"install": False}}) if item["kind"] == "CustomResourceDefinition"]


def test_one_replica_is_alone(render):
    objects = render()
    assert only(objects, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert operator_pod(objects)["containers"][0]["args"] == ["--settings=/etc/aura/settings.yaml", "--listen=0.0.0.0:8080"]
    assert not {"PodDisruptionBudget", "ClusterKopfPeering"} & {item["kind"] for item in objects}


def test_two_replicas_know_of_each_other(render):
    objects = render({"operator": {"replicas": 2}})
    assert only(objects, "ClusterKopfPeering")["metadata"]["name"] == "aura"
    assert "--peering=aura" in operator_pod(objects)["containers"][0]["args"]
    assert only(objects, "Deployment")["spec"]["strategy"] == {"type": "RollingUpdate"}
    assert only(objects, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    rules = only(objects, "ClusterRole")["rules"]
    peering = [rule for rule in rules if rule["apiGroups"] == ["kopf.dev"]]
    assert peering == [
        {"apiGroups": ["kopf.dev"], "resources": ["clusterkopfpeerings"], "verbs": ["get", "list", "watch", "patch"]}
    ]


def test_peering_kinds_are_brought_along(render):
    kinds = {
        item["spec"]["names"]["kind"] for item in yaml.safe_load_all((CHART / "crds/peering.yaml").read_text(encoding="utf-8"))
    }
    assert kinds == {"ClusterKopfPeering", "KopfPeering"}


def test_namespaced_operator_has_no_right_elsewhere(render):
    objects = render({"scope": "namespaced", "watchNamespaces": ["a", "b"], "operator": {"replicas": 2}})
    assert not [item for item in objects if item["kind"].startswith("Cluster")]
    for kind in ("Role", "RoleBinding", "KopfPeering"):
        assert [item["metadata"]["namespace"] for item in objects if item["kind"] == kind] == ["a", "b"]
    subjects = [item["subjects"] for item in objects if item["kind"] == "RoleBinding"]
    assert subjects[0] == [{"kind": "ServiceAccount", "name": "aura-operator", "namespace": "aura-system"}]
    assert operator_pod(objects)["containers"][0]["args"][2:] == ["--namespace=a", "--namespace=b", "--peering=aura"]


@pytest.mark.parametrize("kind", [*OWNED, *chain.from_iterable(OPTIONAL.values())], ids=lambda kind: kind.name)
def test_operator_may_make_what_experiments_own(render, kind):
    plural = f"{kind.name.removesuffix('y')}ies" if kind.name.endswith("y") else f"{kind.name}s"
    rules = only(render(), "ClusterRole")["rules"]
    verbs = [rule["verbs"] for rule in rules if kind.group in rule["apiGroups"] and plural.lower() in rule["resources"]]
    assert verbs == [["get", "list", "watch", "create", "update", "patch", "delete"]]


def test_namespaced_without_names_means_its_own(render):
    assert "--namespace=aura-system" in operator_pod(render({"scope": "namespaced"}))["containers"][0]["args"]


def test_service_monitor_only_where_it_is_served(render):
    assert not [item for item in render() if item["kind"] == "ServiceMonitor"]
    served = ("monitoring.coreos.com/v1",)
    labels = only(render({"metrics": {"serviceMonitor": {"labels": {"release": "prometheus"}}}}, apis=served), "ServiceMonitor")
    assert labels["metadata"]["labels"]["release"] == "prometheus"
    off = render({"metrics": {"serviceMonitor": {"enabled": False}}}, apis=served)
    assert not [item for item in off if item["kind"] == "ServiceMonitor"]


def test_spread_is_over_the_operators_own_pods(render):
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    found = operator_pod(render({"operator": {"topologySpreadConstraints": [spread]}}))["topologySpreadConstraints"]
    selector = {"app.kubernetes.io/name": "aura", "app.kubernetes.io/instance": "aura", "app.kubernetes.io/component": "operator"}
    assert found == [{**spread, "labelSelector": {"matchLabels": selector}}]


@pytest.mark.parametrize(("release", "name"), [("aura", "aura"), ("my-aura", "my-aura"), ("lab", "lab-aura")])
def test_name_comes_from_the_release(render, release, name):
    assert only(render(release=release), "Deployment")["metadata"]["name"] == f"{name}-operator"
