"""The catalogue in a real MongoDB."""

import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chaos.cutter import Cutter
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from testcontainers.core.container import DockerContainer

from aura_contract.dependencies import External
from aura_contract.payload import Item
from aura_contract.workload import CatalogColumns, CatalogSpec, SourceSpec
from aura_data.catalog import MongoCatalog, load_mongodb, open_catalog
from aura_data.tables import DataError, open_table

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def mongodb() -> Iterator[str]:
    with DockerContainer("mongo:8.0").with_exposed_ports(27017) as container:
        address = f"{container.get_container_host_ip()}:{container.get_exposed_port(27017)}"
        client: MongoClient[dict[str, object]] = MongoClient(f"mongodb://{address}", serverSelectionTimeoutMS=1000)
        deadline = time.monotonic() + 120
        while not _answers(client):
            assert time.monotonic() < deadline, "MongoDB does not start"
            time.sleep(0.5)
        client.close()
        yield address


def _answers(client: MongoClient[dict[str, object]]) -> bool:
    try:
        return bool(client.admin.command("ping"))
    except PyMongoError:
        return False


def small(tmp_path: Path, rows: str) -> CatalogSpec:
    (tmp_path / "items.csv").write_text("item,title,category,p\n" + rows)
    return CatalogSpec(source=SourceSpec(path="items.csv"), columns=CatalogColumns(brand=None, price="p"))


def test_load_and_look_up(mongodb: str, tmp_path: Path) -> None:
    endpoint = External(endpoint=f"mongodb://{mongodb}/small")
    with pytest.raises(DataError) as caught:
        open_catalog(None, endpoint, tmp_path)
    assert str(caught.value) == f"MongoDB at mongodb://{mongodb}/small: holds no catalogue; load it with aura load"
    seen: list[int] = []
    spec = small(tmp_path, "a,Milk,Dairy,1.5\n$b,Tea,,\na,Twice,,\n")
    assert load_mongodb(spec, endpoint, tmp_path, seen.append) == 2
    assert seen == [2]
    assert load_mongodb(small(tmp_path, "a,New milk,Dairy,2\n$b,Tea,,\n"), endpoint, tmp_path) == 2
    with_items = open_catalog(None, endpoint, tmp_path)
    assert isinstance(with_items, MongoCatalog)
    assert with_items.size == 2
    for _ in range(2):
        assert with_items.lookup(["a", "$b", "nope"]) == {
            "a": Item(item="a", title="New milk", category="Dairy", price=2.0),
            "$b": Item(item="$b", title="Tea"),
        }
    with_items.close()
    with_items.close()


def test_a_server_that_never_answers_is_given_up(mongodb: str, tmp_path: Path) -> None:
    spec, base = small(tmp_path, "a,Milk,Dairy,1.5\nb,Tea,,\n"), tmp_path
    load_mongodb(spec, External(endpoint=f"mongodb://{mongodb}/mute"), base)
    cutter = Cutter()
    door = cutter.forward(int(mongodb.rpartition(":")[2]))
    catalog = MongoCatalog(f"mongodb://127.0.0.1:{door}/mute", patience=1.0)
    assert catalog.lookup(["a"])["a"].title == "Milk"
    cutter.stall(door)
    started = time.monotonic()
    with pytest.raises(DataError, match="does not answer"):
        catalog.lookup(["b"])
    assert time.monotonic() - started < 1.5
    cutter.mend(door)
    assert catalog.lookup(["b"])["b"].title == "Tea"
    catalog.close()
    cutter.close()


def test_what_is_loaded_later_is_found(mongodb: str, tmp_path: Path) -> None:
    endpoint = External(endpoint=f"mongodb://{mongodb}/later")
    load_mongodb(small(tmp_path, "a,Milk,Dairy,1.5\n"), endpoint, tmp_path)
    catalog = open_catalog(None, endpoint, tmp_path)
    assert catalog.lookup(["b"]) == {}
    load_mongodb(small(tmp_path, "b,Tea,,\n"), endpoint, tmp_path)
    assert catalog.lookup(["b"])["b"].title == "Tea"
    catalog.close()


def test_documents_of_others_stay_data(mongodb: str, tmp_path: Path) -> None:
    client: MongoClient[dict[str, object]] = MongoClient(f"mongodb://{mongodb}")
    client["odd"]["items"].insert_one({"_id": "x", "title": "a\nb\x00" + "c" * 400, "brand": {"$gt": 1}, "price": "free"})
    client.close()
    catalog = open_catalog(None, External(endpoint=f"mongodb://{mongodb}/odd"), tmp_path)
    item = catalog.lookup(["x"])["x"]
    assert (item.title[:4], len(item.title), item.brand, item.price) == ("a b ", 300, "", None)
    catalog.close()


def test_real_items(mongodb: str, tmp_path: Path) -> None:
    roles = {role: role for role in ("item", "title", "category", "brand")}
    table = open_table(SourceSpec(dataset="complete-journey"), "auto", roles, base=tmp_path, limit=5000)
    pq.write_table(pa.Table.from_batches(table.batches()), tmp_path / "real.parquet")
    spec = CatalogSpec(source=SourceSpec(path="real.parquet"))
    endpoint = External(endpoint=mongodb)
    assert load_mongodb(spec, endpoint, tmp_path) == 5000
    served, held = open_catalog(None, endpoint, tmp_path), open_catalog(spec, None, tmp_path)
    ids = ["25671", "26081", *(str(i) for i in range(20_000, 40_000))]
    assert served.lookup(ids) == held.lookup(ids)
    assert len(served.lookup(ids)) > 10
    assert served.size == held.size
    served.close()
