"""Neighbours in Milvus Lite, with the packaged encoder and with the catalogue's own vectors."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from aura_contract.dependencies import External
from aura_contract.workload import CatalogColumns, CatalogSpec, SourceSpec
from aura_data.neighbours import MilvusNeighbours, NoNeighbours, TextEncoder, build_neighbours
from aura_data.tables import DataError

GOODS = {
    "m1": ("Whole milk 1 l", "Dairy"),
    "m2": ("Skimmed milk 1 l", "Dairy"),
    "c'\"]1": ("Milk chocolate bar", "Sweets"),
    "s1": ("Steel screws 4x40", "Hardware"),
    "s2": ("Brass screws 3x20", "Hardware"),
}


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    yield
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("milvus_lite")]
    assert names == []


def catalog(
    tmp_path: Path, rows: list[dict[str, object]], name: str = "items.jsonl", columns: dict[str, str | None] | None = None
) -> CatalogSpec:
    (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    roles = {"brand": None, **(columns or {})}
    return CatalogSpec(source=SourceSpec(path=name), columns=CatalogColumns.model_validate(roles))


def goods(tmp_path: Path) -> CatalogSpec:
    rows: list[dict[str, object]] = [{"item": i, "title": t, "category": c} for i, (t, c) in GOODS.items()]
    return catalog(tmp_path, [*rows, {"item": "empty", "title": None, "category": None}])


def test_encoder() -> None:
    handlers = logging.getLogger().handlers[:]
    encoder = TextEncoder()
    assert logging.getLogger().handlers == handlers, "the package's logging set-up is undone"
    vectors = encoder.encode(["whole milk", "", "skimmed milk", "steel screws", "whole milk"])
    assert vectors.shape == (5, 128)
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1, 1, 1], atol=1e-5)
    assert (vectors[0] == vectors[4]).all()
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[3]
    assert encoder.encode([]).shape == (0, 128)


def test_texts_find_their_like(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "neighbours"
    seen: list[int] = []
    assert build_neighbours(goods(tmp_path), folder, tmp_path, seen.append) == 5
    assert seen == [5]
    found = MilvusNeighbours(folder)
    try:
        answer = found.similar(["m1", "s1", "nope", "empty", "c'\"]1"], 2)
        assert answer["m1"][0] == "m2"
        assert answer["s1"][0] == "s2"
        assert set(answer) == {"m1", "s1", "c'\"]1"}
        assert found.similar(["m1"], 1) == {"m1": ["m2"]}
        assert [len(found.similar(["m1"], k).get("m1", [])) for k in (0, 2, 20)] == [0, 2, 4]
        again = MilvusNeighbours(folder)
        again.close()
        assert found.similar(["m2"], 1) == {"m2": ["m1"]}, "the server stays until its last connection closes"
    finally:
        found.close()
        found.close()


def test_building_again(tmp_path: Path) -> None:
    folder = tmp_path / "n.db"
    vectors: list[dict[str, object]] = [
        {"item": "a", "v": [1, 0]},
        {"item": "b", "v": [0.9, 0.1]},
        {"item": "c", "v": [0, 1]},
        {"item": "zero", "v": [0, 0]},
    ]
    own: dict[str, str | None] = {"title": None, "category": None, "embedding": "v"}
    first = catalog(tmp_path, vectors, columns=own)
    assert build_neighbours(first, folder, tmp_path) == 3
    seen: list[int] = []
    assert build_neighbours(first, folder, tmp_path, seen.append) == 3
    assert seen == [], "the same catalogue is not stored twice"
    assert build_neighbours(goods(tmp_path), folder, tmp_path, seen.append) == 5
    assert seen == [5]
    found = MilvusNeighbours(folder)
    assert found.similar(["a", "m1"], 1) == {"m1": ["m2"]}, "the new catalogue replaces the old one"
    found.close()
    assert NoNeighbours().similar(["a"], 3) == {}


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        MilvusNeighbours(tmp_path / "none")
    assert str(caught.value) == f"Milvus Lite in {tmp_path}/none.db: holds no neighbours; build them with aura load"
    own: dict[str, str | None] = {"title": None, "category": None, "embedding": "v"}
    uneven = catalog(tmp_path, [{"item": "a", "v": [1, 2]}, {"item": "b", "v": [1]}], "uneven.jsonl", own)
    with pytest.raises(DataError) as caught:
        build_neighbours(uneven, tmp_path / "n", tmp_path)
    assert str(caught.value) == "catalogue: the embedding of item b has 1 numbers where others have 2; correct it"
    empty = catalog(tmp_path, [{"item": "a", "title": None, "category": None}], "empty.jsonl")
    with pytest.raises(DataError, match="no item of the catalogue has an embedding, title, category or brand to compare"):
        build_neighbours(empty, tmp_path / "n", tmp_path)
    with pytest.raises(DataError, match="may hold letters, digits and underscores only; rename it"):
        build_neighbours(empty, tmp_path / "n", tmp_path, collection="a-b")
    with pytest.raises(DataError) as caught:
        MilvusNeighbours(External(endpoint="http://user:secret@127.0.0.1:9"))
    assert str(caught.value) == "Milvus at http://127.0.0.1:9: does not answer; check the address or start the server"


def test_a_folder_in_use(tmp_path: Path) -> None:
    build_neighbours(goods(tmp_path), tmp_path / "n", tmp_path)
    found = MilvusNeighbours(tmp_path / "n")
    script = f"from aura_data.neighbours import *; MilvusNeighbours({str(tmp_path / 'n')!r})"
    try:
        other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    finally:
        found.close()
    sentence = "cannot be opened; another process may be using it, or the folder may not be written"
    assert other.stderr.splitlines()[-1].endswith(f"Milvus Lite in {tmp_path}/n.db: {sentence}")
