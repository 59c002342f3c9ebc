"""What a run left in servers that stay."""

from rich.console import Console

from aura_contract.experiment import ExperimentSpec
from aura_replayer.arm.base import ArmLost, ArmRefused
from aura_replayer.arm.server import clear

__all__ = ["clear_servers"]


def clear_servers(errors: Console, spec: ExperimentSpec, *, filled: bool) -> None:
    """Take what the run left out of the user's own Redis servers, and warn where that fails.

    `filled` when the run is known to have filled its arms.
    """
    external = spec.dependencies.redis.external
    endpoints = {arm: external.endpoints[arm] for arm in spec.arms} if external else {}
    for arm, endpoint in endpoints.items():
        try:
            clear(arm, endpoint)
        except ArmLost as error:
            if isinstance(error, ArmRefused) and not filled:
                # It did not let the run in either, which has said so.
                continue
            left = f"the run's keys {'are' if filled else 'may be'} still there"
            errors.print(f"aura: warning: {error}; {left}", highlight=False, soft_wrap=True, markup=False)
