"""The chart's README and schema against its values."""

import json

import pytest
import yaml
from helm import CHART
from readme import with_table


def test_readme_is_current():
    readme, values = ((CHART / name).read_text(encoding="utf-8") for name in ("README.md", "values.yaml"))
    assert with_table(readme, values) == readme, "values.yaml changed: run make chart-docs"


def test_value_without_comment_is_found():
    with pytest.raises(ValueError, match=r"^a\.b has no comment in values\.yaml; write one above it$"):
        with_table("", "# Section.\na:\n  # One.\n  c: 1\n  b: 2\n")


def test_every_object_of_the_schema_is_strict_and_has_its_values():
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    def compare(schema, values, path):
        if "properties" not in schema:
            return
        assert schema["additionalProperties"] is False, path
        assert set(schema["properties"]) - {"global"} == set(values), path
        for name, value in values.items():
            compare(schema["properties"][name], value, f"{path}.{name}")

    compare(schema, values, "values")
