"""Kubernetes quantities in the form in which the API server gives them back."""

import re
from collections.abc import Mapping
from fractions import Fraction
from math import ceil

__all__ = ["at_least", "canonical", "canonical_all"]

DECIMAL = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
MEBIBYTE = 1024**2
SCALES = {name: Fraction(1024**power) for power, name in enumerate(BINARY)} | {
    name: Fraction(10**power) if power >= 0 else Fraction(1, 10**-power) for power, name in DECIMAL.items()
}
FORM = re.compile(r"^([0-9]+(?:\.[0-9]+)?)([numkMGTPE]|[KMGTPE]i)?$")


def canonical(quantity: str) -> str:
    """`1024Mi` as `1Gi`, `0.5` as `500m`: the largest suffix that leaves a whole number, as apimachinery's `CanonicalizeBytes`.

    What is no quantity comes back as it is; the API server says what is wrong with it.
    """
    value = _value(quantity)
    if value is None:
        return quantity
    # Below a kibibyte, or with a fraction of a byte, the server writes decimal suffixes.
    binary = quantity.endswith("i") and value.denominator == 1 and value >= 1024
    return _binary(int(value)) if binary else _decimal(value)


def canonical_all(quantities: Mapping[str, str]) -> dict[str, str]:
    """Quantities by resource, each in canonical form."""
    return {name: canonical(quantity) for name, quantity in quantities.items()}


def at_least(quantity: str, size: int) -> str:
    """The larger of a quantity and of `size` bytes, which are rounded up to mebibytes."""
    value = _value(quantity)
    return canonical(quantity) if value is not None and value >= size else _binary(-(-size // MEBIBYTE) * MEBIBYTE)


def _value(quantity: str) -> Fraction | None:
    match = FORM.match(quantity)
    if match is None:
        return None
    return Fraction(match[1]) * SCALES[match[2] or ""]


def _binary(value: int) -> str:
    power = 0
    while value % 1024 == 0 and power < len(BINARY) - 1:
        value, power = value // 1024, power + 1
    return f"{value}{BINARY[power]}"


def _decimal(value: Fraction) -> str:
    nanos, power = ceil(value * 10**9), -9
    if nanos == 0:
        return "0"
    while nanos % 1000 == 0 and power < 18:
        nanos, power = nanos // 1000, power + 3
    return f"{nanos}{DECIMAL[power]}"
