"""What must hold after a run, whatever happened in it: nothing lost, nothing twice, no lost arm averaged over."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aura_contract.plan import Plan
from aura_contract.receipt import Receipt
from aura_contract.results import Verdict, WindowRecord
from aura_planner.enrichment import LOOKUP_SECONDS

__all__ = ["Evidence", "problems"]

UNANSWERED = ("no_answer", "busy", "late")
SOURCES_ASKED, SLACK_SECONDS = 2, 1.5
"""After the model's answer the catalogue and the neighbours may be asked once more; the machine may be busy."""


@dataclass(frozen=True)
class Evidence:
    """What a run left: `expected` is the number of requests in each of the log's windows, `states` what the servers of the arms
    counted themselves, `receipts` the applied topic from its start, `idle` the plans that ask for nothing; all are empty where a
    server's data was lost.

    `verdict` is None where the run failed; `sentence` is what it said then. `lost` are the arms whose server was started again
    empty between their first window and the run's end. `plans` took at most `plan_seconds` on the planner's clock, and what their
    look-ups may add. `lookups` are, by source, how many the planner counts as failed and how often its log says so. With
    `only_context` nothing was hit but what planners ask.
    """

    expected: Sequence[int]
    verdict: Verdict | None
    sentence: str | None
    windows: Sequence[WindowRecord]
    states: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    receipts: Sequence[Receipt] = ()
    idle: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    plans: Sequence[Plan] = ()
    plan_seconds: float = 0.0
    lookups: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    only_context: bool = False


def problems(found: Evidence) -> list[str]:
    """A sentence for everything that is not as it must be."""
    told = [*_windows(found), *_plans(found), *_context(found)]
    if found.verdict is None:
        return told if found.sentence else [*told, "the run failed without a word"]
    if found.lost:
        told.append(f"a verdict in spite of arm {min(found.lost)}, whose server was started again empty")
    return [*told, *_totals(found, found.verdict)]


def _windows(found: Evidence) -> list[str]:
    """Every window once for each arm, with the log's number of requests."""
    told = []
    counts = Counter((record.arm, record.window) for record in found.windows)
    told += [f"window {window} of arm {arm} is told {count} times" for (arm, window), count in counts.items() if count > 1]
    for record in found.windows:
        if record.requests != found.expected[record.window]:
            told.append(
                f"window {record.window} of arm {record.arm} has {record.requests} requests of {found.expected[record.window]}"
            )
        if record.hits + record.misses != record.requests:
            told.append(f"window {record.window} of arm {record.arm}: hits and misses are not its requests")
    return told


def _totals(found: Evidence, verdict: Verdict) -> list[str]:
    """The verdict, its windows, and what each server itself has counted agree with the log."""
    told, requests = [], sum(found.expected)
    for name, arm in verdict.arms.items():
        mine = [record for record in found.windows if record.arm == name]
        if {record.window for record in mine} != set(range(len(found.expected))):
            told.append(f"arm {name} has {len(mine)} windows of {len(found.expected)}")
        if arm.requests != requests or arm.hits + arm.misses != requests:
            told.append(f"arm {name}: {arm.requests} requests, {arm.hits} hits and {arm.misses} misses of {requests} requests")
        if arm.hits != sum(record.hits for record in mine):
            told.append(f"arm {name}: {arm.hits} hits, but {sum(record.hits for record in mine)} in its windows")
        state = found.states.get(name)
        if state is not None and (int(state["requests"]), int(state["hits"])) != (arm.requests, arm.hits):
            told.append(
                f"arm {name}: {arm.requests} requests and {arm.hits} hits, its server says {state['requests']}, {state['hits']}"
            )
    return told


def _plans(found: Evidence) -> list[str]:
    """No plan is carried out twice, and each that was carried out has its receipt."""
    told = []
    for name, state in found.states.items():
        applied = {
            receipt.plan_id for receipt in found.receipts if receipt.arm == name and receipt.outcome == "applied"
        } - found.idle
        carried_out = int(state.get("plans", 0))
        if carried_out != len(applied):
            told.append(f"arm {name} carried out {carried_out} plans, and {len(applied)} plans have a receipt that says so")
    return told


def _context(found: Evidence) -> list[str]:
    """What planners ask costs context or plans and nothing else: no window waits for it, and all of it is counted."""
    most = found.plan_seconds + SOURCES_ASKED * LOOKUP_SECONDS + SLACK_SECONDS
    told = [
        f"window {plan.window} waited {plan.latency_s:.1f} s for its plan, {most:g} at the most"
        for plan in found.plans
        if plan.latency_s is not None and plan.latency_s > most
    ]
    for source, (failed, said) in found.lookups.items():
        if said != min(1, failed):
            told.append(f"{failed} look-ups of the {source} are counted as failed, and the log says so {said} times")
    if not found.only_context:
        return told
    if found.verdict is None:
        return [*told, f"the run ended for want of context: {found.sentence}"]
    plans, windows = found.verdict.arms["aura"].plans, len(found.expected) - 1
    answered = plans.decided + sum(count for outcome, count in plans.unplanned.items() if outcome not in UNANSWERED)
    if answered != windows or {plan.window for plan in found.plans} != set(range(windows)):
        told.append(f"{answered} of {windows} windows have an answer of the planner")
    return told
