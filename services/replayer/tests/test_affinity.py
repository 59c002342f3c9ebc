"""Long-term profiles of users: what they say, how they forget, and that they stay small."""

import numpy as np
import pytest

from aura_replayer.context.affinity import CATEGORIES_EACH, HALF_LIFE, Affinities

NAMES = 50


def observe(affinities: Affinities, rows: list[tuple[int, int]]) -> np.ndarray:
    """Rows of (user, category)."""
    users, categories = (np.array(column) for column in zip(*rows, strict=True))
    return affinities.observe(users.astype(np.uint32), categories.astype(np.int32), NAMES)


def test_shares_are_the_mean_over_users_who_have_a_past() -> None:
    affinities = Affinities()
    assert not observe(affinities, [(1, 4), (1, 4), (1, 4), (1, 9), (2, 9)]).any()
    # The second user asked for category 9 alone, the third is new and counts for nothing.
    shares = observe(affinities, [(1, 4), (2, 4), (3, 30)])
    assert shares[4] == pytest.approx(3 / 4 / 2)
    assert shares[9] == pytest.approx((1 / 4 + 1) / 2)
    assert shares.sum() == pytest.approx(1)


def test_no_user_and_no_category_count_for_nobody() -> None:
    affinities = Affinities()
    for _ in range(2):
        assert not observe(affinities, [(0, 4), (1, 0), (0, 0)]).any()
    assert len(affinities) == 0
    assert affinities.profile(0) == affinities.profile(1) == []


def test_an_old_love_counts_half_after_the_half_life() -> None:
    affinities = Affinities()
    observe(affinities, [(1, 4)] * 100)
    observe(affinities, [(1, 5)] * int(HALF_LIFE))
    shares = observe(affinities, [(1, 6)])
    assert shares[4] == pytest.approx(50 / (50 + HALF_LIFE), abs=0.001)


def test_a_full_profile_keeps_what_is_asked_for_often() -> None:
    affinities = Affinities()
    lots = np.random.default_rng(3)
    for _ in range(200):
        observe(affinities, [(1, 2), (1, 2), (1, 3)] + [(1, int(rare)) for rare in lots.integers(10, NAMES, 2)])
    profile = affinities.profile(1)
    assert profile[:2] == [2, 3]
    assert len(profile) <= CATEGORIES_EACH


def test_more_new_categories_than_fit_in_one_window_keep_the_commonest() -> None:
    affinities = Affinities()
    observe(affinities, [(1, category) for category in range(1, 20) for _ in range(category)])
    assert affinities.profile(1) == [19, 18, 17, 16, 15, 14]


def test_users_are_bounded_and_those_away_longest_are_forgotten() -> None:
    affinities = Affinities(max_users=100)
    for user in range(1, 1000):
        observe(affinities, [(user, 1 + user % 40), (1, 7)])
        assert len(affinities) <= 100
    assert affinities.profile(1)[0] == 7
    assert affinities.profile(999) == [1 + 999 % 40]
    assert affinities.profile(500) == []


def test_a_window_of_more_known_users_than_are_kept_mixes_up_nobody() -> None:
    affinities = Affinities(max_users=10)
    observe(affinities, [(user, user) for user in range(1, 11)])
    observe(affinities, [(user, user) for user in range(1, 13)])
    assert {user: affinities.profile(user) for user in range(1, 13)} == {user: [user] for user in range(1, 13)}
