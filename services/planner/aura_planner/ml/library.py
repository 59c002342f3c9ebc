"""LightGBM, which only the planner with a model needs."""

from importlib import import_module
from types import ModuleType

from aura_planner.errors import SetupError

__all__ = ["lightgbm"]


def lightgbm() -> ModuleType:
    """The library; raises SetupError where it, or the OpenMP library it needs, is missing."""
    try:
        # Not at the top: it takes a second, and all other planners do without it.
        return import_module("lightgbm")
    except (ImportError, OSError) as error:
        remedy = "install aura-experiment[ml], and libgomp if it is missing"
        raise SetupError(f"planner ml needs LightGBM, which cannot be loaded here ({error}); {remedy}") from error
