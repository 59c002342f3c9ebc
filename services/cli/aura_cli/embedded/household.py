"""Child processes and the temporary folder of one run, with a guardian that outlives this process."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from aura_cli.errors import PartLostError

__all__ = ["Child", "Household"]

STOP_SECONDS = 5.0
SENTENCE = re.compile(r"^aura(?:-[a-z]+)?: (.+)$")
TAIL_BYTES = 65_536


class Child:
    """One process of the run; `title` names it in sentences, `log` holds all that it writes."""

    def __init__(self, title: str, process: subprocess.Popen[bytes], log: Path, *, abrupt: bool) -> None:
        self.title = title
        self.log = log
        self.abrupt = abrupt
        self._process = process

    @property
    def pid(self) -> int:
        """Process id, which is also its group's."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.poll()

    @property
    def said(self) -> str | None:
        """The last line of the log that begins with `aura: ` (or `aura-NAME: `): the sentence meant for the user."""
        with self.log.open("rb") as stream:
            stream.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            lines = stream.read().decode(errors="replace").splitlines()
        return next((match[1] for line in reversed(lines) if (match := SENTENCE.match(line))), None)

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self._process.returncode
        if code is None:
            return "still running"
        return f"exit code {code}" if code >= 0 else f"ended by {signal.Signals(-code).name}"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group; a process that is gone is fine."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def wait(self, seconds: float) -> bool:
        """Whether it ended within `seconds`."""
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        return True


class Household:
    """Starts children and ends all of them, and removes `folder`, on leaving the `with` block.

    Children get process groups of their own, so that a Ctrl-C in the terminal reaches this process alone and the order
    of stopping is ours. `logs` is where NAME.log of each child goes; it is the user's and stays.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self.children: list[Child] = []

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="aura-"))
        script = Path(__file__).with_name("guardian.py")
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        if self._guardian.stdin:
            self._guardian.stdin.close()
        self._guardian.wait()

    def start(
        self, name: str, title: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None, abrupt: bool = False
    ) -> Child:
        """Start one process; `abrupt` ones have nothing to save and are killed at the end instead of asked to stop."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as stream:
            try:
                process = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    cwd=self.folder,
                    env={**os.environ, **(env or {})},
                    start_new_session=True,
                )
            except OSError as error:
                raise PartLostError(f"{title} cannot be started: {argv[0]}: {error.strerror}") from error
        self._tell(f"+{process.pid}")
        child = Child(title, process, log, abrupt=abrupt)
        self.children.append(child)
        return child

    def forget(self, child: Child) -> None:
        """Drop a child that has ended, such as one whose port was taken."""
        self._tell(f"-{child.pid}")
        self.children.remove(child)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End all children, the last started first; who has not stopped after `seconds` is killed."""
        deadline = time.monotonic() + seconds
        for child in reversed(self.children):
            if not child.abrupt:
                child.signal(signal.SIGTERM)
        for child in reversed(self.children):
            if not child.abrupt:
                child.wait(deadline - time.monotonic())
            # Also when it stopped by itself: its group may still hold processes that it started.
            child.signal(signal.SIGKILL)
        for child in list(self.children):
            child.wait(STOP_SECONDS)
            self.forget(child)

    def kill(self) -> None:
        """End all children at once."""
        for child in self.children:
            child.signal(signal.SIGKILL)

    def _tell(self, line: str) -> None:
        if self._guardian.stdin:
            with contextlib.suppress(OSError):
                self._guardian.stdin.write(f"{line}\n".encode())
                self._guardian.stdin.flush()
