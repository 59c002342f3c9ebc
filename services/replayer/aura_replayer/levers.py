"""From a policy's levers to the five bytes an entry that the arm's library reads: priority bonus and flags."""

import numpy as np
from numpy.typing import NDArray

from aura_contract.plan import Policy

__all__ = ["ENTRY_BYTES", "FREQUENCY_WEIGHT", "NO_FILL", "encode_levers"]

ENTRY_BYTES = 5

FREQUENCY_WEIGHT = {"none": 0.0, "low": 0.5, "medium": 2.0, "high": 8.0}
"""A in `priority = t + A * C * log2(frequency)`: docs/design.md has the measured effect of each."""

PROTECTED_FILLS = 2.0
"""A protected category's items outlive others by so many fills of the cache."""

ADMIT_AT = {"all": 0.0, "second_hit": 0.5, "frequent": 2.0}
"""Decayed requests before this one that an item needs to be stored."""

TTL_CLASS = {"normal": 0, "long": 1, "short": 2, "none": 3}
NO_FILL = 4
MAX_BONUS = 2**32 - 1


def encode_levers(
    policy: Policy,
    frequency: NDArray[np.float32],
    categories: NDArray[np.int32],
    category_names: list[str],
    capacity_items: int,
) -> bytes:
    """Five bytes for each of n requests, or nothing when the policy is the baseline's behaviour.

    `frequency` holds the decayed requests of the same item before each request, shape (n,); `categories` their category
    codes, shape (n,).
    """
    if policy == Policy():
        return b""
    entries = np.zeros(len(frequency), [("bonus", ">u4"), ("flags", "u1")])
    bonus = FREQUENCY_WEIGHT[policy.frequency] * capacity_items * np.log2(frequency + 1.0)
    if policy.protect:
        bonus += PROTECTED_FILLS * capacity_items * np.isin(categories, _codes(policy.protect, category_names))
    entries["bonus"] = np.minimum(bonus, MAX_BONUS).astype(np.uint32)
    classes = np.zeros(len(category_names), np.uint8)
    for category, ttl in policy.ttl.items():
        classes[_codes((category,), category_names)] = TTL_CLASS[ttl]
    entries["flags"] = classes[categories] + NO_FILL * (frequency < ADMIT_AT[policy.admit]).astype(np.uint8)
    return entries.tobytes()


def _codes(names: tuple[str, ...], category_names: list[str]) -> list[int]:
    wanted = set(names)
    return [code for code, name in enumerate(category_names) if name in wanted]
