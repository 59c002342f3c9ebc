"""What a run did on the tail of its log: behind the head that planners may be tuned and trained on, and behind the warm-up."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

__all__ = ["HEAD", "Part", "tail_of"]

HEAD = 0.3
"""Share of the log's windows that is not reported."""

POLICIES = ("lru", "s3fifo", "belady")


@dataclass(frozen=True)
class Part:
    """Hits and backend reads of an arm, or of an exact policy, on the tail's requests."""

    requests: int
    hits: int
    reads: int

    @property
    def ratio(self) -> float:
        """Hit ratio."""
        return self.hits / self.requests


def tail_of(folder: Path) -> dict[str, Part]:
    """By arm and exact policy."""
    verdict = json.loads((folder / "verdict.json").read_text())
    ceilings = json.loads((folder / "ceilings.json").read_text())
    by_arm: dict[str, list[dict[str, int]]] = {}
    for line in (folder / "windows.jsonl").read_text().splitlines():
        record = json.loads(line)
        by_arm.setdefault(record["arm"], []).append(record)
    baseline = by_arm["baseline"]
    start = max(verdict["warmup_windows"], math.ceil(HEAD * len(baseline)))
    requests = sum(record["requests"] for record in baseline[start:])
    found = {
        arm: Part(requests, _sum(records[start:], "hits"), _sum(records[start:], "backend_reads"))
        for arm, records in by_arm.items()
    }
    for policy in POLICIES:
        hits = sum(ceilings[policy]["hits"][start:])
        found[policy] = Part(requests, hits, requests - hits)
    return found


def _sum(records: list[dict[str, int]], name: str) -> int:
    return sum(record[name] for record in records)
