"""Phases and their transitions, deadlines, the success condition, ends."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_samples import CREATED, READY, condition, ending, observation, progress, replayer, spec, verdict

from aura_contract.status import ExperimentStatus
from aura_operator.status.derive import active_until, derive, stamp, waiting_for
from aura_operator.status.facts import Facts, PartState
from aura_operator.status.troubles import Trouble

MISSING = Trouble("SecretNotFound", "Secret login of spec.x does not exist; create it")
EMPTY = Facts()
STARTING = Facts(servers=READY, replayer=replayer(addresses={}))
RUNNING = Facts(servers=READY, replayer=replayer())
OVER = Facts(servers=READY, replayer=replayer(addresses={}, succeeded=True, ending=ending(0, "done", verdict())))


def running() -> ExperimentStatus:
    return derive(observation(facts=RUNNING, progress=progress()))


def finished() -> ExperimentStatus:
    return derive(observation(running(), facts=OVER, seconds=60))


def test_an_experiment_that_cannot_begin_is_pending_and_says_why() -> None:
    status = derive(observation(facts=EMPTY, troubles=[MISSING]))
    assert (status.phase, status.message) == ("Pending", MISSING.message)


def test_an_experiment_without_troubles_is_provisioning_from_the_first_look() -> None:
    status = derive(observation(facts=EMPTY))
    assert (status.phase, status.message) == ("Provisioning", "waiting for kafka, redis-aura, redis-baseline")


def test_external_parts_leave_nothing_to_wait_for() -> None:
    before = derive(observation(facts=EMPTY, servers_wanted=frozenset()))
    after = derive(observation(before, facts=Facts(executors=(PartState("executor-aura", 1, 0),)), servers_wanted=frozenset()))
    assert (before.phase, before.message) == ("Provisioning", "parts are being brought up")
    assert after == before, "one write less for each experiment"


def test_what_is_there_is_being_brought_up_whatever_the_trouble() -> None:
    assert derive(observation(troubles=[MISSING])).phase == "Provisioning"


def test_it_keeps_provisioning_until_the_replayers_container_runs() -> None:
    assert derive(observation(facts=STARTING)).phase == "Provisioning"
    assert derive(observation(facts=RUNNING)).phase == "Running"


def test_a_replayer_that_is_tried_again_is_no_step_back() -> None:
    status = derive(observation(facts=RUNNING))
    assert derive(observation(status, facts=STARTING)).phase == "Running"


def test_a_replay_starts_when_its_replayer_says_that_it_replays() -> None:
    measuring = derive(observation(facts=RUNNING, progress=progress("measuring", 0)))
    replaying = derive(observation(measuring, facts=RUNNING, progress=progress(), seconds=20))
    later = derive(observation(replaying, facts=RUNNING, progress=progress(), seconds=90))
    assert measuring.started_at is None
    assert replaying.started_at == later.started_at == stamp(CREATED + timedelta(seconds=20))


def test_suspending_and_resuming_goes_back_to_running() -> None:
    suspended = derive(observation(running(), spec=spec(suspend=True), facts=STARTING))
    resumed = derive(observation(suspended, facts=STARTING, seconds=50))
    assert (suspended.phase, resumed.phase) == ("Suspended", "Running")
    assert suspended.message == "the replay stands still; set spec.suspend to false to go on"


def test_suspended_before_the_start_it_provisions_after_it() -> None:
    suspended = derive(observation(spec=spec(suspend=True), facts=EMPTY))
    assert derive(observation(suspended, facts=EMPTY)).phase == "Provisioning"


@pytest.mark.parametrize("before", ["Pending", "Provisioning", "Running", "Suspended"])
def test_a_verdict_ends_an_experiment_from_every_phase(before: str) -> None:
    status = derive(observation(ExperimentStatus(phase=before), facts=OVER))
    assert (status.phase, status.verdict, status.progress) == ("Succeeded", "Better", "100%")
    assert (status.message, status.finished_at) == ("the gain is real", stamp(CREATED + timedelta(seconds=10)))
    assert status.started_at == status.finished_at, "a replay too short to be seen has started all the same"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            {"verdicts": ["Worse", "NoDifference"]},
            "the verdict is Better, and successCondition asks for Worse or NoDifference: the gain is real",
        ),
        ({"minDeltaPoints": 2}, "the gain is +1.50 points, and successCondition asks for +2: the gain is real"),
    ],
)
def test_a_success_condition_that_is_not_met_fails_the_experiment(wanted: dict[str, object], message: str) -> None:
    status = derive(observation(running(), facts=OVER, spec=spec(successCondition=wanted)))
    assert (status.phase, status.message) == ("Failed", message)
    assert condition(status, "Failed").reason == "SuccessConditionNotMet"
    assert status.verdict == "Better", "the result is told all the same"


def test_a_success_condition_that_is_met_changes_nothing() -> None:
    wanted = spec(successCondition={"verdicts": ["Better"], "minDeltaPoints": 1.5})
    assert derive(observation(facts=OVER, spec=wanted)).phase == "Succeeded"


def test_an_experiment_fails_when_its_deadline_is_over() -> None:
    limited = spec(activeDeadlineSeconds=60)
    assert derive(observation(spec=limited, seconds=60)).finished_at is None
    status = derive(observation(spec=limited, seconds=61))
    assert (status.phase, condition(status, "Failed").reason) == ("Failed", "DeadlineExceeded")
    assert status.message == ("ran longer than 60 s; raise spec.activeDeadlineSeconds or take a shorter log, and apply it again")


def test_a_result_that_is_there_counts_even_after_the_deadline() -> None:
    assert derive(observation(facts=OVER, spec=spec(activeDeadlineSeconds=60), seconds=999)).phase == "Succeeded"


def test_the_deadline_stands_still_with_the_experiment_and_begins_again_when_it_goes_on() -> None:
    limited, still = spec(activeDeadlineSeconds=60), spec(activeDeadlineSeconds=60, suspend=True)
    first = derive(observation(spec=limited, seconds=5))
    suspended = derive(observation(first, spec=still, seconds=999))
    resumed = derive(observation(suspended, spec=limited, seconds=1000))
    later = derive(observation(resumed, spec=limited, seconds=1060))
    over = derive(observation(later, spec=limited, seconds=1061))
    assert [status.phase for status in (suspended, resumed, later, over)] == ["Suspended", *["Provisioning"] * 2, "Failed"]


def test_the_time_left_is_known_beforehand() -> None:
    assert active_until(observation()) is None
    assert active_until(observation(spec=spec(activeDeadlineSeconds=60, suspend=True))) is None
    assert active_until(observation(spec=spec(activeDeadlineSeconds=60))) == CREATED + timedelta(seconds=60)


@pytest.mark.parametrize(("restarts", "phase"), [(4, "Running"), (5, "Failed")])
def test_an_arm_that_stays_lost_ends_the_experiment_after_five_attempts(restarts: int, phase: str) -> None:
    lost = replayer(addresses={}, restarts=restarts, ending=ending(3, "the server of arm aura lost its memory"))
    status = derive(observation(running(), facts=Facts(servers=READY, replayer=lost)))
    assert status.phase == phase
    if phase == "Failed":
        assert status.message == "the server of arm aura lost its memory; gave up after 5 attempts"
        assert condition(status, "Failed").reason == "PartLost"


def test_an_arm_that_lost_its_counts_for_good_ends_the_experiment_at_once() -> None:
    emptied = ending(3, "Redis of arm aura was restarted empty").model_copy(update={"final": True})
    lost = replayer(addresses={}, restarts=0, ending=emptied)
    status = derive(observation(running(), facts=Facts(servers=READY, replayer=lost)))
    assert (status.phase, status.message) == ("Failed", "Redis of arm aura was restarted empty")
    assert condition(status, "Failed").reason == "PartLost"


def test_an_arm_that_does_not_answer_before_the_start_is_waited_for() -> None:
    lost = replayer(addresses={}, restarts=99, ending=ending(3, "the server of arm aura refuses the password"))
    assert derive(observation(facts=Facts(servers=READY, replayer=lost))).finished_at is None


@pytest.mark.parametrize("code", [1, 2, 130])
def test_no_other_end_of_a_replayer_is_the_experiments(code: int) -> None:
    failing = replayer(addresses={}, restarts=99, ending=ending(code, "no"))
    assert derive(observation(facts=Facts(servers=READY, replayer=failing))).finished_at is None


def test_a_success_whose_result_is_lost_is_no_end() -> None:
    lost = Facts(servers=READY, replayer=replayer(pod=None, addresses={}, succeeded=True))
    status = derive(observation(running(), facts=lost))
    assert (status.phase, status.finished_at) == ("Running", None)


def test_a_finished_experiment_stays_as_it_is_when_everything_else_is_gone() -> None:
    status = finished()
    later = derive(observation(status, facts=EMPTY, troubles=[MISSING], seconds=9999))
    assert later == status


@settings(deadline=None, max_examples=40)
@given(
    seconds=st.integers(0, 10**6),
    facts=st.sampled_from([EMPTY, STARTING, RUNNING, OVER]),
    suspend=st.booleans(),
    troubles=st.lists(st.just(MISSING), max_size=2),
    told=st.sampled_from([None, "measuring", "replaying", "done"]),
)
def test_once_finished_nothing_moves_phase_message_times_or_conditions(seconds, facts, suspend, troubles, told) -> None:
    status = finished()
    later = derive(
        observation(
            status,
            seconds=seconds,
            facts=facts,
            troubles=troubles,
            spec=spec(suspend=suspend, activeDeadlineSeconds=5),
            progress=progress(told) if told else None,
        )
    )
    kept = ("phase", "message", "started_at", "finished_at", "verdict")
    assert [getattr(later, name) for name in kept] == [getattr(status, name) for name in kept]
    assert [c.status for c in later.conditions if c.type in ("Complete", "Failed", "Ready")] == ["True", "True", "False"]


@settings(deadline=None, max_examples=40)
@given(
    seconds=st.integers(0, 5000),
    facts=st.sampled_from([EMPTY, STARTING, RUNNING, OVER]),
    suspend=st.booleans(),
    told=st.sampled_from([None, "measuring", "replaying"]),
)
def test_a_second_look_at_the_same_things_changes_nothing(seconds, facts, suspend, told) -> None:
    seen = observation(
        seconds=seconds, facts=facts, progress=progress(told) if told and facts is RUNNING else None,
        spec=spec(suspend=suspend, activeDeadlineSeconds=1000),
    )  # fmt: skip
    first = derive(seen)
    assert derive(observation(first, seconds=seconds, facts=facts, progress=seen.progress, spec=seen.spec)) == first


def test_a_status_counts_planners_and_finds_them() -> None:
    status = derive(observation(facts=Facts(planners=PartState("planner", 3, 2))))
    assert (status.planners.replicas, status.planners.ready) == (3, 2)
    assert status.planners.selector == "app.kubernetes.io/component=planner,aura.dev/experiment=grocer"


def test_waiting_names_servers_that_are_not_ready_and_a_loader_that_has_not_ended() -> None:
    facts = Facts(servers=(PartState("kafka", 1, 1), PartState("redis-aura", 1, 0)), loaded=False)
    assert waiting_for(facts, frozenset({"kafka", "redis-aura", "mongodb"})) == ["mongodb", "redis-aura", "loader"]


def test_times_are_written_in_utc() -> None:
    assert stamp(CREATED) == "2026-05-04T12:00:00Z"
