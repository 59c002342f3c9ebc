"""What all readers share: the way a reader looks and the account of bad rows."""

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

import pyarrow as pa

from aura_data.errors import DataError

__all__ = ["BadRows", "Reader"]


class BadRows:
    """Counts bad rows, or fails at the first."""

    def __init__(self, name: str, policy: Literal["fail", "skip"]) -> None:
        self._name = name
        self.skipping = policy == "skip"
        self.count = 0

    def failure(self, place: str, fault: str) -> DataError:
        """The error for a bad row at `place` (such as `line 7`)."""
        return DataError(f"{self._name}: {place} {fault}; correct it or skip such rows with --bad-rows skip")


class Reader(Protocol):
    """An opened file of one format."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns there are."""
        ...

    def batches(self, wanted: Sequence[str], rows: int, bad: BadRows) -> Iterator[pa.RecordBatch]:
        """Batches, of about `rows` rows where the format allows it, with the columns `wanted`, from the start of the file."""
        ...

    def place(self, row: int) -> str:
        """Where row `row` (from 0) of a file without bad rows stands, such as `line 7`; may read the file again."""
        ...
