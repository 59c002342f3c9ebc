"""What is known of the experiments' objects, whatever the order in which it is told."""

import copy
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from operator_samples import child, deployment, pod

from aura_operator.blueprint import Manifest
from aura_operator.cluster.children import Children
from aura_operator.cluster.kinds import Kind, kind_of
from aura_operator.naming import EXPERIMENT

OWNER = ("shop", "grocer")
DEPLOYMENT = Kind("apps/v1", "Deployment")


def at(version: int, component: str = "kafka", **changes: object) -> Manifest:
    return child("Deployment", component, version=version, spec={"replicas": version}, **changes)


def replicas(children: Children, component: str = "kafka") -> int | None:
    found = children.of(OWNER).get(("Deployment", f"grocer-{component}"))
    return found["spec"]["replicas"] if found else None


def test_an_object_is_found_by_its_owner() -> None:
    children = Children()
    assert children.put(at(1)) == OWNER
    assert list(children.of(OWNER)) == [("Deployment", "grocer-kafka")]
    assert children.of(("shop", "another")) == children.of(("elsewhere", "grocer")) == {}


def test_an_older_state_that_comes_late_is_no_news() -> None:
    children = Children()
    assert [children.put(at(version)) for version in (2, 1, 2)] == [OWNER, None, None]
    assert replicas(children) == 2


def test_an_older_state_does_not_bring_a_deleted_object_back() -> None:
    children = Children()
    children.put(at(1, "planner"))
    children.put(at(1))
    assert children.drop(at(3)) == OWNER
    assert children.put(at(2)) is None
    assert replicas(children) is None
    assert children.put(at(4)) == OWNER
    assert replicas(children) == 4


def test_the_deletion_of_an_older_object_of_the_name_is_no_news() -> None:
    children = Children()
    children.put(at(5))
    assert children.drop(at(3)) is None
    assert replicas(children) == 5


def test_a_deletion_of_what_is_not_known_is_no_news() -> None:
    assert Children().drop(at(1)) is None


@settings(deadline=None)
@given(st.permutations([at(1), at(2), at(4), ("gone", at(3))]))
def test_the_order_of_what_is_told_does_not_matter(order: list[object]) -> None:
    children = Children()
    children.put(at(1, "planner"))
    for told in order:
        children.drop(told[1]) if isinstance(told, tuple) else children.put(told)
    assert replicas(children) == 4


def test_a_deletion_wins_over_everything_before_it_in_every_order() -> None:
    for order in itertools.permutations([at(1), at(2), ("gone", at(3))]):
        children = Children()
        children.put(at(1, "planner"))
        for told in order:
            children.drop(told[1]) if isinstance(told, tuple) else children.put(told)
        # A deletion that is told first, of what is not known yet, cannot be remembered for everything that ever was.
        if not isinstance(order[0], tuple):
            assert replicas(children) is None


def test_a_change_of_what_nobody_looks_at_is_no_news() -> None:
    children, first, second = Children(), deployment("kafka"), deployment("kafka")
    second["metadata"] |= {"resourceVersion": "2", "managedFields": [{"manager": "x"}]}
    second["status"] |= {"replicas": 7, "conditions": [{"type": "Available", "status": "True"}]}
    children.put(first)
    version = children.version(OWNER)
    assert children.put(second) is None
    assert children.version(OWNER) == version
    second["metadata"]["resourceVersion"], second["status"]["readyReplicas"] = "3", 0
    assert children.put(second) == OWNER
    assert children.version(OWNER) > version


def test_all_of_a_pods_status_is_kept() -> None:
    children, item = Children(), pod("kafka", {"state": {"running": {}}}, podIP="10.0.0.1", conditions=[{"type": "Ready"}])
    children.put(item)
    assert children.of(OWNER)["Pod", "grocer-kafka-x"]["status"] == item["status"]


def unlabelled(item: Manifest, *, owned: bool = True) -> Manifest:
    found = copy.deepcopy(item)
    del found["metadata"]["labels"][EXPERIMENT]
    if not owned:
        del found["metadata"]["ownerReferences"]
    return found


def test_an_object_whose_label_was_taken_away_is_still_its_owners() -> None:
    children = Children()
    assert children.put(unlabelled(at(1))) == OWNER
    children.put(at(2, "results"))
    assert children.put(unlabelled(at(3, "results"), owned=False)) == OWNER
    assert Children().put(unlabelled(at(1), owned=False)) is None


def test_an_object_that_another_experiment_takes_over_is_no_longer_the_firsts() -> None:
    children = Children()
    children.put(at(1))
    taken = at(2)
    taken["metadata"]["ownerReferences"][0]["name"] = "another"
    assert children.put(taken) == ("shop", "another")
    assert children.of(OWNER) == {}


def test_a_listing_is_the_truth_of_its_kind_and_namespace_at_its_version() -> None:
    children = Children()
    service = child("Service", "kafka", api="v1", version=1, spec={})
    elsewhere = at(1, "kafka")
    elsewhere["metadata"] = {**elsewhere["metadata"], "namespace": "elsewhere"}
    for item in (at(1), at(2, "planner"), at(9, "executor-aura"), service, elsewhere):
        children.put(item)
    assert children.replace(DEPLOYMENT, "shop", iter([at(3, "planner")]), 5) == {OWNER}
    assert set(children.of(OWNER)) == {
        ("Deployment", "grocer-planner"),
        ("Deployment", "grocer-executor-aura"),
        ("Service", "grocer-kafka"),
    }
    assert len(children.of(("elsewhere", "grocer"))) == 1
    assert children.replace(DEPLOYMENT, None, iter([]), 99) == {OWNER, ("elsewhere", "grocer")}


def test_a_listing_that_says_nothing_new_wakes_nobody() -> None:
    children = Children()
    children.put(at(1))
    assert children.replace(DEPLOYMENT, None, iter([at(1)]), 5) == set()


def test_nothing_is_kept_of_an_owner_without_objects() -> None:
    children = Children()
    for item in (at(1), at(1, "planner")):
        children.put(item)
    for item in (at(2), at(2, "planner")):
        children.drop(item)
    assert (children.version(OWNER), children._found, children._owners) == (0, {}, {})


def test_what_is_read_is_a_copy() -> None:
    children = Children()
    children.put(at(1))
    children.of(OWNER)["Deployment", "grocer-kafka"]["spec"]["replicas"] = 99
    assert replicas(children) == 1


def test_kinds_know_their_group() -> None:
    assert [kind_of(at(1)).group, Kind("v1", "Secret").group] == ["apps", ""]


def refusal(name: str, pod: str = "one", kind: str = "StatefulSet") -> Manifest:
    message = f'create Pod failed: pods "{pod}" is forbidden: exceeded quota: small'
    return {"involvedObject": {"kind": kind, "namespace": "shop", "name": name}, "message": message}


def why(children: Children, kind: str = "StatefulSet") -> list[str]:
    item = children.of(OWNER)[kind, "grocer-kafka"]
    return [one["message"] for one in (item.get("status") or {}).get("conditions", [])]


def test_why_a_statefulset_gets_no_pods_is_told_until_it_has_one() -> None:
    children = Children()
    children.put(child("StatefulSet", "kafka", spec={}))
    assert children.refused(refusal("grocer-kafka")) == OWNER
    assert why(children) == ["create Pod failed: pods is forbidden: exceeded quota: small"]
    assert children.refused(refusal("grocer-kafka", pod="another")) is None
    made = pod("kafka")
    made["metadata"]["ownerReferences"] = [{"kind": "StatefulSet", "name": "grocer-kafka"}]
    assert children.put(made) == OWNER
    assert why(children) == []


def test_a_refusal_may_be_told_before_the_object() -> None:
    children = Children()
    assert children.refused(refusal("grocer-kafka", kind="Job")) is None
    children.put(child("Job", "kafka", api="batch/v1", spec={}))
    assert len(why(children, "Job")) == 1


def test_other_kinds_and_other_peoples_refusals_change_nothing() -> None:
    children = Children()
    children.put(at(1))
    assert children.refused(refusal("grocer-kafka", kind="Deployment")) is None
    assert children.refused(refusal("theirs")) is None
    assert children.of(OWNER)["Deployment", "grocer-kafka"].get("status") is None


def test_an_object_made_anew_starts_without_its_forerunners_refusal() -> None:
    children = Children()
    children.put(child("StatefulSet", "kafka", version=1, spec={}))
    children.put(at(1, "planner"))
    children.refused(refusal("grocer-kafka"))
    children.drop(child("StatefulSet", "kafka", version=2, spec={}))
    children.put(child("StatefulSet", "kafka", version=3, spec={}))
    assert why(children) == []
