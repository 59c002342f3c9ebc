"""Opening what the manifest names for planners: the catalogue and the neighbours."""

import logging
from collections.abc import Callable
from pathlib import Path

from aura_contract.experiment import ExperimentSpec
from aura_data.catalog import open_catalog
from aura_data.errors import DataError, ServerError
from aura_data.neighbours import MilvusNeighbours, Neighbours
from aura_planner.enrichment import LOOKUP_SECONDS, Enrichment, Source
from aura_planner.errors import SetupError

__all__ = ["open_enrichment"]

log = logging.getLogger(__name__)


def open_enrichment(spec: ExperimentSpec, base: Path, failed: Callable[[Source], None] | None = None) -> Enrichment:
    """Catalogue and neighbours of the manifest; `base` is its folder, `failed` is told of each look-up that failed.

    A catalogue that cannot be opened is a SetupError, or a ServerError when it is its server that cannot be used: plans with
    other values than the misses have would measure nothing.
    """
    try:
        catalogue = open_catalog(spec.catalog, spec.dependencies.mongodb_server, base, LOOKUP_SECONDS)
    except ServerError:
        raise
    except DataError as error:
        raise SetupError(str(error)) from error
    return Enrichment(catalogue, _neighbours(spec), spec.cache.payload_bytes, failed)


def _neighbours(spec: ExperimentSpec) -> Neighbours | None:
    """Neighbours of the manifest's Milvus; without one, or where it holds none, seeds are not expanded by similarity."""
    if spec.dependencies.milvus_server is None:
        return None
    try:
        return MilvusNeighbours(spec.dependencies.milvus_server.endpoint, patience=LOOKUP_SECONDS, missing_ok=True)
    except DataError as error:
        log.warning("seeds are not expanded by similarity: %s", error)
        return None
