"""Finding secrets where none may be: in files, and in the arguments of every process of the machine while something runs."""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["in_folder", "watched_arguments"]

PAUSE_SECONDS = 0.05


def in_folder(folder: Path, secrets: Iterable[str]) -> dict[str, list[str]]:
    """Paths of the files that hold a secret, by secret; a secret that is nowhere is left out."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found = {secret: sorted(name for name, content in files.items() if secret.encode() in content) for secret in secrets}
    return {secret: names for secret, names in found.items() if names}


@contextmanager
def watched_arguments() -> Iterator[set[bytes]]:
    """The command lines of all processes that are seen inside the block, as /proc has them."""
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(PAUSE_SECONDS):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                # It may end while we look.
                with contextlib.suppress(OSError):
                    seen.add(path.read_bytes())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
