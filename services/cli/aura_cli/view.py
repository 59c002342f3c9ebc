"""What a run looks like while it goes on: a live table on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from aura_contract.results import Progress

__all__ = ["LiveView", "PlainView", "View", "make_view"]

LINE_SECONDS = 5.0


class View(Protocol):
    """Shows a run; used as a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def note(self, text: str) -> None:
        """Say that something happened."""

    def show(self, progress: Progress) -> None:
        """Show where the run stands."""


def make_view(console: Console) -> View:
    """The live view when `console` is a terminal, else the plain one."""
    return LiveView(console) if console.is_terminal else PlainView(console)


class PlainView:
    """A line at each change of phase and every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = 0.0
        self._last: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def note(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def show(self, progress: Progress) -> None:
        """Print a line if there is something new and the last one is a few seconds old."""
        state = (progress.phase, progress.events)
        changed = self._last is None or state[0] != self._last[0]
        if state == self._last or (not changed and time.monotonic() - self._shown < LINE_SECONDS):
            return
        self._last, self._shown = state, time.monotonic()
        self.note(_line(progress))


def _line(progress: Progress) -> str:
    if not progress.events:
        return f"{progress.phase}: {progress.message}" if progress.message else progress.phase
    parts = [f"{progress.phase}: {progress.events:,} of {progress.total:,} events", f"{progress.events_per_second:,.0f} events/s"]
    for name, arm in progress.arms.items():
        plans = f", {arm.plans_applied} plans" if name != "baseline" else ""
        parts.append(f"{name} {arm.hit_ratio:.4f} (pressure {arm.pressure:.0%}{plans})")
    if progress.phase == "replaying" and progress.eta_seconds is not None:
        parts.append(f"{_duration(progress.eta_seconds)} left")
    return "; ".join(parts)


class LiveView:
    """A table that is drawn again twice a second."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._note = ""

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def note(self, text: str) -> None:
        """Show the text until there is progress to show."""
        self._note = text
        self._live.update(Text(text, style="dim"))

    def show(self, progress: Progress) -> None:
        """Draw bar and table."""
        self._live.update(Group(_head(progress), _table(progress)) if progress.events else _opening(progress, self._note))


def _opening(progress: Progress, note: str) -> RenderableType:
    return Text(progress.message or (note if progress.phase == "starting" else progress.phase), style="dim")


def _head(progress: Progress) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    eta = "" if progress.eta_seconds is None or progress.phase != "replaying" else f"{_duration(progress.eta_seconds)} left"
    grid.add_row(
        Text(progress.experiment, style="bold"),
        ProgressBar(total=max(1, progress.total), completed=progress.events, width=32),
        f"{progress.events:,} of {progress.total:,} events",
        f"{progress.events_per_second:,.0f}/s",
        eta,
    )
    return grid


def _table(progress: Progress) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("arm")
    for name in ("hit ratio", "against baseline", "pressure", "plans applied", "refused", "unplanned"):
        table.add_column(name, justify="right")
    baseline = progress.arms.get("baseline")
    for name, arm in progress.arms.items():
        delta = "" if baseline is None or arm is baseline else f"{(arm.hit_ratio - baseline.hit_ratio) * 100:+.2f} points"
        plans = ["", "", ""] if arm is baseline else [str(n) for n in (arm.plans_applied, arm.plans_refused, arm.unplanned)]
        table.add_row(name, f"{arm.hit_ratio:.4f}", delta, f"{arm.pressure:.0%}", *plans)
    return table


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
