"""Kubernetes quantities in the form in which the API server gives them back."""

import re
from collections.abc import Mapping
from fractions import Fraction
from math import ceil

__all__ = ["canonical", "canonical_all"]

DECIMAL = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
FORM = re.compile(r"^([0-9]+(?:\.[0-9]+)?)([numkMGTPE]|[KMGTPE]i)?$")


def canonical(quantity: str) -> str:
    """`1024Mi` as `1Gi`, `0.5` as `500m`: the largest suffix that leaves a whole number, as apimachinery's `CanonicalizeBytes`.

    What is no quantity comes back as it is; the API server says what is wrong with it.
    """
    match = FORM.match(quantity)
    if match is None:
        return quantity
    number, suffix = Fraction(match[1]), match[2] or ""
    if suffix in BINARY[1:]:
        value = number * 1024 ** BINARY.index(suffix)
        # Below a kibibyte, or with a fraction of a byte, the server writes decimal suffixes.
        if value.denominator == 1 and value >= 1024:
            return _binary(int(value))
        return _decimal(value)
    exponent = next(power for power, name in DECIMAL.items() if name == suffix)
    return _decimal(number * Fraction(10) ** exponent)


def canonical_all(quantities: Mapping[str, str]) -> dict[str, str]:
    """Quantities by resource, each in canonical form."""
    return {name: canonical(quantity) for name, quantity in quantities.items()}


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
