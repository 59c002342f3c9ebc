"""The eight conditions: what each says in every situation, and since when."""

import pytest
from operator_samples import READY, condition, ending, observation, progress, replayer, spec, verdict

from aura_contract.status import ExperimentStatus
from aura_operator.status.derive import derive
from aura_operator.status.facts import Facts
from aura_operator.status.troubles import Trouble

NAMES = ["Ready", "DependenciesReady", "Progressing", "MetricsAvailable", "Suspended", "Complete", "Failed", "Degraded"]
RUNNING = Facts(servers=READY, replayer=replayer())
OVER = Facts(servers=READY, replayer=replayer(addresses={}, succeeded=True, ending=ending(0, "done", verdict())))
PLANNER_LOST = Trouble("ImageNotPulled", "image x of planner cannot be pulled", servers=False)
SERVER_LOST = Trouble("ImageNotPulled", "image x of kafka cannot be pulled")


def told(status: ExperimentStatus) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.reason) for one in status.conditions}


SITUATIONS = {
    "nothing there yet": (
        {"facts": Facts()},
        ["False Provisioning", "False WaitingForServers", "True Provisioning", "False NoReplayer"],
        ["False NotSuspended", "False NotFinished", "False NotFinished", "False AsExpected"],
    ),
    "running and answering": (
        {"facts": RUNNING, "progress": progress()},
        ["True Replaying", "True AllReady", "True Running", "True ReplayerAnswers"],
        ["False NotSuspended", "False NotFinished", "False NotFinished", "False AsExpected"],
    ),
    "running without planners": (
        {"facts": RUNNING, "troubles": [PLANNER_LOST]},
        ["False ImageNotPulled", "True AllReady", "True Running", "False NoReplayer"],
        ["False NotSuspended", "False NotFinished", "False NotFinished", "True ImageNotPulled"],
    ),
    "a server in trouble": (
        {"facts": Facts(), "troubles": [SERVER_LOST]},
        ["False ImageNotPulled", "False ImageNotPulled", "True Pending", "False NoReplayer"],
        ["False NotSuspended", "False NotFinished", "False NotFinished", "True ImageNotPulled"],
    ),
    "suspended": (
        {"spec": spec(suspend=True)},
        ["False Suspended", "True AllReady", "False Suspended", "False NoReplayer"],
        ["True Suspended", "False NotFinished", "False NotFinished", "False AsExpected"],
    ),
    "succeeded": (
        {"facts": OVER},
        ["True Better", "False Finished", "False Better", "False Better"],
        ["False NotSuspended", "True Better", "False Better", "False AsExpected"],
    ),
    "failed": (
        {"facts": OVER, "spec": spec(successCondition={"verdicts": ["Worse"]})},
        ["False SuccessConditionNotMet", "False Finished", "False SuccessConditionNotMet", "False SuccessConditionNotMet"],
        ["False NotSuspended", "False SuccessConditionNotMet", "True SuccessConditionNotMet", "False AsExpected"],
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_conditions_say_how_it_stands(situation: str) -> None:
    seen, first, second = SITUATIONS[situation]
    found = told(derive(observation(**seen)))
    assert found == dict(zip(NAMES, (tuple(one.split()) for one in first + second), strict=True))


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    first = derive(observation(facts=Facts(), seconds=0))
    second = derive(observation(first, facts=RUNNING, seconds=30, generation=4))
    times = {name: condition(second, name).last_transition_time for name in NAMES}
    assert {name for name, time in times.items() if time == "2026-05-04T12:00:30Z"} == {"Ready", "DependenciesReady"}
    assert condition(first, "Progressing").reason != condition(second, "Progressing").reason, "a reason alone is no transition"
    assert {one.observed_generation for one in second.conditions} == {4}


def test_a_degraded_experiment_names_three_troubles_at_most_and_each_once() -> None:
    several = [SERVER_LOST, SERVER_LOST, PLANNER_LOST, Trouble("Other", "a fourth")]
    message = condition(derive(observation(troubles=several)), "Degraded").message
    assert message == "image x of kafka cannot be pulled; image x of planner cannot be pulled"


def test_a_message_is_no_longer_than_the_definition_allows() -> None:
    status = derive(observation(troubles=[Trouble("Long", "x" * 5000)]))
    assert len(condition(status, "Degraded").message) == 2048
    assert ExperimentStatus.model_validate(status.model_dump(by_alias=True)) == status


def test_the_message_of_an_end_stays_with_its_conditions() -> None:
    status = derive(observation(facts=OVER))
    assert {condition(status, name).message for name in ("Ready", "Progressing", "Complete")} == {"the gain is real"}
    assert condition(status, "DependenciesReady").message == "the experiment has ended; its servers were removed"
