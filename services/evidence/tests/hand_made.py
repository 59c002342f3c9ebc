"""Results small enough to reckon with by hand."""

from collections.abc import Sequence

import yaml
from sample_folder import MANIFEST

from aura_contract.experiment import AuraExperiment
from aura_contract.plan import Plan
from aura_contract.results import WindowRecord
from aura_evidence.folder import Ceiling, RunFolder
from aura_evidence.verdict import make_verdict


def folder_of(
    records: Sequence[WindowRecord],
    plans: Sequence[Plan] = (),
    *,
    warmup: int = 0,
    ceilings: dict[str, Ceiling] | None = None,
) -> RunFolder:
    """What `read_folder` would give for these windows; `warmup` of them are left out of comparisons."""
    planners = {record.arm: None if record.arm == "baseline" else "heuristic" for record in records}
    verdict = make_verdict(
        "hand", "run-1", records, {}, planners, capacity_items=100, events=1000, bad_rows=0, wall_seconds=1.0,
        data_sha256="00" * 32, seed=7,
    )  # fmt: skip
    return RunFolder(
        verdict=verdict.model_copy(update={"warmup_windows": warmup}),
        experiment=AuraExperiment.model_validate(yaml.safe_load(MANIFEST)),
        manifest=MANIFEST,
        windows=list(records),
        plans=list(plans),
        receipts=[],
        ceilings=ceilings or {},
        sensitivity={},
    )
