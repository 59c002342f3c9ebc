"""Which objects should be there at which time."""

import pytest
from builders.sample_blueprints import EMBEDDED, EXTERNAL, MINIMAL
from operator_samples import ending, replayer, verdict

from aura_operator.blueprint import Blueprint
from aura_operator.reconcile.stages import plan
from aura_operator.status.facts import Facts, PartState

SERVERS = ("kafka", "redis-aura", "redis-baseline")
READY = tuple(PartState(name, 1, 1) for name in SERVERS)
ALL_READY = tuple(PartState(name, 1, 1) for name in (*SERVERS, "redis-noop", "redis-random", "mongodb", "milvus", "ollama"))


def planned(blueprint: Blueprint, facts: Facts, present=(), *, finished: bool = False, blocked: bool = False) -> set[str]:
    desired = plan(blueprint, facts, present, finished=finished, blocked=blocked).desired
    return {f"{item['kind']}/{item['metadata']['name'].removeprefix('grocer-')}" for item in desired}


def test_servers_come_first_and_alone() -> None:
    found = planned(MINIMAL, Facts())
    assert {"Deployment/redis-aura", "StatefulSet/kafka", "PersistentVolumeClaim/results"} <= found
    assert not {"Deployment/planner", "Job/replayer"} & found


def test_workers_come_when_all_servers_are_ready() -> None:
    workers = {"Deployment/planner", "Deployment/executor-aura", "Job/replayer"}
    assert not workers & planned(MINIMAL, Facts(servers=READY[1:]))
    assert workers <= planned(MINIMAL, Facts(servers=READY))


def test_external_servers_are_waited_for_by_nobody() -> None:
    assert plan(EXTERNAL, Facts(), (), finished=False, blocked=False).servers_wanted == frozenset()
    assert "Job/loader" in planned(EXTERNAL, Facts())


@pytest.mark.parametrize(("loaded", "works"), [(None, False), (False, False), (True, True)])
def test_workers_wait_for_the_loader_where_there_is_one(loaded: bool | None, works: bool) -> None:
    found = planned(EMBEDDED, Facts(servers=ALL_READY, loaded=loaded))
    assert ("Job/loader" in found, "Job/replayer" in found) == (True, works)


def test_a_server_that_is_lost_during_the_replay_takes_no_worker_away() -> None:
    assert "Deployment/planner" in planned(EMBEDDED, Facts(servers=(), loaded=False, replayer=replayer()))


def test_nothing_is_brought_up_for_an_experiment_that_could_not_begin() -> None:
    assert planned(MINIMAL, Facts(servers=READY), blocked=True) == set()


def test_nothing_is_torn_down_for_an_experiment_that_may_go_on() -> None:
    present = [("Deployment", "grocer-planner"), ("PersistentVolumeClaim", "grocer-results"), ("Deployment", "grocer-old")]
    found = planned(EXTERNAL, Facts(), present, blocked=True)
    assert found == {"Deployment/planner", "PersistentVolumeClaim/results"}


def test_a_running_replay_is_not_blocked_by_what_it_needed_to_begin() -> None:
    facts = Facts(servers=READY, replayer=replayer())
    assert planned(MINIMAL, facts, blocked=True) == planned(MINIMAL, facts)


def test_a_job_whose_result_is_lost_is_made_anew() -> None:
    lost = Facts(servers=READY, replayer=replayer(succeeded=True, pod=None))
    there = Facts(servers=READY, replayer=replayer(succeeded=True))
    assert ("Job/replayer" in planned(MINIMAL, lost), "Job/replayer" in planned(MINIMAL, there)) == (False, True)
    assert "Deployment/executor-aura" in planned(MINIMAL, lost)


def test_after_the_end_results_stay_and_all_else_goes() -> None:
    succeeded = planned(EMBEDDED, Facts(replayer=replayer(succeeded=True)), finished=True)
    assert {"PersistentVolumeClaim/results", "Job/replayer"} <= succeeded
    assert not [name for name in succeeded if name.startswith(("Deployment/", "StatefulSet/", "Service/"))]


def test_a_job_that_has_told_its_verdict_stays_though_it_has_not_ended_yet() -> None:
    told = replayer(ending=ending(0, "done", verdict()))
    assert "Job/replayer" in planned(MINIMAL, Facts(replayer=told), finished=True)


def test_a_job_that_was_stopped_by_the_deadline_goes_too() -> None:
    found = planned(MINIMAL, Facts(replayer=replayer()), finished=True)
    assert "PersistentVolumeClaim/results" in found
    assert "Job/replayer" not in found


def test_keda_takes_over_when_the_autoscaler_of_before_is_gone() -> None:
    facts = Facts(servers=(), loaded=True)
    assert "ScaledObject/planner" in planned(EXTERNAL, facts)
    found = planned(EXTERNAL, facts, [("HorizontalPodAutoscaler", "grocer-planner")])
    assert not {"ScaledObject/planner", "HorizontalPodAutoscaler/planner"} & found
    assert "ScaledObject/planner" in planned(EXTERNAL, facts, [("HorizontalPodAutoscaler", "keda-hpa-grocer-planner")])
