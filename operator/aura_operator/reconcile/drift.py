"""Whether an object is as it should be."""

from typing import Any

__all__ = ["difference"]


def difference(desired: Any, observed: Any, path: str = "") -> str | None:
    """Path of the first place where `observed` is not as `desired`, or None.

    Fields that only the server knows are its own; a list has to match item by item, so that what others add is found.
    An empty value and an absent one are the same.
    """
    if isinstance(desired, dict):
        there = observed if isinstance(observed, dict) else {}
        return next(
            (found for key, value in desired.items() if (found := difference(value, there.get(key), f"{path}.{key}"))), None
        )
    if isinstance(desired, list):
        there_list = observed if isinstance(observed, list) else []
        if len(desired) != len(there_list):
            return path
        pairs = enumerate(zip(desired, there_list, strict=True))
        return next((found for at, (one, other) in pairs if (found := difference(one, other, f"{path}[{at}]"))), None)
    if desired == observed or (not desired and not observed):
        return None
    return path
