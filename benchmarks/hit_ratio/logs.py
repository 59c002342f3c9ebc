"""The logs of a folder as manifests name them: columns are found by their names, nothing depends on what a log is called."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

__all__ = ["LIMIT", "Log", "logs"]

LIMIT = 400_000
KNOWN = {"time": "ts", "user": "user", "session": "session", "item": "item", "action": "action"}
INTENTS = {"addtocart", "cart", "fav", "favorite", "wishlist", "remove"}
"""Actions that are no look at the item: they inform planners and are no requests."""


@dataclass(frozen=True)
class Log:
    """A log by its name, and what the manifest says of it; `grouped` where it has users or sessions."""

    name: str
    workload: dict[str, Any]
    catalog: dict[str, Any] | None

    @property
    def grouped(self) -> bool:
        """Whether the log tells who asked, or in which session."""
        return bool(self.workload["columns"]["user"] or self.workload["columns"]["session"])


def logs(folder: Path | None, scratch: Path) -> Iterator[Log]:
    """The data set that comes in a package, and all logs of the folder; of those longer than LIMIT also what comes later."""
    source = {"dataset": "complete-journey"}
    columns = {"time": "time", "user": "user", "session": "session", "item": "item", "action": "action"}
    yield Log("complete-journey", {"source": source, "columns": columns, "requests": ["purchase"]}, {"source": source})
    for place in sorted(folder.iterdir()) if folder else ():
        found = next((path for name in ("events.csv.gz", "trace.csv.gz") if (path := place / name).exists()), None)
        if found is None:
            continue
        # The package brings the same log.
        if place.name != "complete_journey":
            yield _read(place.name, place, found)
        later = _later(found, scratch / f"{place.name}.later.csv")
        if later is not None:
            yield _read(f"{place.name}, later", place, later)


def _later(events: Path, out: Path) -> Path | None:
    """Rows LIMIT up to 2 * LIMIT of a log as a file of their own, or None where there are none."""
    with gzip.open(events, "rt", newline="") as file:
        head = next(file)
        rows = islice(file, LIMIT, 2 * LIMIT)
        first = next(rows, None)
        if first is None:
            return None
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("w", newline="") as target:
            target.write(head + first)
            target.writelines(rows)
    return out


def _read(name: str, place: Path, events: Path) -> Log:
    with gzip.open(events, "rt", newline="") if events.suffix == ".gz" else events.open(newline="") as file:
        head = list(islice(csv.DictReader(file), LIMIT))
    filled = {column for column in head[0] if any(row[column] for row in head[:1000])}
    columns = {role: column if column in filled else None for role, column in KNOWN.items()}
    actions = Counter(row["action"] for row in head) if columns["action"] else Counter({"click": 1})
    requests = sorted(action for action in actions if action.lower() not in INTENTS)
    workload = {"source": {"path": str(events.resolve())}, "columns": columns, "requests": requests}
    items = place / "items.csv.gz"
    if not items.exists():
        return Log(name, workload, None)
    with gzip.open(items, "rt", newline="") as file:
        names = next(csv.reader(file))
    shown = {role: role if role in names else None for role in ("title", "category", "brand")}
    return Log(name, workload, {"source": {"path": str(items.resolve())}, "columns": {"item": "item", **shown}})
