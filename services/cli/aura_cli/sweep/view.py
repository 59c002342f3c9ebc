"""How far a sweep is: a line for each cell that ended, and on a terminal what is going on below them."""

from collections.abc import Sequence

from rich.console import Console

from aura_cli.sweep.runner import Finished

__all__ = ["SweepView", "duration", "time_left"]


def time_left(took: Sequence[float], ages: Sequence[float], waiting: int, jobs: int) -> float:
    """Seconds until the end when cells take as long as the mean of those that ended.

    `took` holds the seconds of ended cells, at least one, and `ages` those that each running cell has been at work.
    """
    mean = sum(took) / len(took)
    rest = [max(0.0, mean - age) for age in ages]
    # Nothing ends before the slowest of those that run, however many work beside it.
    return max([(sum(rest) + waiting * mean) / jobs, *rest])


def duration(seconds: float) -> str:
    """Seconds in words: `8 s`, `3 min 20 s`, `2 h 5 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class SweepView:
    """Prints the lines of a sweep of `total` cells, `done` of which were there before."""

    def __init__(self, console: Console, total: int, done: int, jobs: int) -> None:
        self._console, self._total, self._ended, self._jobs = console, total, done, jobs
        self._took: list[float] = []
        self._status = console.status("")

    def begin(self) -> None:
        """Say what is there and what is to be done."""
        if self._ended:
            self._line(f"{self._ended} of {self._total} cells are there from before")
        if self._console.is_terminal and self._ended < self._total:
            self._status.start()
            self._status.update(self._at_work())

    def end(self) -> None:
        """Clear what is below the lines."""
        self._status.stop()

    def ended(self, finished: Finished, ages: Sequence[float]) -> None:
        """A cell has ended; `ages` are those of the cells that still run."""
        self._ended += 1
        self._took.append(finished.seconds)
        verdict = finished.verdict
        result = f"{verdict.verdict}, {verdict.delta_points:+.2f} points" if verdict else f"failed: {finished.error}"
        text = f"{self._ended} of {self._total}: {finished.cell.title}: {result} ({duration(finished.seconds)})"
        if self._ended == self._total:
            self._line(text)
            return
        left = duration(time_left(self._took, ages, self._total - self._ended - len(ages), self._jobs))
        self._line(f"{text}; about {left} left")
        self._status.update(f"{self._at_work()}, about {left} left")

    def _at_work(self) -> str:
        count = min(self._jobs, self._total - self._ended)
        return f"{count} cell{'' if count == 1 else 's'} at work"

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)
