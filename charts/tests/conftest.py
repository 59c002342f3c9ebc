"""`helm template` as a fixture."""

from functools import partial

import helm
import pytest


@pytest.fixture(scope="session")
def render():
    """Renders the chart with values, see `helm.template`."""
    found = helm.find()
    if found is None:
        pytest.skip("needs helm on PATH or in tools/bin; make tools/bin/helm builds it with Go")
    return partial(helm.template, found)
