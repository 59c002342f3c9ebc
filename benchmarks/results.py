"""What a benchmark says: a value, the limit it was held against in the same run, and whether the goal was met."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["RESULTS", "Result", "at_least", "below", "merge"]

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Result:
    """`ratio` is value over limit; `goal` says in words what was to be reached."""

    name: str
    value: float
    unit: str
    limit: float
    ratio: float
    goal: str
    met: bool


def at_least(name: str, value: float, unit: str, limit: float, share: float) -> Result:
    """A value that is to reach `share` of the limit."""
    ratio = value / limit
    return Result(
        name, round(value, 3), unit, round(limit, 3), round(ratio, 3), f"at least {share:g} of the limit", ratio >= share
    )


def below(name: str, value: float, unit: str, limit: float) -> Result:
    """A value that is to stay below the limit."""
    return Result(name, round(value, 3), unit, limit, round(value / limit, 3), "below the limit", value < limit)


def merge(results: list[Result]) -> None:
    """Put the results into results.json in place of earlier ones of the same names."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    names = {result.name for result in results}
    kept = [entry for entry in known if entry["name"] not in names]
    entries = sorted([*kept, *(asdict(result) for result in results)], key=lambda entry: str(entry["name"]))
    RESULTS.write_text(json.dumps(entries, indent=2) + "\n")
