"""What rules learn from a log, and what a policy takes of it."""

import numpy as np
import pyarrow as pa
import pytest

from aura_contract.plan import Policy, Rule
from aura_data.catalog import EmptyCatalog
from aura_replayer.context.snapshot import WorkloadSnapshot
from aura_replayer.context.windows import Window
from aura_replayer.levers import ENTRY_BYTES, PREFETCH, Stream
from aura_replayer.rules.covisit import Covisits
from aura_replayer.rules.expansions import COVISIT, HISTORY, MOST, Expansions, chosen, offers
from aura_replayer.rules.history import ITEMS_EACH, History
from aura_replayer.source.items import ItemTable
from aura_replayer.source.spool import EventBlock

SEED = 7


def observe(history: History, rows: list[tuple[int, int, int]]) -> Expansions:
    """Rows of (user, session, item)."""
    users, sessions, items = (np.array(column) for column in zip(*rows, strict=True))
    return history.observe(users.astype(np.uint32), sessions.astype(np.uint32), items.astype(np.int32))


def found(expansions: Expansions) -> list[tuple[int, int]]:
    return list(zip(expansions.at.tolist(), expansions.items.tolist(), strict=True))


def test_items_of_every_session_become_likely_and_those_of_one_do_not() -> None:
    history, last = History(), Expansions.empty()
    for session in range(1, 13):
        rows = [(1, session, 5), (1, session, 6), (1, session, 100 + session)]
        last = observe(history, rows)
    assert set(found(last)[:2]) == {(0, 5), (0, 6)}
    assert (last.probability[:2] > 0.7).all()
    assert not set(last.items[2:].tolist()) & {5, 6}
    assert (last.probability[2:] < 0.3).all()


def test_an_expansion_belongs_to_the_first_request_of_a_session_and_sees_nothing_of_it() -> None:
    history = History()
    for session in range(1, 10):
        observe(history, [(1, session, 5)])
    # Two sessions in one window, the second going on in the next: one start each.
    here = observe(history, [(2, 50, 9), (1, 10, 7), (1, 10, 5), (2, 50, 8), (1, 11, 5)])
    assert [place for place in found(here) if place[1] == 5] == [(1, 5), (4, 5)]
    assert set(here.at.tolist()) == {1, 4}
    assert 7 not in here.items[here.at == 1]
    assert found(observe(history, [(1, 11, 6)])) == []


def test_a_log_without_users_or_sessions_has_no_history() -> None:
    history = History()
    nobody = np.zeros(4, np.uint32)
    assert len(history.observe(nobody, nobody, np.arange(4, dtype=np.int32))) == 0
    users = np.array([1, 2, 1, 2], np.uint32)
    for _ in range(5):
        assert len(history.observe(users, users, np.arange(4, dtype=np.int32))) == 0


def test_memory_is_bounded_by_users_and_items() -> None:
    history = History(max_users=100)
    for user in range(1, 400):
        observe(history, [(user, user, item) for item in range(ITEMS_EACH + 40)])
        assert len(history.users) <= 100
    # Who was there last is remembered, who was away longest is not.
    assert 399 in history.users
    assert 1 not in history.users
    assert history.users.columns.items.size <= 200 * ITEMS_EACH


def test_many_users_at_once_are_more_than_the_table_holds_only_by_those_that_are_here() -> None:
    history = History(max_users=10)
    observe(history, [(user, user, 1) for user in range(1, 40)])
    assert len(history.users) == 39


def test_two_runs_over_the_same_log_find_the_same() -> None:
    lots = np.random.default_rng(SEED)
    windows = [
        [
            (int(u) + 1, int(u) * 1000 + number, int(i))
            for u, i in zip(lots.integers(0, 30, 200), lots.zipf(1.5, 200) % 50, strict=True)
        ]
        for number in range(12)
    ]
    first, second = ([found(observe(history, rows)) for rows in windows] for history in (History(), History()))
    assert first == second
    assert any(first)


def test_probabilities_are_how_often_it_came_true() -> None:
    """Users who take each of their eight items in a session with chance .6: what is promised must be kept."""
    lots, history = np.random.default_rng(SEED), History()
    promised, kept = [], []
    for session in range(60):
        rows, taken = [], {}
        for user in range(1, 21):
            items = [user * 10 + n for n in range(8) if lots.random() < 0.6] or [user * 10]
            taken[user] = set(items)
            rows += [(user, user * 1000 + session, item) for item in items]
        expansions = observe(history, rows)
        if session >= 20:
            promised += expansions.probability.tolist()
            kept += [item in taken[item // 10] for item in expansions.items.tolist()]
    assert np.mean(promised) == pytest.approx(np.mean(kept), abs=0.03)
    assert np.mean(kept) == pytest.approx(0.6, abs=0.05)


def covisits(rows: list[tuple[int, int]], table: Covisits | None = None) -> Expansions:
    """Rows of (session, item)."""
    sessions, items = (np.array(column) for column in zip(*rows, strict=True))
    return (table or Covisits()).observe(sessions.astype(np.uint32), items.astype(np.int32))


def test_what_sessions_went_on_with_is_expected_after_the_same_item() -> None:
    table = Covisits()
    for session in range(1, 9):
        covisits([(session, 1), (session, 2 if session != 4 else 3)], table)
    here = covisits([(20, 1), (20, 2)], table)
    assert found(here) == [(0, 2)]
    assert here.probability[0] == pytest.approx(7 / 9)
    assert here.starts.tolist() == [True]
    assert here.source.tolist() == [COVISIT]


def test_sessions_go_on_over_the_end_of_a_window() -> None:
    table = Covisits()
    for session in range(1, 6):
        covisits([(session, 1)], table)
        covisits([(session, 2)], table)
    assert found(covisits([(9, 1)], table)) == [(0, 2)]


def test_a_common_continuation_takes_the_place_of_rare_ones() -> None:
    table = Covisits()
    for session, item in enumerate((10, 11, 12, 13), 1):
        covisits([(session, 1), (session, item)], table)
    for session in range(10, 40):
        covisits([(session, 1), (session, 99)], table)
    assert found(covisits([(50, 1)], table)) == [(0, 99)]


def sample() -> Expansions:
    return Expansions(
        np.array([0, 0, 1, 1, 3]),
        np.array([5, 6, 7, 8, 9], np.int32),
        np.array([0.9, 0.4, 0.55, 0.2, 0.6], np.float32),
        np.array([0, 1, 0, 1, 0], np.int8),
        np.array([HISTORY, HISTORY, COVISIT, COVISIT, COVISIT], np.int8),
        np.array([True, True, False, False, True]),
    )


@pytest.mark.parametrize(
    ("rule", "places"),
    [
        ({"on": "session_start", "expand": "history", "confidence": "high"}, [0]),
        ({"on": "session_start", "expand": "history", "confidence": "medium"}, [0, 1]),
        ({"on": "session_start", "expand": "history", "confidence": "low", "fanout": 1}, [0]),
        ({"on": "request", "expand": "covisit", "confidence": "high"}, [2, 4]),
        ({"on": "request", "expand": "covisit", "confidence": "low"}, [2, 3, 4]),
        ({"on": "session_start", "expand": "covisit", "confidence": "low"}, [4]),
    ],
)
def test_a_rule_takes_what_it_trusts(rule: dict[str, object], places: list[int]) -> None:
    assert chosen([Rule.model_validate(rule)], sample(), 100).tolist() == places


def test_rules_add_up_and_the_likeliest_are_kept() -> None:
    rules = [Rule(on="session_start", expand="history", confidence="low"), Rule(on="request", expand="covisit", confidence="low")]
    assert chosen(rules, sample(), 100).tolist() == [0, 1, 2, 3, 4]
    assert chosen(rules, sample(), 3).tolist() == [0, 2, 4]
    assert chosen([], sample(), 100).tolist() == []


def test_offers_say_how_many_and_how_likely() -> None:
    counted = {(offer["expand"], offer["confidence"]): (offer["items"], offer["probability"]) for offer in offers(sample())}
    assert counted == {
        ("history", "high"): (1, 0.9),
        ("history", "medium"): (2, 0.65),
        ("history", "low"): (2, 0.65),
        ("covisit", "high"): (2, 0.575),
        ("covisit", "medium"): (2, 0.575),
        ("covisit", "low"): (3, 0.45),
    }
    assert offers(Expansions.empty()) == []


def test_no_more_is_offered_for_one_start_than_a_rule_may_take() -> None:
    history, last = History(), Expansions.empty()
    for session in range(1, 13):
        last = observe(history, [(1, session, item) for item in range(MOST + 5)])
    assert len(last) == MOST
    assert last.rank.tolist() == list(range(MOST))


def test_a_stream_weaves_what_is_fetched_behind_the_request_that_asks_for_it() -> None:
    items = ItemTable(EmptyCatalog(), 16)
    codes = items.encode(pa.array([str(number) for number in range(10)]))
    requests = codes[:4]
    window = Window(
        0, EventBlock.empty(), 0, requests, items.entries(requests), np.zeros(4, np.int64), np.zeros(4, np.float32),
        sample(), np.full(5, 3.0, np.float32), 0, 0, 4, WorkloadSnapshot("", "", "", codes),
    )  # fmt: skip
    plain = Stream.of(window, Policy(), items, 100)
    assert plain.part(1, 3)[1] == b""
    assert bytes(plain.part(1, 3)[2]) == b"".join(items.packed[1:3])
    rules = (Rule(on="session_start", expand="history", confidence="medium"), Rule(on="request", expand="covisit"))
    woven = Stream.of(window, Policy(frequency="low", rules=rules), items, 100)
    order = [0, 5, 6, 1, 7, 2, 3, 9]
    entries, meta, body = woven.part(0, 4)
    assert entries.tolist() == order
    assert bytes(body) == b"".join(items.packed[code] for code in order)
    assert [bool(flag & PREFETCH) for flag in meta[4::ENTRY_BYTES]] == [code not in range(4) for code in order]
    # Decayed requests of 3 are worth A * C * log2(4) = .5 * 100 * 2.
    assert [int.from_bytes(meta[at : at + 4], "big") for at in range(0, len(meta), ENTRY_BYTES)] == [
        0,
        100,
        100,
        0,
        100,
        0,
        0,
        100,
    ]
    # A batch carries what its own requests ask for, and the next one begins behind that.
    parts = [bytes(woven.part(start, start + 2)[2]) for start in (0, 2)]
    assert parts == [b"".join(items.packed[code] for code in part) for part in (order[:5], order[5:])]
