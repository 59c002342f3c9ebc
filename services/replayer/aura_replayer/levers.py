"""From a policy to what the arm's library reads: five bytes for each entry, priority bonus and flags, and entries of rules."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_contract.plan import Policy
from aura_replayer.context.windows import Window
from aura_replayer.rules.expansions import chosen
from aura_replayer.source.items import Entries, ItemTable

__all__ = [
    "ENTRY",
    "ENTRY_BYTES",
    "FREQUENCY_WEIGHT",
    "HELD_OUT",
    "KEPT_NOT",
    "NO_FILL",
    "PREFETCH",
    "TTL_CLASS",
    "Stream",
    "encode_levers",
]

ENTRY = np.dtype([("bonus", ">u4"), ("flags", "u1")])
ENTRY_BYTES = ENTRY.itemsize

FREQUENCY_WEIGHT = {"none": 0.0, "low": 0.5, "medium": 2.0, "high": 8.0}
"""A in `priority = t + A * C * log2(frequency)`: docs/design.md has the measured effect of each."""

PROTECTED_FILLS = 2.0
"""A protected category's items outlive others by so many fills of the cache."""

ADMIT_AT = {"all": 0.0, "second_hit": 0.5, "frequent": 2.0}
"""Decayed requests before this one that an item needs to be stored."""

ALL_OTHERS = "*"
"""Stands for every category that a policy does not name."""

TTL_CLASS = {"normal": 0, "long": 1, "short": 2, "none": 3}
KEPT_NOT = TTL_CLASS["none"]
NO_FILL = 4
PREFETCH = 8
"""Flag of an entry that is no request but may be fetched for one to come."""

HELD_OUT = 16
"""Flag of an item that no plan may touch."""

MAX_BONUS = 2**32 - 1


@dataclass(frozen=True)
class Stream:
    """What one arm is sent in a window: its requests and, between them, what rules fetch.

    `codes` are the entries' item codes. `meta` is empty or holds five bytes an entry. Entry `places[i]` is request i, shape
    (n + 1,), the last one their number; None where there is nothing but requests.
    """

    codes: NDArray[np.int32]
    entries: Entries
    meta: bytes = b""
    places: NDArray[np.int64] | None = None

    def part(self, start: int, stop: int) -> tuple[NDArray[np.int32], bytes, memoryview]:
        """Codes, levers and entries of the requests from `start` up to `stop`, with what is fetched after each of them."""
        if self.places is not None:
            start, stop = int(self.places[start]), int(self.places[stop])
        return self.codes[start:stop], self.meta[start * ENTRY_BYTES : stop * ENTRY_BYTES], self.entries.part(start, stop)

    @classmethod
    def of(cls, window: Window, policy: Policy, items: ItemTable, capacity_items: int, *, packed: bool = True) -> "Stream":
        """A window's stream under a policy; one that is not `packed` is for counting and has its requests' entries alone."""
        if policy == Policy() and not items.held_permille:
            return cls(window.codes, window.entries)
        codes, frequency, places, entries = window.codes, window.frequency, None, window.entries
        fetched = chosen(policy.rules, window.expansions, len(codes))
        if len(fetched):
            # What is fetched after request i stands behind it, and behind all that was fetched before.
            after = np.bincount(window.expansions.at[fetched], minlength=len(codes))
            places = np.concatenate([[0], np.cumsum(after + 1)])
            codes = _woven(places, codes, window.expansions.items[fetched])
            frequency = _woven(places, frequency, window.expected[fetched])
            entries = items.entries(codes) if packed else entries
        meta = encode_levers(policy, frequency, items.categories[codes], items.category_names, capacity_items)
        meta["flags"] |= HELD_OUT * items.held[codes].astype(np.uint8)
        if places is not None:
            fetch = np.full(len(codes), PREFETCH, np.uint8)
            fetch[places[:-1]] = 0
            meta["flags"] |= fetch
        return cls(codes, entries, meta.tobytes(), places)


def _woven(places: NDArray[np.int64], requests: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """`requests` at their places and `others`, in their order, between them."""
    whole = np.empty(places[-1], requests.dtype)
    free = np.ones(len(whole), np.bool_)
    free[places[:-1]] = False
    whole[~free], whole[free] = requests, others
    return whole


def encode_levers(
    policy: Policy,
    frequency: NDArray[np.float32],
    categories: NDArray[np.int32],
    category_names: list[str],
    capacity_items: int,
) -> NDArray[np.void]:
    """Five bytes for each of n entries: shape (n,), fields `bonus` and `flags`.

    `frequency` holds the decayed requests of the same item before each entry, shape (n,); `categories` their category
    codes, shape (n,).
    """
    entries = np.zeros(len(frequency), ENTRY)
    bonus = FREQUENCY_WEIGHT[policy.frequency] * capacity_items * np.log2(frequency + 1.0)
    if policy.protect:
        bonus += PROTECTED_FILLS * capacity_items * np.isin(categories, _codes(policy.protect, category_names))
    entries["bonus"] = np.minimum(bonus, MAX_BONUS).astype(np.uint32)
    classes = np.full(len(category_names), TTL_CLASS[policy.ttl.get(ALL_OTHERS, "normal")], np.uint8)
    for category, ttl in policy.ttl.items():
        classes[_codes((category,), category_names)] = TTL_CLASS[ttl]
    entries["flags"] = classes[categories] + NO_FILL * (frequency < ADMIT_AT[policy.admit]).astype(np.uint8)
    return entries


def _codes(names: tuple[str, ...], category_names: list[str]) -> list[int]:
    wanted = set(names)
    return [code for code, name in enumerate(category_names) if name in wanted]
