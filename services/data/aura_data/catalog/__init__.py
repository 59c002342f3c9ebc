"""Catalogues: metadata of items, from the manifest's own file or from MongoDB."""

from aura_data.catalog.base import Catalog, EmptyCatalog, ProgressCallback
from aura_data.catalog.file import FileCatalog
from aura_data.catalog.mongo import MongoCatalog, load_mongodb
from aura_data.catalog.opening import open_catalog
from aura_data.catalog.records import catalog_batches

__all__ = [
    "Catalog",
    "EmptyCatalog",
    "FileCatalog",
    "MongoCatalog",
    "ProgressCallback",
    "catalog_batches",
    "load_mongodb",
    "open_catalog",
]
