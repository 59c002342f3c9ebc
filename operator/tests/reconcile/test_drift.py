"""What counts as a difference between what should be there and what is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_operator.reconcile.drift import difference

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=12
)


@settings(deadline=None)
@given(TREES)
def test_nothing_differs_from_itself(tree: object) -> None:
    assert difference(tree, tree) is None


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), TREES), st.dictionaries(st.sampled_from("xyz"), TREES))
def test_fields_that_only_the_server_knows_are_its_own(desired: dict[str, object], more: dict[str, object]) -> None:
    assert difference(desired, {**more, **desired}) is None


@pytest.mark.parametrize(
    ("desired", "observed", "path"),
    [
        ({"a": 1}, {"a": 2}, ".a"),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, ".a.b"),
        ({"a": {"b": 1}}, {}, ".a.b"),
        ({"a": {"b": 1}}, {"a": "text"}, ".a.b"),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ".a[1].b"),
        ({"a": [1]}, {"a": [1, 2]}, ".a"),
        ({"a": [1]}, {"a": None}, ".a"),
        ({"a": []}, {"a": [1]}, ".a"),
        ({"a": False}, {"a": True}, ".a"),
    ],
)
def test_the_path_of_the_first_difference_is_told(desired: object, observed: object, path: str) -> None:
    assert difference(desired, observed) == path


@pytest.mark.parametrize("empty", [None, "", 0, False, [], {}])
@pytest.mark.parametrize("observed", [{}, {"a": None}, {"a": ""}, {"a": []}])
def test_an_empty_value_and_an_absent_one_are_the_same(empty: object, observed: object) -> None:
    assert difference({"a": empty}, observed) is None


def test_what_somebody_adds_to_a_selector_is_found_and_what_the_server_adds_elsewhere_is_not() -> None:
    desired = {"spec": {"selector": {"a": "1"}}}
    assert difference(desired, {"spec": {"selector": {"a": "1", "b": "2"}, "type": "ClusterIP"}}) == ".spec.selector.b"
    assert difference(desired, {"spec": {"selector": {"a": "1", "b": ""}, "type": "ClusterIP"}}) is None
