"""What the API server's answers become."""

import pytest
from kubernetes.watch import Watch

from aura_operator.cluster.client import ApiError, change_of


def test_an_event_is_a_change_and_an_object() -> None:
    line = '{"type": "ADDED", "object": {"metadata": {"name": "a"}}}'
    assert change_of(Watch().unmarshal_event(line, None)) == ("ADDED", {"metadata": {"name": "a"}})


@pytest.mark.parametrize("line", ['{"type": "ADDED", "object": {"meta', "", "  "])
def test_a_line_that_was_cut_off_ends_the_watch_so_that_it_lists_again(line: str) -> None:
    with pytest.raises(ApiError, match="cut off in the middle of a line"):
        change_of(Watch().unmarshal_event(line, None))
