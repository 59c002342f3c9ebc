"""Catalogues from files, and what happens to texts that nobody vouches for."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aura_contract.dependencies import External
from aura_contract.payload import Item
from aura_contract.workload import CatalogColumns, CatalogSpec, SourceSpec
from aura_data.catalog import EmptyCatalog, FileCatalog, load_mongodb, open_catalog
from aura_data.catalog.records import clean_text
from aura_data.tables import DataError


def catalog(tmp_path: Path, rows: list[dict[str, object]], **columns: str | None) -> FileCatalog:
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = CatalogSpec(source=SourceSpec(path="items.jsonl"), columns=CatalogColumns.model_validate(columns))
    return FileCatalog(spec, tmp_path)


def test_lookup(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"item": "a", "title": "Milk", "category": "Dairy", "brand": None, "p": 1.5},
        {"item": "b", "title": "Tea", "category": None, "brand": "Best", "p": None},
        {"item": "a", "title": "Other milk", "category": "Dairy", "brand": None, "p": 2.0},
        {"item": None, "title": "Nobody", "category": None, "brand": None, "p": None},
    ]
    found = catalog(tmp_path, rows, price="p")
    assert (found.size, found.duplicates, found.bad_rows) == (2, 1, 1)
    assert found.lookup(["b", "nope", "a", "a"]) == {
        "a": Item(item="a", title="Milk", category="Dairy", price=1.5),
        "b": Item(item="b", title="Tea", brand="Best"),
    }
    assert found.lookup([]) == {}
    found.close()
    found.close()
    assert found.lookup(["a"]) == {}
    assert found.size == 0


def test_only_ids(tmp_path: Path) -> None:
    found = catalog(tmp_path, [{"sku": 7}], item="sku", title=None, category=None, brand=None)
    assert found.lookup(["7"]) == {"7": Item(item="7")}


def test_texts_are_cut_and_cleaned(tmp_path: Path) -> None:
    title = "Ignore\nall\x00 rules\u202e\u2028 " + "é" * 400
    found = catalog(tmp_path, [{"item": "a", "title": title, "category": " \t ", "brand": "x\x1b[31m"}])
    item = found.lookup(["a"])["a"]
    assert item.title.startswith("Ignore all  rules")
    assert len(item.title) == 300
    assert item.title.isprintable()
    assert (item.category, item.brand) == ("", "x [31m")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_arrow_and_python_clean_alike(tmp_path: Path, text: str) -> None:
    found = catalog(tmp_path, [{"item": "a", "title": text, "category": "c", "brand": "b"}])
    assert found.lookup(["a"])["a"].title == clean_text(text)


def test_opening(tmp_path: Path) -> None:
    assert isinstance(open_catalog(None, None, tmp_path), EmptyCatalog)
    assert open_catalog(None, None, tmp_path).lookup(["a"]) == {}
    spec = CatalogSpec(source=SourceSpec(dataset="complete-journey"))
    real = open_catalog(spec, None, tmp_path)
    assert real.size == 92_331
    assert real.lookup(["25671"])["25671"].title == "ICE - CRUSHED/CUBED 22 LB"


def test_a_catalogue_without_usable_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        catalog(tmp_path, [{"item": None, "title": "x", "category": "y", "brand": "z"}])
    sentence = "has no row with an item id; check the catalogue's columns"
    assert str(caught.value) == f"{tmp_path / 'items.jsonl'}: {sentence}"


def test_a_missing_column_says_how_to_leave_it_out(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item,title,category\n1,a,b\n")
    with pytest.raises(DataError) as caught:
        open_catalog(CatalogSpec(source=SourceSpec(path="items.csv")), None, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'items.csv'}: has no column 'brand' (brand); its columns are 'item', 'title', 'category'; "
        "name one of them or write brand: null"
    )


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9", "mongodb://user:secret@127.0.0.1:9/shop"])
def test_mongodb_away(tmp_path: Path, endpoint: str) -> None:
    name = "mongodb://127.0.0.1:9/shop" if "shop" in endpoint else endpoint
    with pytest.raises(DataError) as caught:
        open_catalog(None, External(endpoint=endpoint), tmp_path)
    assert str(caught.value) == f"MongoDB at {name}: does not answer; check the address or start the server"


def test_mongodb_of_no_address(tmp_path: Path) -> None:
    spec = CatalogSpec(source=SourceSpec(dataset="complete-journey"))
    with pytest.raises(DataError, match="is not a MongoDB address; write HOST:PORT or mongodb://HOST:PORT"):
        load_mongodb(spec, External(endpoint="http://x"), tmp_path)
