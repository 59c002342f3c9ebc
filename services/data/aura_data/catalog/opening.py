"""Choosing the catalogue that a manifest asks for."""

from pathlib import Path

from aura_contract.dependencies import External
from aura_contract.workload import CatalogSpec
from aura_data.catalog.base import Catalog, EmptyCatalog
from aura_data.catalog.file import FileCatalog
from aura_data.catalog.mongo import MongoCatalog

__all__ = ["open_catalog"]


def open_catalog(spec: CatalogSpec | None, mongodb: External | None, base: Path, patience: float | None = None) -> Catalog:
    """MongoDB when its endpoint is given, else the manifest's own source, else nothing; raises DataError.

    `patience` in seconds is for each look-up at a server.
    """
    if mongodb is not None:
        return MongoCatalog(mongodb.endpoint, patience)
    return FileCatalog(spec, base) if spec is not None else EmptyCatalog()
