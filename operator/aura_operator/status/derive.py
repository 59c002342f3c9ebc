"""The whole status of an experiment from what was observed: one pure function."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aura_contract.experiment import ExperimentSpec
from aura_contract.results import Progress, Verdict
from aura_contract.status import ExperimentStatus, Phase, PlacementStatus, PlannersStatus
from aura_operator.naming import selector
from aura_operator.status.conditions import MESSAGE, Situation, conditions
from aura_operator.status.facts import PLANNER, Facts
from aura_operator.status.results import from_progress, from_verdict
from aura_operator.status.troubles import PART_LOST, Trouble

__all__ = ["Observation", "active_until", "derive", "stamp", "waiting_for"]

PATIENCE = 5
"""Restarts after which a part that stays lost ends an experiment whose replay had begun."""


@dataclass(frozen=True)
class Observation:
    """One look at an experiment: `servers_wanted` are the components that have to be ready before the replay."""

    name: str
    run: str
    generation: int
    created: datetime
    spec: ExperimentSpec
    before: ExperimentStatus
    facts: Facts
    troubles: Sequence[Trouble]
    progress: Progress | None
    servers_wanted: frozenset[str]
    now: datetime
    placements: tuple[PlacementStatus, ...] = ()


def stamp(moment: datetime) -> str:
    """A time as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def waiting_for(facts: Facts, wanted: frozenset[str]) -> list[str]:
    """Components that have to be ready and are not, and the loader while it runs."""
    ready = {part.component for part in facts.servers if part.is_ready}
    return [*sorted(wanted - ready), *(["loader"] if facts.loaded is False else [])]


def derive(seen: Observation) -> ExperimentStatus:
    """The status after a look; a finished experiment's phase, verdict and times stay as they are."""
    before, facts = seen.before, seen.facts
    waiting = waiting_for(facts, seen.servers_wanted)
    outcome = _outcome(seen)
    phase = outcome[0] if outcome else _phase(seen)
    found: dict[str, object] = {}
    if seen.progress is not None:
        found |= from_progress(seen.progress, seen.spec.planned_arms)
    verdict = _verdict(facts)
    if verdict is not None:
        found |= from_verdict(verdict)
    situation = Situation(
        phase=phase,
        facts=facts,
        troubles=() if outcome else seen.troubles,
        waiting=waiting,
        watched=seen.progress is not None,
        outcome=outcome[1:] if outcome else None,
        placements=seen.placements if seen.spec.planner.placements or seen.placements else None,
    )
    now = stamp(seen.now)
    found |= {
        "phase": phase,
        "message": _message(situation)[:MESSAGE],
        "observed_generation": seen.generation,
        "run": seen.run,
        "started_at": before.started_at or (now if _has_started(seen) else None),
        "finished_at": before.finished_at or (now if outcome else None),
        "planners": _planners(seen),
        "placements": seen.placements,
        "conditions": conditions(situation, before.conditions, seen.generation, now),
    }
    return before.model_copy(update=found)


def _outcome(seen: Observation) -> tuple[Phase, str, str] | None:
    """Phase, reason and sentence of the end, or None while there is none."""
    before = seen.before
    if before.finished_at:
        reason = next(
            (c.reason for c in before.conditions if c.type in ("Complete", "Failed") and c.status == "True"), "Finished"
        )
        return before.phase, reason, before.message
    verdict = _verdict(seen.facts)
    if verdict is not None:
        unmet = _unmet(seen.spec, verdict)
        return ("Failed", "SuccessConditionNotMet", unmet) if unmet else ("Succeeded", verdict.verdict, verdict.reason)
    until = active_until(seen)
    if until is not None and seen.now > until:
        advice = "raise spec.activeDeadlineSeconds or take a shorter log, and apply it again"
        message = f"ran longer than {seen.spec.active_deadline_seconds} s; {advice}"
        return "Failed", "DeadlineExceeded", message
    replayer = seen.facts.replayer
    ending = replayer.ending if replayer else None
    # Before the start it may be a password or an address, which can be mended.
    if before.started_at and replayer and ending and ending.exit_code == PART_LOST:
        if ending.final:
            return "Failed", "PartLost", ending.message
        if replayer.restarts >= PATIENCE:
            return "Failed", "PartLost", f"{ending.message}; gave up after {replayer.restarts} attempts"
    return None


def active_until(seen: Observation) -> datetime | None:
    """When the experiment's time is over; None when it has no deadline or stands still."""
    deadline = seen.spec.active_deadline_seconds
    if deadline is None or seen.spec.suspend:
        return None
    return _active_since(seen) + timedelta(seconds=deadline)


def _active_since(seen: Observation) -> datetime:
    """When it was created, or last resumed."""
    suspended = next((c for c in seen.before.conditions if c.type == "Suspended"), None)
    if suspended is None:
        return seen.created
    if suspended.status == "True":
        # This very look resumes it.
        return seen.now
    return max(datetime.fromisoformat(suspended.last_transition_time), seen.created)


def _verdict(facts: Facts) -> Verdict | None:
    ending = facts.replayer.ending if facts.replayer else None
    return ending.verdict if ending and ending.exit_code == 0 else None


def _unmet(spec: ExperimentSpec, verdict: Verdict) -> str | None:
    wanted = spec.success_condition
    if wanted is None:
        return None
    if verdict.verdict not in wanted.verdicts:
        return f"the verdict is {verdict.verdict}, and successCondition asks for {' or '.join(wanted.verdicts)}: {verdict.reason}"
    least = wanted.min_delta_points
    if least is not None and verdict.delta_points < least:
        return f"the gain is {verdict.delta_points:+.2f} points, and successCondition asks for {least:+g}: {verdict.reason}"
    return None


def _has_started(seen: Observation) -> bool:
    return (seen.progress is not None and seen.progress.phase in ("replaying", "done")) or _verdict(seen.facts) is not None


def _phase(seen: Observation) -> Phase:
    if seen.spec.suspend:
        return "Suspended"
    facts, replayer = seen.facts, seen.facts.replayer
    # A replayer that is tried again is no step back, or the phase would go to and fro.
    if replayer is not None and (seen.before.started_at or replayer.addresses or seen.before.phase == "Running"):
        return "Running"
    if facts.servers or facts.executors or replayer is not None:
        return "Provisioning"
    return "Pending" if seen.troubles else "Provisioning"


def _planners(seen: Observation) -> PlannersStatus:
    labels = ",".join(f"{key}={value}" for key, value in sorted(selector(seen.name, PLANNER).items()))
    local = seen.facts.planners
    return PlannersStatus(
        replicas=local.wanted + sum(one.replicas for one in seen.placements),
        ready=local.ready + sum(one.ready_replicas for one in seen.placements),
        local=local.wanted,
        autoscaler=seen.facts.autoscaler,
        selector=labels,
    )


def _message(now: Situation) -> str:
    if now.outcome:
        return now.outcome[1]
    if now.troubles:
        return now.troubles[0].message
    if now.phase == "Suspended":
        return "the replay stands still; set spec.suspend to false to go on"
    if now.phase == "Running":
        return "the log is being replayed"
    return f"waiting for {', '.join(now.waiting)}" if now.waiting else "parts are being brought up"
