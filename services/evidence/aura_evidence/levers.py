"""Policies in words, whatever levers they have."""

from collections.abc import Mapping
from typing import Any

from aura_contract.plan import Policy

__all__ = ["label", "settings"]

UNMOVED = "no lever moved"
ALL_OTHERS = "*"

COUNTED = {"ttl": "TTL of {} categories", "protect": "{} protected categories"}
"""How a lever is named that holds one entry a category; others are their number and name."""


def label(policy: Policy) -> str:
    """A setting in a few words, such as `frequency high, admit all, TTL long, history (high)`.

    Levers with one value are always named, those with an entry a category by their number, and only when they have some.
    Policies that differ in which of these entries they hold, not in how many, have the same label.
    """
    if not _moved(policy):
        return UNMOVED
    parts = []
    for name, value in policy.model_dump(mode="json").items():
        if isinstance(value, dict | list):
            if value:
                parts.append(_shown(name, value))
        elif value is not None:
            parts.append(f"{name} {value}")
    return ", ".join(parts)


def settings(policy: Policy | None) -> list[tuple[str, str]]:
    """Names and whole settings of the levers that differ from the baseline's behaviour."""
    return [(name, _text(value)) for name, value in _moved(policy).items()] if policy else []


def _moved(policy: Policy) -> dict[str, Any]:
    """Levers that are not at their defaults, whole: an entry keeps its own defaults."""
    names = policy.model_dump(exclude_defaults=True).keys()
    return policy.model_dump(mode="json", include=set(names))


def _shown(name: str, value: dict[str, Any] | list[Any]) -> str:
    if name == "rules" and isinstance(value, list):
        return ", ".join(f"{rule['expand']} ({rule['confidence']})" for rule in value)
    if name == "ttl" and isinstance(value, dict) and set(value) == {ALL_OTHERS}:
        return f"TTL {value[ALL_OTHERS]}"
    return _counted(name, len(value))


def _counted(name: str, count: int) -> str:
    if name in COUNTED:
        text = COUNTED[name].format(count)
        return text.replace("categories", "category") if count == 1 else text
    return f"{count} {name.removesuffix('s') if count == 1 else name}"


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {entry}" for key, entry in value.items())
    if isinstance(value, list):
        apart = "; " if any(isinstance(entry, Mapping) for entry in value) else ", "
        return apart.join(_text(entry) for entry in value)
    return str(value)
