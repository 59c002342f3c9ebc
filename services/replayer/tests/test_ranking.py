"""Ranking by a part of a sort gives what the whole sort gives."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aura_replayer.context.ranking import largest


@given(st.lists(st.integers(-4, 4), max_size=60), st.integers(1, 20))
def test_the_largest_in_the_order_of_a_stable_sort(numbers: list[int], most: int) -> None:
    for values in (np.array(numbers, np.int64), np.array(numbers, np.float64) / 3):
        assert largest(values, most).tolist() == np.argsort(-values, kind="stable")[:most].tolist()
