"""Conditions: their texts from the state of an experiment, their times from what they were before."""

from collections.abc import Sequence
from dataclasses import dataclass

from aura_contract.status import Condition, ConditionType, Phase, PlacementStatus
from aura_operator.status.facts import Facts
from aura_operator.status.troubles import Trouble

__all__ = ["MESSAGE", "Situation", "conditions"]

MESSAGE = 2048
"""Longest message that the definition allows: a longer one would keep the whole status from being written."""

Aspect = tuple[bool | None, str, str]
"""Status (None is Unknown), reason and message."""


@dataclass(frozen=True)
class Situation:
    """What conditions are made from: `outcome` is the reason and sentence of a finished experiment.

    `placements` are None for an experiment that has planners in its own cluster alone.
    """

    phase: Phase
    facts: Facts
    troubles: Sequence[Trouble]
    waiting: Sequence[str]
    watched: bool
    outcome: tuple[str, str] | None
    placements: Sequence[PlacementStatus] | None = None


def conditions(situation: Situation, before: Sequence[Condition], generation: int, now: str) -> tuple[Condition, ...]:
    """All eight conditions, with placements a ninth; one whose status has not changed keeps the time of its transition."""
    known = {condition.type: condition for condition in before}
    aspects: dict[ConditionType, Aspect] = {
        "Ready": _ready(situation),
        "DependenciesReady": _dependencies(situation),
        "Progressing": _progressing(situation),
        "MetricsAvailable": _metrics(situation),
        "Suspended": _suspended(situation),
        "Complete": _ended(situation, "Succeeded"),
        "Failed": _ended(situation, "Failed"),
        "Degraded": _degraded(situation),
    }
    if situation.placements is not None:
        aspects["PlacementsReady"] = _placements(situation.placements, finished=situation.outcome is not None)
    return tuple(_condition(name, aspect, known.get(name), generation, now) for name, aspect in aspects.items())


def _placements(placements: Sequence[PlacementStatus], *, finished: bool) -> Aspect:
    unready = [one for one in placements if not one.ready]
    if unready:
        return False, unready[0].reason, "; ".join(f"placement {one.name}: {one.message}" for one in unready)
    if finished:
        return False, "Finished", "the experiment has ended; its planners in other clusters were removed"
    return True, "AllReady", f"planners are ready in {len(placements)} placements"


def _condition(name: ConditionType, aspect: Aspect, before: Condition | None, generation: int, now: str) -> Condition:
    holds, reason, message = aspect
    status = "Unknown" if holds is None else str(holds)
    since = before.last_transition_time if before and before.status == status else now
    return Condition(
        type=name, status=status, reason=reason, message=message[:MESSAGE],
        observed_generation=generation, last_transition_time=since,
    )  # fmt: skip


def _ready(now: Situation) -> Aspect:
    if now.outcome:
        return now.phase == "Succeeded", now.outcome[0], now.outcome[1]
    if now.phase == "Running" and not now.troubles:
        return True, "Replaying", "all parts are up and the log is being replayed"
    if now.troubles:
        return False, now.troubles[0].reason, now.troubles[0].message
    return False, now.phase, _waiting(now) or "not all parts are up yet"


def _dependencies(now: Situation) -> Aspect:
    if now.outcome:
        return False, "Finished", "the experiment has ended; its servers were removed"
    trouble = next((trouble for trouble in now.troubles if trouble.servers), None)
    if trouble:
        return False, trouble.reason, trouble.message
    if now.waiting:
        return False, "WaitingForServers", _waiting(now)
    return True, "AllReady", "all servers answer"


def _waiting(now: Situation) -> str:
    return f"waiting for {', '.join(now.waiting)}" if now.waiting else ""


def _progressing(now: Situation) -> Aspect:
    if now.outcome:
        return False, now.outcome[0], now.outcome[1]
    if now.phase == "Suspended":
        return False, "Suspended", "set spec.suspend to false to go on"
    return (
        True,
        now.phase,
        "the log is being replayed" if now.phase == "Running" else _waiting(now) or "parts are being brought up",
    )


def _metrics(now: Situation) -> Aspect:
    if now.watched:
        return True, "ReplayerAnswers", "the hit ratios of this status are the replayer's own"
    if now.outcome:
        return False, now.outcome[0], "the hit ratios are those of the end"
    return False, "NoReplayer", "no replayer answers yet"


def _suspended(now: Situation) -> Aspect:
    if now.phase == "Suspended":
        return True, "Suspended", "the replay stands still; set spec.suspend to false to go on"
    return False, "NotSuspended", ""


def _ended(now: Situation, phase: Phase) -> Aspect:
    if now.outcome and now.phase == phase:
        return True, now.outcome[0], now.outcome[1]
    return False, now.outcome[0] if now.outcome else "NotFinished", ""


def _degraded(now: Situation) -> Aspect:
    if now.troubles and not now.outcome:
        return True, now.troubles[0].reason, "; ".join(dict.fromkeys(trouble.message for trouble in now.troubles[:3]))
    return False, "AsExpected", ""
