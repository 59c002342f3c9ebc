"""Neighbours whose server takes questions and never answers, is not there yet, or was started again; and the time that costs."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.cutter import Cutter

from aura_contract.workload import CatalogColumns, CatalogSpec, SourceSpec
from aura_data.errors import ServerError
from aura_data.neighbours import MilvusNeighbours, build_neighbours

PATIENCE, SLACK = 0.5, 0.5


@pytest.fixture
def cutter() -> Iterator[Cutter]:
    cutter = Cutter()
    yield cutter
    cutter.close()


@pytest.fixture
def door(cutter: Cutter, milvus_lite: int, tmp_path: Path) -> int:
    """Of Milvus Lite's server, which holds neighbours of a, b and c."""
    (tmp_path / "items.csv").write_text("item,title\na,tea\nb,green tea\nc,black tea\n")
    spec = CatalogSpec(source=SourceSpec(path="items.csv"), columns=CatalogColumns(category=None, brand=None))
    build_neighbours(spec, f"127.0.0.1:{milvus_lite}", tmp_path)
    return cutter.forward(milvus_lite)


def until_it_answers(found: MilvusNeighbours, item: str) -> list[str]:
    deadline = time.monotonic() + 20
    while True:
        try:
            return found.similar([item], 1)[item]
        except ServerError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_a_server_that_never_answers_is_given_up(cutter: Cutter, door: int) -> None:
    found = MilvusNeighbours(f"127.0.0.1:{door}", patience=PATIENCE)
    assert found.similar(["a"], 1) == {"a": ["b"]}
    said: list[logging.LogRecord] = []
    listening = logging.Handler()
    listening.emit = said.append  # type: ignore[method-assign]
    logging.getLogger("pymilvus").addHandler(listening)
    cutter.stall(door)
    started = time.monotonic()
    with pytest.raises(ServerError, match="does not answer"):
        found.similar(["b"], 1)
    assert time.monotonic() - started < PATIENCE + SLACK
    cutter.mend(door)
    assert until_it_answers(found, "b") == ["a"]
    # The client's own pages of traceback say no more than the sentence.
    assert said == []
    found.close()


def test_a_server_that_was_started_again_is_asked_to_load_again(door: int) -> None:
    found = MilvusNeighbours(f"127.0.0.1:{door}", patience=5)
    assert found.similar(["a"], 1) == {"a": ["b"]}
    connection, collection = found._open(time.monotonic() + 5, probe=False)
    connection.client.release_collection(collection)
    assert until_it_answers(found, "b") == ["a"]
    found.close()


def test_a_server_that_is_not_there_yet(cutter: Cutter, door: int) -> None:
    cutter.cut(door)
    with pytest.raises(ServerError, match="does not answer"):
        MilvusNeighbours(f"127.0.0.1:{door}", patience=PATIENCE)
    found = MilvusNeighbours(f"127.0.0.1:{door}", patience=PATIENCE, missing_ok=True)
    with pytest.raises(ServerError, match="does not answer"):
        found.similar(["a"], 1)
    cutter.mend(door)
    assert until_it_answers(found, "a") == ["b"]
    found.close()
