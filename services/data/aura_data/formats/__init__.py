"""Readers of the file formats: record batches under the file's own column names."""

from aura_data.formats.base import BadRows, Reader
from aura_data.formats.delimited import DelimitedReader
from aura_data.formats.jsonl import JsonlReader
from aura_data.formats.parquet import ParquetReader

__all__ = ["BadRows", "DelimitedReader", "JsonlReader", "ParquetReader", "Reader"]
