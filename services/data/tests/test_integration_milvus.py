"""Neighbours in a Milvus server."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from testcontainers.core.container import DockerContainer

from aura_contract.dependencies import External
from aura_contract.workload import CatalogColumns, CatalogSpec, SourceSpec
from aura_data.neighbours import MilvusNeighbours, build_neighbours
from aura_data.tables import DataError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def milvus() -> Iterator[External]:
    container = DockerContainer("milvusdb/milvus:v2.6.0").with_command("milvus run standalone")
    for name, value in {"ETCD_USE_EMBED": "true", "COMMON_STORAGETYPE": "local", "DEPLOY_MODE": "STANDALONE"}.items():
        container = container.with_env(name, value)
    with container.with_exposed_ports(19530) as running:
        address = f"{running.get_container_host_ip()}:{running.get_exposed_port(19530)}"
        endpoint = External(endpoint=f"http://{address}")
        deadline = time.monotonic() + 180
        while not _answers(endpoint):
            assert time.monotonic() < deadline, "Milvus does not start"
            time.sleep(0.5)
        yield endpoint


def _answers(endpoint: External) -> bool:
    try:
        MilvusNeighbours(endpoint)
    except DataError as error:
        return "holds no neighbours" in str(error)
    return True


def catalog(tmp_path: Path, rows: list[dict[str, object]]) -> CatalogSpec:
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return CatalogSpec(source=SourceSpec(path="items.jsonl"), columns=CatalogColumns(category=None, brand=None))


def test_build_search_and_replace(milvus: External, tmp_path: Path) -> None:
    first = catalog(tmp_path, [{"item": "m1", "title": "whole milk"}, {"item": "'m2\"", "title": "skimmed milk"}])
    assert build_neighbours(first, milvus, tmp_path) == 2
    seen: list[int] = []
    assert build_neighbours(first, milvus, tmp_path, seen.append) == 2
    assert seen == []
    found = MilvusNeighbours(milvus)
    assert found.similar(["m1", "'m2\"", "nope"], 3) == {"m1": ["'m2\""], "'m2\"": ["m1"]}
    found.close()
    second = catalog(tmp_path, [{"item": str(i), "title": f"screw {i} x {i + 1}"} for i in range(3000)])
    assert build_neighbours(second, milvus, tmp_path, seen.append) == 3000
    assert seen == [3000]
    found = MilvusNeighbours(milvus)
    answer = found.similar(["7", "m1"], 5)
    assert len(answer["7"]) == 5
    assert "7" not in answer["7"]
    assert "m1" not in answer
    found.close()


def test_collections_stand_beside_each_other(milvus: External, tmp_path: Path) -> None:
    spec = catalog(tmp_path, [{"item": "a", "title": "tea"}, {"item": "b", "title": "green tea"}])
    assert build_neighbours(spec, milvus, tmp_path, collection="other") == 2
    found = MilvusNeighbours(milvus, "other")
    assert found.similar(["a"], 1) == {"a": ["b"]}
    found.close()
