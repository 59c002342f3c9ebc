"""Results in the status are text, with as many decimals as a reader may trust."""

from operator_samples import progress, verdict

from aura_operator.status.results import from_progress, from_verdict


def test_progress_gives_ratios_so_far() -> None:
    found = from_progress(progress(), {"aura": "heuristic"})
    assert {key: value for key, value in found.items() if key != "arms"} == {
        "events": "420", "total_events": "1000", "progress": "42%",
        "hit_ratio": "0.4568", "baseline_hit_ratio": "0.4000", "delta_points": "+5.68",
    }  # fmt: skip
    aura = found["arms"]["aura"]
    assert (aura.planner, aura.hit_ratio, found["arms"]["baseline"].planner) == ("heuristic", "0.4568", "")
    assert (aura.plans_decided, aura.plans_applied, aura.plans_refused, aura.unplanned) == ("4", "3", "1", "2")


def test_there_is_no_share_of_an_unknown_total() -> None:
    found = from_progress(progress(total=0), {})
    assert (found["total_events"], found["progress"]) == ("", "")


def test_there_are_no_ratios_before_the_first_event() -> None:
    assert "hit_ratio" not in from_progress(progress("measuring", events=0), {})


def test_a_share_is_never_rounded_up_to_all() -> None:
    assert from_progress(progress(events=999), {})["progress"] == "99%"


def test_a_verdict_gives_the_end() -> None:
    found = from_verdict(verdict(delta=-1.234))
    assert {key: value for key, value in found.items() if key != "arms"} == {
        "events": "1000", "total_events": "1000", "progress": "100%", "verdict": "Better", "reason": "the gain is real",
        "data_sha256": "ab12", "hit_ratio": "0.4200", "baseline_hit_ratio": "0.4000",
        "delta_points": "-1.23", "interval": "[-1.43, -0.93]",
    }  # fmt: skip
    arm = found["arms"]["aura"]
    assert (arm.requests, arm.hits, arm.misses, arm.backend_reads, arm.prefetches) == ("1000", "420", "580", "600", "5")
    assert (arm.plans_decided, arm.plans_applied, arm.plans_refused, arm.unplanned) == ("9", "7", "1", "3")
