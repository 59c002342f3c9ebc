"""Ceilings of a small log."""

import json

import numpy as np

from aura_evidence.ceilings import ceilings


def test_ceilings_are_ordered_and_json() -> None:
    codes = np.random.default_rng(0).zipf(1.3, 5000) % 400
    result = ceilings(codes, 20, 5, 500)
    assert json.loads(json.dumps(result)) == result
    assert result["capacity_items"] == 20
    ratios = [result[name]["hit_ratio"] for name in ("lru", "belady", "clairvoyant_prefetch")]
    assert ratios == sorted(ratios)
    assert result["s3fifo"]["hit_ratio"] <= result["belady"]["hit_ratio"]
    oracle = result["clairvoyant_prefetch"]
    assert oracle["backend_reads"] == round((1 - oracle["hit_ratio"]) * 5000) + oracle["prefetches"]
