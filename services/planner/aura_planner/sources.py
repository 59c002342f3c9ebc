"""Opening what the manifest names for planners: the catalogue and the neighbours."""

import logging
from pathlib import Path

from aura_contract.experiment import ExperimentSpec

from aura_planner.enrichment import Catalogue, Enrichment, Similar

__all__ = ["open_enrichment"]

log = logging.getLogger(__name__)


def open_enrichment(spec: ExperimentSpec, base: Path) -> Enrichment:
    """Catalogue and neighbours of the manifest; what cannot be opened is said once and done without."""
    return Enrichment(_catalogue(spec, base), _neighbours(spec, base), spec.cache.payload_bytes)


def _catalogue(spec: ExperimentSpec, base: Path) -> Catalogue | None:
    if spec.catalog is None:
        return None
    try:
        from aura_data.catalog import open_catalog

        return open_catalog(spec.catalog, spec.dependencies.mongodb, base)
    except Exception as error:
        log.warning("the catalogue cannot be opened, values are plain: %s", error)
        return None


def _neighbours(spec: ExperimentSpec, base: Path) -> Similar | None:
    return None
