"""Facts of a result folder."""

from dataclasses import replace
from pathlib import Path

import pytest
from sample_folder import write_sample

from aura_evidence.facts import gather
from aura_evidence.folder import read_folder


def test_facts_hold_what_the_tables_say(tmp_path: Path) -> None:
    facts = gather(read_folder(write_sample(tmp_path, 20)))
    assert [arm.name for arm in facts.arms] == ["baseline", "aura", "heuristic", "noop"]
    assert facts.baseline.gain is None
    assert facts.credit is not None
    assert facts.credit.control == "heuristic"
    aura = facts.planned[0]
    assert aura.gain is not None
    assert aura.gain.points == pytest.approx(facts.verdict.delta_points, abs=1e-4)
    assert (aura.gain.low, aura.gain.high) == pytest.approx(facts.verdict.interval, abs=1e-4)
    assert [number for _, _, number in facts.refusals] == sorted((number for _, _, number in facts.refusals), reverse=True)
    assert sum(share.count for share in aura.outcomes) == 19
    assert aura.gap_closed == pytest.approx((aura.result.hit_ratio - 0.412) / (0.642 - 0.412))


def test_a_late_plan_is_not_one_without_anything_to_change(tmp_path: Path) -> None:
    folder = read_folder(write_sample(tmp_path, 20))
    aura = folder.verdict.arms["aura"]
    plans = aura.plans.model_copy(update={"decided": 19, "applied": 18, "refused": 0, "unplanned": {"late": 1}})
    arms = folder.verdict.arms | {"aura": aura.model_copy(update={"plans": plans})}
    facts = gather(replace(folder, verdict=folder.verdict.model_copy(update={"arms": arms})))
    assert [(share.kind, share.label, share.count) for share in facts.planned[0].outcomes] == [
        ("applied", "applied", 18),
        ("unplanned", "unplanned: late", 1),
    ]
