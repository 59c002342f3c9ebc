"""Filling the servers of a manifest from its catalogue."""

from collections.abc import Callable
from pathlib import Path

from aura_contract.experiment import AuraExperiment
from aura_contract.manifest import ManifestError
from aura_data.catalog import load_mongodb
from aura_data.neighbours import build_neighbours

__all__ = ["LoadProgress", "load_catalogue"]

LoadProgress = Callable[[str, int], None]
"""Called with the server's name (`MongoDB`, `Milvus`) and the number of items it has been given so far."""


def load_catalogue(experiment: AuraExperiment, manifest: Path, progress: LoadProgress, loaded: Callable[[str], None]) -> None:
    """Load what `spec.catalog` names into the MongoDB and the Milvus of `spec.dependencies`; may be done again.

    `manifest` is the experiment's file; `loaded` is called with a sentence for each server. Raises ManifestError when there
    is nothing to load, DataError for the catalogue and ServerError for a server that cannot be used.
    """
    base = manifest.resolve().parent
    catalog, dependencies = experiment.spec.catalog, experiment.spec.dependencies
    mongodb, milvus = dependencies.mongodb_server, dependencies.milvus_server
    if catalog is None:
        raise ManifestError(f"{manifest}: spec.catalog is missing; name the catalogue that is to be loaded")
    if mongodb is None and milvus is None:
        raise ManifestError(
            f"{manifest}: names no server to load into; "
            "set spec.dependencies.mongodb.external.endpoint or .milvus.external.endpoint"
        )
    if mongodb:
        count = load_mongodb(catalog, mongodb, base, lambda done: progress("MongoDB", done))
        loaded(f"MongoDB holds {count:,} items of the catalogue")
    if milvus:
        count = build_neighbours(catalog, milvus, base, lambda done: progress("Milvus", done))
        loaded(f"Milvus holds embeddings of {count:,} items")
