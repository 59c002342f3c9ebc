"""How much a slower planner would lose: a run's own plans on the simulated arm, their time charged several times over."""

import json
import tempfile
from pathlib import Path
from typing import Literal

from aura_cli.errors import AuraError
from aura_cli.signals import StopSignals
from aura_cli.simulation.run import Quiet, simulate
from aura_contract.experiment import AuraExperiment
from aura_contract.results import Verdict
from aura_replayer.ceilings import MOST_REQUESTS
from aura_replayer.parts import RunSettings

__all__ = ["FACTORS", "write_sensitivity"]

FACTORS = (0, 1, 10)


def write_sensitivity(experiment: AuraExperiment, folder: Path, bad_rows: Literal["fail", "skip"], signals: StopSignals) -> bool:
    """Write `sensitivity.json` of a finished run; False where there is nothing to tell.

    That is where no plan of the arm `aura` took time or did anything, on the wall clock, and for logs that would take long.
    """
    verdict = Verdict.model_validate_json((folder / "verdict.json").read_bytes())
    planned = verdict.arms["aura"]
    too_long = planned.requests > MOST_REQUESTS
    if experiment.spec.cache.clock == "wall" or too_long or not planned.plans.applied:
        return False
    found = {}
    for factor in FACTORS:
        with tempfile.TemporaryDirectory() as scratch:
            settings = RunSettings(_repeated(experiment, folder, factor), folder, f"x{factor}", Path(scratch), bad_rows)
            try:
                simulate(settings, Quiet(), signals)
            except AuraError:
                signals.check()
                return False
            again = Verdict.model_validate_json((Path(scratch) / "verdict.json").read_bytes())
            found[factor] = {"hit_ratio": again.arms["aura"].hit_ratio, "delta_points": again.delta_points}
    (folder / "sensitivity.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return True


def _repeated(experiment: AuraExperiment, folder: Path, factor: int) -> AuraExperiment:
    """The experiment with the recorded plans of its arm `aura` and no other arm."""
    spec = experiment.spec
    planner = spec.planner.model_copy(
        update={"backend": "recorded", "recording": str(folder / "plans.jsonl"), "latency": f"x{factor}"}
    )
    return experiment.model_copy(update={"spec": spec.model_copy(update={"planner": planner, "controls": ()})})
