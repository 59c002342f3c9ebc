"""What a user is told of as events: each transition once."""

from operator_samples import READY, observation, replayer, verdict
from operator_samples import ending as ended

from aura_contract.status import ExperimentStatus
from aura_operator.reconcile.reporting import transitions
from aura_operator.status.derive import derive
from aura_operator.status.facts import Facts
from aura_operator.status.troubles import Trouble

NO_NODE = Trouble("Unschedulable", "pod x finds no node; add nodes")
NO_SECRET = Trouble("SecretNotFound", "Secret s does not exist; create it", servers=True)
UP = Facts(servers=READY, replayer=replayer())


def test_the_first_look_tells_of_its_phase_and_its_trouble() -> None:
    status = derive(observation(facts=Facts(), troubles=[NO_SECRET]))
    told = transitions(ExperimentStatus(), status)
    assert [(kind, reason) for kind, reason, _ in told] == [("Normal", "Pending"), ("Warning", "SecretNotFound")]
    assert told[1][2] == NO_SECRET.message


def test_the_same_is_not_told_twice() -> None:
    status = derive(observation(facts=Facts(), troubles=[NO_SECRET]))
    longer = derive(observation(status, facts=Facts(), troubles=[Trouble("SecretNotFound", "another sentence", servers=True)]))
    assert not transitions(status, longer)


def test_another_trouble_is_told_of_and_that_it_is_over() -> None:
    first = derive(observation(facts=UP, troubles=[NO_SECRET]))
    second = derive(observation(first, facts=UP, troubles=[NO_NODE]))
    well = derive(observation(second, facts=UP))
    assert transitions(first, second) == [("Warning", "Unschedulable", NO_NODE.message)]
    assert transitions(second, well) == [("Normal", "Recovered", "Unschedulable is over")]


def test_a_phase_is_told_in_its_own_words() -> None:
    status = derive(observation(facts=UP, troubles=[NO_NODE]))
    running = derive(observation(status, facts=UP, troubles=[NO_NODE]))
    assert running.message == NO_NODE.message
    assert transitions(ExperimentStatus(), running)[0] == ("Normal", "Running", "the log is being replayed")


def test_the_end_is_told_with_its_reason_and_nothing_else() -> None:
    before = derive(observation(facts=UP, troubles=[NO_NODE]))
    facts = Facts(servers=READY, replayer=replayer(ending=ended(0, "done", verdict())))
    status = derive(observation(before, facts=facts, troubles=[NO_NODE]))
    assert transitions(before, status) == [("Normal", "Succeeded", "the gain is real")]
