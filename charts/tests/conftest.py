"""`helm template` as a fixture."""

from functools import partial

import helm
import pytest


@pytest.fixture(scope="session")
def render():
    """Renders the chart with values, see `helm.template`."""
    return partial(helm.template, helm.required())
