"""The contract against its schemas, its documentation, and manifests that are wrong."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from aura_contract.context import Candidates
from aura_contract.experiment import AuraExperiment
from aura_contract.manifest import ManifestError, load_manifest, parse_manifest
from aura_contract.payload import Item, key_of, payload_of, plain_payload
from aura_contract.quantities import parse_bytes, parse_share
from aura_contract.schemas import schema_texts

ROOT = Path(__file__).parents[3]
GOOD = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {name: t}
spec:
  workload: {source: {path: log.csv}}
  cache: {capacity: 5%}
"""


def test_schemas_are_those_of_the_models() -> None:
    folder = Path(__file__).parents[1] / "schemas"
    assert {path.name: path.read_text() for path in folder.iterdir()} == schema_texts(), "run `make schemas`"


def fields(model: type[BaseModel]) -> set[str]:
    found = set()
    for field in model.model_fields.values():
        found.add(str(field.alias))
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= fields(part)
    return found


def test_every_field_of_the_manifest_is_documented() -> None:
    text = (ROOT / "docs" / "manifest.md").read_text()
    assert {name for name in fields(AuraExperiment) if name not in text} == set()


def test_defaults() -> None:
    spec = parse_manifest(GOOD).spec
    assert spec.arms == ("baseline", "aura")
    assert spec.workload.clock.events_per_second == 1000
    assert (spec.executor.max_evict, spec.executor.ttl_min, spec.executor.ttl_max) == (20, 60, 3600)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("capacity: 5%", "capacity: 5"), "m: spec.cache.capacity: '5' is not a share; write it like 5%, above 0% and at most 100% (got 5)"),
        (("capacity: 5%", "memory: 8Mb"), "m: spec.cache.memory: '8Mb' is not an amount of memory; write it like 8Mi, 500k or 1048576 (got '8Mb')"),
        (("capacity: 5%", "memory: 1Ki"), "m: spec.cache.memory: 1Ki is too small; an arm needs at least 64Ki (got '1Ki')"),
        (("capacity: 5%", "memory: 8Mi, capacity: 5%"), "m: spec.cache: give exactly one of memory (such as 8Mi) or capacity (such as 5%)"),
        (("path: log.csv", ""), "m: spec.workload.source: give exactly one of path, url or dataset"),
        (("name: t", "name: T!"), "m: metadata.name: string should match pattern '^[a-z]([-a-z0-9]{0,37}[a-z0-9])?$' (got 'T!')"),
        (("cache:", "cash: {}\n  cache:"), "m: spec.cash: is not a field of AuraExperiment; check its spelling"),
        (("kind: AuraExperiment", ""), "m: kind: is required"),
        (
            ("cache:", "planner: {backend: gpt}\n  cache:"),
            "m: spec.planner.backend: input should be 'auto', 'ollama', 'openai', 'heuristic', 'bandit', 'ml', 'random', 'adversarial', 'noop' or 'recorded' (got 'gpt')",
        ),
        (
            ("cache:", "planner: {latency: x}\n  cache:"),
            "m: spec.planner.latency: latency is charged, free, or a multiple of what a plan took, such as x10 (got 'x')",
        ),
        (("cache:", "planner: {backend: recorded}\n  cache:"), "m: spec.planner: backend recorded needs recording: the plans.jsonl of an earlier run"),
        (("cache:", "planner: {backend: ml}\n  cache:"), "m: spec.planner: backend ml needs modelFile: what `aura train` has written"),
        (("cache:", "controls: [ml]\n  cache:"), "m: spec: control ml needs planner.modelFile: what `aura train` has written"),
        (("cache:", "controls: [openai]\n  cache:"), "m: spec: control openai needs planner.endpoint and planner.model"),
        (("cache:", "controls: [recorded]\n  cache:"), "m: spec: control recorded needs planner.recording: the plans.jsonl of an earlier run"),
        (("cache:", "controls: [noop, noop]\n  cache:"), "m: spec.controls: names a planner twice; each control is one further arm"),
        (("cache:", "executor: {ttlMin: 9, ttlMax: 3}\n  cache:"), "m: spec.executor: ttlMin must not be above ttlMax"),
    ],
)  # fmt: skip
def test_wrong_manifest_is_one_sentence(change: tuple[str, str], message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(GOOD.replace(*change), "m")
    assert str(caught.value) == message


def test_text_that_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"^m: is not valid YAML at line 2, column 2: "):
        parse_manifest("a: [\nb", "m")
    with pytest.raises(ManifestError, match=r"^m: holds no AuraExperiment; start from examples/quickstart.yaml$"):
        parse_manifest("- 1", "m")
    with pytest.raises(ManifestError, match=r"absent.yaml: cannot be read: No such file or directory$"):
        load_manifest(tmp_path / "absent.yaml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestError, match=r"binary: cannot be read: it is not UTF-8 text$"):
        load_manifest(tmp_path / "binary")


def test_candidates_are_even_columns() -> None:
    names = ("item", "title", "category"), ("count", "trend", "frequency", "last_seen", "intent")
    columns = {**{name: ["a", "b"] for name in names[0]}, **{name: [1, 2] for name in names[1]}}
    rows = Candidates.model_validate({**columns, "neighbours": {"1": ["c"]}}).rows
    assert [(row.id, row.item, row.count, row.neighbours) for row in rows] == [(0, "a", 1, ()), (1, "b", 2, ("c",))]
    with pytest.raises(ValidationError, match="columns of different lengths"):
        Candidates.model_validate({**columns, "trend": [1]})


def test_quantities() -> None:
    assert [parse_bytes(text) for text in ("8Mi", "500k", "1.5Ki", "7")] == [8388608, 500000, 1536, 7]
    assert parse_share("2.5%") == 0.025


@pytest.mark.parametrize(
    ("item", "key"), [("42", "item:42"), ("a b", "item:a%20b"), ("x%\n", "item:x%25%0A"), ("ünï", "item:ünï")]
)
def test_keys_hold_no_spaces_or_controls(item: str, key: str) -> None:
    assert key_of(item) == key


def test_payload_is_the_catalogues() -> None:
    assert payload_of(Item(item="1", title="Tea", price=2.5)) == '{"item":"1","title":"Tea","category":"","brand":"","price":2.5}'
    assert len(payload_of(Item(item="1", title="é" * 70_000)).encode()) <= 65_000
    assert plain_payload("42", 6) == "42...."
