"""Servers that experiments share."""

import shutil

import pytest
import yaml
from helm import CHART


def shared(render, part, **values):
    objects = render({"shared": {part: {"enabled": True, **values}}})
    return {item["kind"]: item for item in objects if item["metadata"]["name"] == f"aura-{part}"}


@pytest.mark.parametrize(("part", "port"), [("kafka", 9092), ("mongodb", 27017), ("milvus", 19530), ("ollama", 11434)])
def test_part_is_one_server_with_a_volume(render, part, port):
    objects = shared(render, part, storage="3Gi")
    assert [found["port"] for found in objects["Service"]["spec"]["ports"]] == [port]
    claim = objects["StatefulSet"]["spec"]["volumeClaimTemplates"][0]["spec"]
    assert claim["resources"]["requests"]["storage"] == "3Gi"
    assert len(objects["NetworkPolicy"]["spec"]["ingress"]) == 1


def test_kafka_is_reached_by_its_services_name(render):
    pod = shared(render, "kafka")["StatefulSet"]["spec"]["template"]["spec"]
    variables = {item["name"]: item["value"] for item in pod["containers"][0]["env"]}
    assert variables["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://aura-kafka.aura-system.svc:9092"
    # Else the Service's own variables, such as KAFKA_PORT, become settings.
    assert pod["enableServiceLinks"] is False


def test_mongodb_has_a_password(render):
    objects = shared(render, "mongodb")
    assert objects["Secret"]["data"].keys() == {"username", "password"}
    assert objects["Secret"]["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_mongodb_takes_a_secret_that_is_there(render):
    objects = shared(render, "mongodb", existingSecret="catalogue")
    assert "Secret" not in objects
    volumes = objects["StatefulSet"]["spec"]["template"]["spec"]["volumes"]
    assert [volume["secret"]["secretName"] for volume in volumes if "secret" in volume] == ["catalogue"]


def test_ollama_pulls_models_before_it_serves(render):
    pod = shared(render, "ollama", models=["qwen2.5:0.5b"])["StatefulSet"]["spec"]["template"]["spec"]
    assert pod["initContainers"][0]["args"][1:] == ["models", "qwen2.5:0.5b"]
    assert {"name": "OLLAMA_MODELS", "value": "/models"} in pod["containers"][0]["env"]


def test_ollama_without_models_serves_those_of_its_image(render):
    objects = shared(render, "ollama", models=[])
    assert "volumeClaimTemplates" not in objects["StatefulSet"]["spec"]
    pod = objects["StatefulSet"]["spec"]["template"]["spec"]
    assert "initContainers" not in pod
    assert "OLLAMA_MODELS" not in {item["name"] for item in pod["containers"][0]["env"]}


@pytest.fixture
def notes(render, tmp_path):
    """Renders NOTES.txt, which `helm template` leaves out, as part of a ConfigMap."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    text = (chart / "templates/NOTES.txt").read_text(encoding="utf-8")
    (chart / "templates/notes.yaml").write_text(
        '{{ define "notes" }}' + text + "{{ end }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\n"
        'data:\n  text: |\n    {{- include "notes" . | nindent 4 }}\n',
        encoding="utf-8",
    )

    def run(values):
        found = [item for item in render(values, chart=chart) if item["metadata"]["name"] == "notes"]
        return found[0]["data"]["text"]

    return run


def test_notes_tell_the_next_command(notes):
    text = notes({})
    assert "runs experiments in every namespace." in text
    assert "  kubectl apply -f examples/quickstart.yaml\n  kubectl get ax -w\n" in text
    assert "share" not in text


def test_notes_name_the_namespaces(notes):
    text = notes({"scope": "namespaced", "watchNamespaces": ["a", "b"]})
    assert "in the namespaces a, b." in text
    assert "  kubectl apply -n a -f examples/quickstart.yaml\n  kubectl get ax -n a -w\n" in text


def test_notes_print_what_manifests_take(notes):
    text = notes({"shared": {part: {"enabled": True} for part in ("kafka", "mongodb", "milvus", "ollama")}})
    lines = [line for line in text.splitlines() if "external" in line and line.startswith("  ")]
    parts = yaml.safe_load("\n".join(lines))
    assert parts == {
        "kafka": {"external": {"endpoint": "aura-kafka.aura-system.svc:9092"}},
        "mongodb": {
            "external": {"endpoint": "mongodb://aura-mongodb.aura-system.svc:27017/aura", "secretRef": {"name": "aura-mongodb"}}
        },
        "milvus": {"external": {"endpoint": "http://aura-milvus.aura-system.svc:19530"}},
        "ollama": {"external": {"endpoint": "http://aura-ollama.aura-system.svc:11434"}},
    }
