"""Whether an object is as it should be."""

from typing import Any

__all__ = ["difference"]

# The server adds nothing to these, and what somebody else adds changes what they choose or say.
WHOLE = frozenset({"selector", "podSelector", "matchLabels", "nodeSelector", "data"})


def difference(desired: Any, observed: Any, path: str = "") -> str | None:
    """Path of the first place where `observed` is not as `desired`, or None.

    Fields that only the server knows are its own; a list has to match item by item, so that what others add is found.
    An empty value and an absent one are the same. Selectors and data have to match as a whole.
    """
    if isinstance(desired, dict):
        there = observed if isinstance(observed, dict) else {}
        found = next((at for key, value in desired.items() if (at := difference(value, there.get(key), f"{path}.{key}"))), None)
        return found or _added(desired, there, path)
    if isinstance(desired, list):
        there_list = observed if isinstance(observed, list) else []
        if len(desired) != len(there_list):
            return path
        pairs = enumerate(zip(desired, there_list, strict=True))
        return next((found for at, (one, other) in pairs if (found := difference(one, other, f"{path}[{at}]"))), None)
    if desired == observed or (not desired and not observed):
        return None
    return path


def _added(desired: dict[str, Any], there: dict[str, Any], path: str) -> str | None:
    if path.rpartition(".")[2] not in WHOLE:
        return None
    return next((f"{path}.{key}" for key, value in there.items() if value and key not in desired), None)
