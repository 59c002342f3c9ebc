"""Ctrl-C and friends: the first asks for an orderly end, the second ends everything at once."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

from aura_cli.errors import InterruptedRunError

__all__ = ["StopSignals", "interruptible"]

EXIT = InterruptedRunError.exit_code
CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Counts stop signals inside a `with` block; `kill` is called at the second one, before the process exits."""

    def __init__(self) -> None:
        self.kill: Callable[[], None] = lambda: None
        self._count = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._caught) for number in CAUGHT}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    @property
    def came(self) -> bool:
        """Whether there was one."""
        return self._count > 0

    def check(self) -> None:
        """Raise InterruptedRunError once a signal came."""
        if self._count:
            raise InterruptedRunError(
                "interrupted: everything was stopped and no verdict was written; the arms lived in memory, so the run "
                "cannot be resumed: start it again from the beginning"
            )

    def _caught(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._count > 1:
            self.kill()
            os._exit(EXIT)


@contextmanager
def interruptible() -> Iterator[None]:
    """Whatever stops the command lets it remove what it has made; raises InterruptedRunError then."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError("interrupted") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
