"""What must hold after a run, whatever happened in it: nothing lost, nothing twice, no lost arm averaged over."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aura_contract.receipt import Receipt
from aura_contract.results import Verdict, WindowRecord

__all__ = ["Evidence", "problems"]


@dataclass(frozen=True)
class Evidence:
    """What a run left: `expected` is the number of requests in each of the log's windows, `states` what the servers of the arms
    counted themselves, `receipts` the applied topic from its start; both are empty where a server's data was lost.

    `verdict` is None where the run failed; `sentence` is what it said then. `lost` are the arms whose server was started again
    empty between their first window and the run's end.
    """

    expected: Sequence[int]
    verdict: Verdict | None
    sentence: str | None
    windows: Sequence[WindowRecord]
    states: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    receipts: Sequence[Receipt] = ()
    lost: frozenset[str] = frozenset()


def problems(found: Evidence) -> list[str]:
    """A sentence for everything that is not as it must be."""
    told = [*_windows(found), *_plans(found)]
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
        applied = {receipt.plan_id for receipt in found.receipts if receipt.arm == name and receipt.outcome == "applied"}
        carried_out = int(state.get("plans", 0))
        if carried_out != len(applied):
            told.append(f"arm {name} carried out {carried_out} plans, and {len(applied)} plans have a receipt that says so")
    return told
