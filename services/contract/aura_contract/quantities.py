"""Kubernetes-style quantities: bytes (`8Mi`) and shares (`5%`)."""

import re

__all__ = ["SHARE", "parse_bytes", "parse_share"]

SHARE = r"^(100|\d{1,2}(\.\d+)?)%$"
"""Form of a share in the schema."""

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_BYTES = re.compile(r"^(\d+(?:\.\d+)?)(|k|M|G|Ki|Mi|Gi)$")
_SHARE = re.compile(r"^(\d+(?:\.\d+)?)%$")


def parse_bytes(text: str) -> int:
    """Bytes of a quantity such as `8Mi`, `500k` or `1048576`; raises ValueError with the forms that are taken."""
    match = _BYTES.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount of memory; write it like 8Mi, 500k or 1048576")
    return int(float(match[1]) * _UNITS[match[2]])


def parse_share(text: str, *, zero: bool = False) -> float:
    """The fraction (0..1] that `5%` stands for, with `zero` also 0; raises ValueError with the form that is taken."""
    match = _SHARE.match(text.strip())
    share = float(match[1]) / 100 if match else -1.0
    if not 0 <= share <= 1 or (share == 0 and not zero):
        least = "from 0%" if zero else "above 0%"
        raise ValueError(f"{text!r} is not a share; write it like 5%, {least} and at most 100%")
    return share
