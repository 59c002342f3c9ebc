"""Ends the children of a run and removes its folder once the parent is gone, even when it was killed.

Runs as a script of its own, without the project on its path: `python -I -S guardian.py FOLDER`. Its standard input is a
pipe from the parent, with a line `+PID` for each process group that was started and `-PID` for each that has ended.
The pipe's end is the sign to act: it comes from the kernel, so a SIGKILL of the parent cannot prevent it.
"""

import contextlib
import os
import shutil
import signal
import sys

__all__: list[str] = []


def _main() -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    _main()
