"""Quantities as apimachinery writes them."""

import pytest

from aura_operator.quantities import canonical


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.1Gi", "107374182400m"),
        ("512", "512"),
        ("1000", "1k"),
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1500m", "1500m"),
        ("1.50", "1500m"),
        ("1000Ki", "1000Ki"),
        ("100Mi", "100Mi"),
        ("0", "0"),
        ("0Mi", "0"),
        ("2000M", "2G"),
        ("1048576", "1048576"),
        ("much", "much"),
    ],
)
def test_canonical_form(written: str, stored: str) -> None:
    assert canonical(written) == stored
    assert canonical(stored) == stored
