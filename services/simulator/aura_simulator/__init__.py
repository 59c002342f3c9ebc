"""Exact cache simulators: LRU, S3-FIFO, the arm's priority, Belady and a clairvoyant prefetcher."""

from aura_simulator.belady import belady
from aura_simulator.clairvoyant import Prefetched, clairvoyant_prefetch
from aura_simulator.lru import lru
from aura_simulator.policies import POLICIES, hit_ratio, simulate
from aura_simulator.priority import TtlTiers, decayed_frequency, frequency_bonus, priority, ttl
from aura_simulator.s3fifo import s3fifo
from aura_simulator.sampled import sampled_priority

__all__ = [
    "POLICIES",
    "Prefetched",
    "TtlTiers",
    "belady",
    "clairvoyant_prefetch",
    "decayed_frequency",
    "frequency_bonus",
    "hit_ratio",
    "lru",
    "priority",
    "s3fifo",
    "sampled_priority",
    "simulate",
    "ttl",
]
