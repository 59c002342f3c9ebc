"""The progress of a run of several shards."""

from aura_contract.progress import merge_progress
from aura_contract.results import ArmProgress, Progress


def progress(phase: str = "replaying", **changes: object) -> Progress:
    arm = ArmProgress(hit_ratio=0.5, pressure=0.4, requests=100, hits=50, plans_decided=2, plans_applied=1, unplanned=1)
    fields: dict[str, object] = {
        "phase": phase,
        "experiment": "e",
        "run": "r",
        "events": 100,
        "total": 400,
        "window": 3,
        "events_per_second": 10.0,
        "eta_seconds": 30.0,
        "arms": {"baseline": arm, "aura": arm},
        "message": "m",
    }
    return Progress.model_validate({**fields, **changes})


def test_counts_are_sums_and_ratios_are_theirs() -> None:
    small = ArmProgress(hit_ratio=1.0, pressure=0.6, requests=20, hits=20, plans_decided=1, plans_refused=1)
    found = merge_progress({0: progress(), 1: progress(events=20, total=25, window=5, arms={"aura": small}, eta_seconds=1.0)})
    assert (found.events, found.total, found.window, found.events_per_second, found.eta_seconds) == (120, 425, 3, 20.0, 30.0)
    aura = found.arms["aura"]
    assert (aura.requests, aura.hits, aura.hit_ratio, aura.pressure) == (120, 70, round(70 / 120, 6), 0.5)
    assert (aura.plans_decided, aura.plans_applied, aura.plans_refused, aura.unplanned) == (3, 1, 1, 1)
    assert found.arms["baseline"].requests == 100


def test_one_shard_is_the_run() -> None:
    assert merge_progress({2: progress()}) == progress()


def test_a_run_replays_as_soon_as_a_shard_does_and_is_done_when_all_are() -> None:
    for phases, expected in {
        ("starting", "measuring"): "measuring",
        ("measuring", "replaying"): "replaying",
        ("done", "measuring"): "replaying",
        ("done", "replaying"): "replaying",
        ("done", "done"): "done",
        ("failed", "replaying"): "replaying",
        ("failed", "done"): "replaying",
        ("failed", "measuring"): "failed",
    }.items():
        assert merge_progress({number: progress(phase) for number, phase in enumerate(phases)}).phase == expected


def test_the_message_is_that_of_a_shard_in_the_runs_phase() -> None:
    found = merge_progress({0: progress("done", message="x"), 1: progress(message="window 3 is done")})
    assert found.message == "shard 1: window 3 is done"
    assert merge_progress({0: progress(eta_seconds=None), 1: progress()}).eta_seconds is None
