"""Looking at processes from outside, for tests."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

Aura = Callable[..., tuple[int, str, str]]
"""The command with these arguments: exit code, standard output and standard error."""

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    "COLUMNS": "200",
    "LC_ALL": "C.UTF-8",
}
"""For commands that import the project from where the tests found it."""


def processes() -> dict[int, tuple[int, int, str]]:
    """Parent, group and command line of each process that runs; zombies do not."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent, group = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:3]
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if state not in "ZX":
                found[int(entry.name)] = (int(parent), int(group), command)
    return found


def group_alive(group: int) -> bool:
    """Whether a process group has a running member."""
    return any(member == group for _, member, _ in processes().values())


def children(pid: int) -> dict[int, str]:
    """Command lines of the processes that `pid` started."""
    return {child: command for child, (parent, _, command) in processes().items() if parent == pid}


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether the condition holds within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
