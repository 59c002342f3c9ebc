"""A result folder as a run leaves it, synthesised through the contract's own models."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from aura_contract.plan import Plan, Policy, Prefetch
from aura_contract.receipt import ActionCounts, Receipt
from aura_contract.results import PlanCounts, WindowRecord
from aura_evidence.verdict import make_verdict

WINDOW = 5000
PLANNERS = {"baseline": None, "aura": "ollama/llama3.2:1b", "heuristic": "heuristic", "noop": "noop"}
GAIN = {"baseline": 0.0, "aura": 0.021, "heuristic": 0.013, "noop": 0.0}

MANIFEST = """\
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata:
  name: sample
spec:
  workload:
    source: {dataset: complete-journey}
    requests: [purchase]
    limit: 300000
  cache: {capacity: 5%}
  trigger: {everyEvents: 5000}
  planner: {backend: ollama, model: 'llama3.2:1b'}  # a comment with <b>markup</b>
  controls: [heuristic, noop]
  seed: 7
"""
CEILINGS = {
    "lru": {"hit_ratio": 0.412, "backend_reads": 176400, "prefetches": 0},
    "s3fifo": {"hit_ratio": 0.463, "backend_reads": 161100, "prefetches": 0},
    "belady": {"hit_ratio": 0.642, "backend_reads": 107400, "prefetches": 0},
    "clairvoyant_prefetch": {"hit_ratio": 0.6458, "backend_reads": 107460, "prefetches": 1200},
    "capacity_items": 1700,
}
SENSITIVITY = {
    "10": {"hit_ratio": 0.401, "delta_points": 0.4},
    "0": {"hit_ratio": 0.431, "delta_points": 2.3},
    "1": {"hit_ratio": 0.429, "delta_points": 2.1},
}
SETTINGS = (
    Policy(frequency="medium", ttl={"dairy > milk": "long"}, protect=("bread",)),
    Policy(frequency="high"),
    Policy(frequency="high", admit="second_hit", protect=("bread", "eggs")),
)


def windows_of(arm: str, count: int, shape: np.ndarray, noise: np.random.Generator) -> list[WindowRecord]:
    records = []
    for window in range(count):
        prefetches = 15 if arm in {"aura", "heuristic"} and window > 1 else 0
        gain = GAIN[arm] * min(1.0, window / 8)
        hits = int(WINDOW * np.clip(shape[window] + gain + noise.normal(0, 0.004), 0, 1))
        misses = WINDOW - hits
        records.append(
            WindowRecord(
                arm=arm,
                window=window,
                first_event=window * WINDOW,
                last_event=(window + 1) * WINDOW - 1,
                end_v=(window + 1) * WINDOW,
                requests=WINDOW,
                hits=hits,
                misses=misses,
                fills=misses,
                prefetches=prefetches,
                prefetch_hits=int(prefetches * 0.4),
                backend_reads=misses + prefetches,
                hit_ratio=round(hits / WINDOW, 6),
                pressure=min(1.0, 0.22 * (window + 1)) - float(noise.uniform(0, 0.02)),
                items=min(1700, 500 * (window + 1)),
                policy=SETTINGS[window // 9 % 3] if prefetches else Policy(),
                plan_id=f"{arm}-{window - 1}" if prefetches and window % 7 else None,
                batch_p50_ms=0.4,
                batch_p99_ms=round(float(noise.uniform(0.8, 2.4)), 3),
            )
        )
    return records


def plan_of(arm: str, window: int, noise: np.random.Generator, title: str, answer: str) -> tuple[Plan, Receipt]:
    slow = arm == "aura"
    failed = slow and window % 7 == 0
    prefetch = tuple(Prefetch(k=f"item:{n}", v=json.dumps({"item": str(n), "title": f"{title} {n}"}), ttl=900) for n in range(15))
    plan = Plan(
        evict=() if failed else ("item:900", "item:901"),
        prefetch=() if failed else prefetch,
        policy=None if failed else SETTINGS[0],
        plan_id=f"{arm}-{window}",
        run="run-1",
        arm=arm,
        window=window,
        planner=PLANNERS[arm],
        issued_at=1.0,
        apply_at=window * WINDOW,
        latency_s=float(noise.uniform(1.5, 4.0)) if slow else float(noise.uniform(0.0008, 0.002)),
        outcome="timeout" if failed else "planned",
        answer=answer if slow else None,
    )
    receipt = Receipt(
        plan_id=plan.plan_id,
        run="run-1",
        arm=arm,
        window=window,
        planner=plan.planner,
        outcome="applied",
        requested=ActionCounts(evict=2, prefetch=15),
        applied=ActionCounts(evict=2, prefetch=13),
        effective=ActionCounts(evict=1, prefetch=12),
        policy=True,
        refused={"held_out": 2} if window % 3 else {"held_out": 1, "foreign_key": 1},
        applied_at=window * WINDOW,
        latency_ms=float(noise.uniform(0.4, 3.0)),
    )
    return plan, receipt


def write_sample(
    folder: Path,
    windows: int = 60,
    title: str = "Whole milk",
    answer: str = '{"frequency": "medium", "seeds": [3, 1, 4], "why": "milk rises before the weekend"}',
    reason: str | None = None,
    ceilings: bool = True,
    sensitivity: bool = False,
    planners: dict[str, str | None] = PLANNERS,
) -> Path:
    """Fill `folder`; untrusted texts can be chosen."""
    noise = np.random.default_rng(3)
    shape = 0.40 + 0.03 * np.sin(np.arange(windows) / 5) - 0.3 * np.exp(-np.arange(windows) / 2.0)
    records = [record for arm in planners for record in windows_of(arm, windows, shape, noise)]
    made = [plan_of(arm, w, noise, title, answer) for w in range(1, windows) for arm in planners if arm in {"aura", "heuristic"}]
    plans, receipts = [plan for plan, _ in made], [receipt for plan, receipt in made if plan.prefetch]
    unplanned: dict[str, int] = {"timeout": windows // 7, "busy": 0}
    if reason is not None:
        receipts[0] = receipts[0].model_copy(update={"refused": {reason: 3}})
        unplanned[reason] = 2
    counts = {
        arm: PlanCounts(
            decided=windows - 1 - windows // 7,
            applied=max(0, windows - 3 - windows // 7),
            refused=min(1, windows - 1),
            unplanned=unplanned,
        )
        for arm in planners
        if arm in {"aura", "heuristic"}
    }
    verdict = make_verdict(
        "sample", "run-1", records, counts, planners, capacity_items=6000, events=windows * WINDOW, bad_rows=0,
        wall_seconds=9.5, data_sha256="5f" * 32, seed=7,
    ).model_copy(update={"budget_bytes": 1_234_567})  # fmt: skip
    _lines(folder / "windows.jsonl", records)
    _lines(folder / "plans.jsonl", plans)
    _lines(folder / "receipts.jsonl", receipts)
    (folder / "verdict.json").write_text(verdict.model_dump_json(indent=2))
    (folder / "experiment.yaml").write_text(MANIFEST)
    if ceilings:
        (folder / "ceilings.json").write_text(json.dumps(CEILINGS))
    if sensitivity:
        (folder / "sensitivity.json").write_text(json.dumps(SENSITIVITY))
    return folder


def _lines(path: Path, records: list[Any]) -> None:
    path.write_text("".join(record.model_dump_json() + "\n" for record in records))
