"""The ending of a replayer always fits into a termination message and stays readable."""

import pytest

from aura_contract.results import ENDING_BYTES, ArmResult, Ending, PlanCounts, Verdict
from aura_replayer.ending import encode_ending
from aura_replayer.main import main


def arm(planner: str | None, reasons: int = 0) -> ArmResult:
    plans = PlanCounts(decided=9, applied=8, refused=1, unplanned={f"reason_{number}": number for number in range(reasons)})
    return ArmResult(
        requests=1_000_000, hits=654_321, misses=345_679, hit_ratio=0.654321, backend_reads=345_999, prefetches=320,
        prefetch_hits=99, plans=plans, planner=planner, batch_p99_ms=1.234,
    )  # fmt: skip


def ending(reasons: int = 0, controls: int = 3, reason: str = "because", message: str = "Better: because") -> Ending:
    arms = {"baseline": arm(None), "aura": arm("ollama", reasons)}
    arms |= {f"control-{number}": arm("noop") for number in range(controls)}
    verdict = Verdict(
        experiment="e", run="r", verdict="Better", reason=reason, arms=arms, delta_points=1.5, interval=(1.0, 2.0), windows=200,
        warmup_windows=4, events=1_000_000, bad_rows=0, events_per_second=40_000.0, wall_seconds=25.0, data_sha256="0" * 64,
    )  # fmt: skip
    return Ending(run="r", exit_code=0, message=message, verdict=verdict)


def short(whole: Ending) -> Ending:
    data = encode_ending(whole)
    assert len(data) <= ENDING_BYTES
    return Ending.model_validate_json(data)


def test_what_fits_is_whole() -> None:
    assert short(ending()) == ending()


def test_reasons_go_first() -> None:
    cut = short(ending(reasons=200))
    assert cut.verdict is not None
    assert cut.verdict.arms["aura"].plans == PlanCounts(decided=9, applied=8, refused=1)
    assert "control-2" in cut.verdict.arms


def test_then_control_arms_then_message_then_reason() -> None:
    cut = short(ending(controls=14))
    assert cut.verdict is not None
    assert (list(cut.verdict.arms), cut.message) == (["baseline", "aura"], "Better: because")
    cut = short(ending(message="ü\n" * 3000))
    assert cut.message.endswith("…")
    assert len(cut.message) > 300
    cut = short(ending(reason="ü" * 3000, message="ü" * 3000))
    assert cut.verdict is not None
    assert (cut.message, cut.verdict.reason[-2:]) == ("…", "ü…")


def test_long_message_of_a_failure_is_cut() -> None:
    assert len(encode_ending(Ending(run="r", exit_code=3, message="x" * 10_000))) == ENDING_BYTES


def test_fault_of_the_replayer_is_an_ending_too(tmp_path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    def broken(_path: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("aura_replayer.main.load_manifest", broken)
    file = tmp_path / "ending"
    assert main(["--manifest", "m", "--run", "r", "--ending", str(file)]) == 1
    message = "the replayer failed: ZeroDivisionError: by nought; see its log"
    assert Ending.model_validate_json(file.read_bytes()) == Ending(run="r", exit_code=1, message=message)
    assert "Traceback" in capsys.readouterr().err
