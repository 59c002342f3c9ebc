"""A simulated run from manifest to verdict."""

import time
from collections.abc import Mapping
from dataclasses import replace

from aura_cli.errors import InputError, PartLostError
from aura_cli.signals import StopSignals
from aura_cli.simulation.parts import SimulatedParts
from aura_cli.view import View
from aura_contract.results import Progress, WindowRecord
from aura_data.errors import DataError, ServerError
from aura_planner.errors import SetupError
from aura_replayer.book import ArmPlans
from aura_replayer.merging import merge
from aura_replayer.monitor import Observer
from aura_replayer.parts import RunSettings
from aura_replayer.run import Run

__all__ = ["Quiet", "Watcher", "simulate"]

SHOW_SECONDS = 0.25


class Quiet:
    """Shows nothing."""

    def window(self, record: WindowRecord, batch_seconds: list[float]) -> None:
        """See `Observer`."""

    def update(self, progress: Progress) -> None:
        """See `Observer`."""

    def planning(self, arms: Mapping[str, ArmPlans]) -> None:
        """See `Observer`."""


class Watcher:
    """Shows a run's progress, but not every window of it: a view takes longer than a window."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._shown = 0.0

    def window(self, record: WindowRecord, batch_seconds: list[float]) -> None:
        """See `Observer`."""

    def update(self, progress: Progress) -> None:
        """See `Observer`."""
        now = time.monotonic()
        if progress.phase == "done" or now - self._shown >= SHOW_SECONDS:
            self._shown = now
            self._view.show(progress)

    def planning(self, arms: Mapping[str, ArmPlans]) -> None:
        """See `Observer`."""


def simulate(settings: RunSettings, watcher: Observer, signals: StopSignals) -> None:
    """Write the result files of a simulated run into its folder, its shards one after the other; raises AuraError."""
    try:
        for index in range(settings.shard.count):
            shard = replace(settings, index=index)
            Run(shard, SimulatedParts(shard), watcher, lambda: signals.came).execute()
            signals.check()
        if settings.shard.count > 1:
            merge(settings, wall_seconds=sum)
    except ServerError as error:
        raise PartLostError(str(error)) from error
    except (DataError, SetupError) as error:
        raise InputError(str(error)) from error
