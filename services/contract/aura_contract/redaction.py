"""Manifests as they may be shown: addresses without user and password, urls without signatures and tokens."""

import re
from typing import Any

import yaml

__all__ = ["redacted", "redacted_data", "redacted_manifest"]

ADDRESSES = frozenset({"endpoint", "endpoints", "url"})
STARS = "***"

_LOGIN = re.compile(r"^((?:[a-z][a-z0-9+.-]*://)?)[^/?#\s]*@", re.IGNORECASE)
_SIGNED = re.compile(r"([?&][^=&#\s]*(?:sig|token|key|secret|pass|credential)[^=&#\s]*=)[^&#\s]*", re.IGNORECASE)


def redacted(address: str) -> str:
    """HOST:PORT or a url with stars in the place of its secrets."""
    return _SIGNED.sub(rf"\1{STARS}", _LOGIN.sub(rf"\1{STARS}@", address))


def redacted_manifest(text: str) -> str:
    """A valid manifest in YAML or JSON; the very same text where there is nothing to hide."""
    data = yaml.safe_load(text)
    shown = redacted_data(data)
    return text if shown == data else yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)


def redacted_data(data: Any) -> Any:
    """The same of a manifest's data, or of data with manifests in it."""
    return _walk(data, address=False)


def _walk(value: Any, *, address: bool) -> Any:
    if isinstance(value, dict):
        return {key: _walk(inner, address=address or key in ADDRESSES) for key, inner in value.items()}
    if isinstance(value, list):
        return [_walk(inner, address=address) for inner in value]
    return redacted(value) if address and isinstance(value, str) else value
