"""From the aggregator's arrays to the context message: built once a window, shared by all arms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from aura_contract.context import context_id
from aura_replayer.context.aggregator import ContextAggregator
from aura_replayer.context.learning import Lessons
from aura_replayer.context.ranking import largest
from aura_replayer.rules.expansions import offers
from aura_replayer.source.events import EventLog
from aura_replayer.source.items import TITLE_CHARS, ItemTable

__all__ = ["WorkloadBuilder", "WorkloadSnapshot"]

TOP_ITEMS = 20
TOP_CATEGORIES = 12
SESSIONS = 5
MOST_REQUESTED = 200
RISING = 150
INTENDED = 50
PROFILE = 3


@dataclass(frozen=True)
class WorkloadSnapshot:
    """The log's side of a context (a `WorkloadView`) as JSON, its `context_id`, and its candidates' item codes by their ids.

    `outline` is the same without items and sessions: all that a planner which never acts needs.
    """

    workload: str
    identity: str
    outline: str
    candidates: NDArray[np.int64]


class WorkloadBuilder:
    """Reads names and metadata from the item table; names of categories are cut to 80 characters."""

    def __init__(self, aggregator: ContextAggregator, items: ItemTable, log: EventLog) -> None:
        self._aggregator = aggregator
        self._items = items
        self._log = log
        self._category_before = np.zeros(0, np.int64)

    def build(self, start_clock: int, end_clock: int, lessons: Lessons) -> WorkloadSnapshot:
        """The snapshot of the window that the aggregator has just observed; clocks in ms, `lessons` from the same window."""
        seen = self._aggregator
        block = seen.window
        intents = self._intents()
        # Item codes ascend, so of equal ones the lower code is first.
        by_count = largest(seen.counts, MOST_REQUESTED)
        codes = self._candidates(by_count, intents)
        names = self._items.category_names
        # Plain dictionaries: building five hundred validated models a window would cost more than the window's replay.
        view = {
            "first_event": block.first_row,
            "last_event": block.stop_row - 1,
            "start_v": start_clock,
            "end_v": end_clock,
            "events": len(block),
            "requests": int(seen.counts.sum()),
            "distinct_items": len(seen.items),
            "new_items": seen.new_items,
            "top_items": self._top_items(by_count[:TOP_ITEMS], names),
            "top_categories": self._top_categories(names, lessons.affinity),
            "candidates": {**self._describe(codes, intents, names), "neighbours": self._neighbours(codes, lessons)},
            "sessions": self._sessions(names, lessons),
            "offers": offers(lessons.expansions),
        }
        outline = {**view, "top_items": (), "top_categories": (), "candidates": {}, "sessions": (), "offers": ()}
        workload = to_json(view).decode()
        return WorkloadSnapshot(workload, context_id(workload), to_json(outline).decode(), codes)

    def _intents(self) -> dict[int, int]:
        block = self._aggregator.window
        items, counts = np.unique(block.items[~block.requests], return_counts=True)
        return dict(zip(items.tolist(), counts.tolist(), strict=True))

    def _candidates(self, by_count: NDArray[np.int64], intents: dict[int, int]) -> NDArray[np.int64]:
        seen = self._aggregator
        by_trend = seen.items[largest(seen.trend, RISING)]
        wanted = sorted(intents, key=lambda code: (-intents[code], code))[:INTENDED]
        chosen = np.concatenate([seen.items[by_count], by_trend, np.array(wanted, np.int64), seen.heaviest])
        _, first = np.unique(chosen, return_index=True)
        return np.asarray(chosen[np.sort(first)].astype(np.int64))

    def _describe(self, codes: NDArray[np.int64], intents: dict[int, int], categories: Sequence[str]) -> dict[str, list[Any]]:
        seen = self._aggregator
        place = np.searchsorted(seen.items, codes) if len(seen.items) else np.zeros(len(codes), np.int64)
        place = np.minimum(place, max(0, len(seen.items) - 1))
        here = seen.items[place] == codes if len(seen.items) else np.zeros(len(codes), np.bool_)
        counts = np.where(here, seen.counts[place], 0) if len(seen.items) else np.zeros(len(codes), np.int64)
        trend = counts - seen.count_before(codes)
        weight = np.round(seen.weight(codes), 3)
        names, titles = self._items.names, self._items.titles
        return {
            "item": [names[code] for code in codes.tolist()],
            "count": counts.tolist(),
            "trend": trend.tolist(),
            "frequency": weight.tolist(),
            "last_seen": seen.last_seen(codes).tolist(),
            "intent": [intents.get(code, 0) for code in codes.tolist()] if intents else [0] * len(codes),
            "title": [titles[code] for code in codes.tolist()],
            "category": [categories[label] for label in self._items.categories[codes].tolist()],
        }

    def _top_items(self, top: NDArray[np.int64], categories: Sequence[str]) -> list[dict[str, Any]]:
        seen, items = self._aggregator, self._items
        columns = zip(seen.items[top].tolist(), seen.counts[top].tolist(), seen.trend[top].tolist(), strict=True)
        return [
            {
                "item": items.names[code],
                "count": count,
                "trend": change,
                "title": items.titles[code],
                "category": categories[items.categories[code]],
                "brand": items.brands[code],
            }
            for code, count, change in columns
        ]

    def _neighbours(self, codes: NDArray[np.int64], lessons: Lessons) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for place, item in zip(*(column.tolist() for column in lessons.covisits.after(codes)), strict=True):
            found.setdefault(place, []).append(self._items.names[item])
        return found

    def _top_categories(self, names: Sequence[str], affinity: NDArray[np.float64]) -> list[dict[str, Any]]:
        seen = self._aggregator
        totals = np.bincount(self._items.categories[seen.items], weights=seen.counts, minlength=1).astype(np.int64)
        before = np.zeros(len(totals), np.int64)
        before[: len(self._category_before)] = self._category_before[: len(totals)]
        self._category_before = totals.copy()
        totals[0] = 0
        top = [code for code in np.argsort(-totals, kind="stable")[:TOP_CATEGORIES].tolist() if totals[code]]
        return [
            {
                "category": names[code][:TITLE_CHARS],
                "count": int(totals[code]),
                "trend": int(totals[code] - before[code]),
                "affinity": round(float(affinity[code]), 3) if len(affinity) else 0.0,
            }
            for code in top
        ]

    def _sessions(self, categories: Sequence[str], lessons: Lessons) -> list[dict[str, Any]]:
        block, names, actions = self._aggregator.window, self._items.names, self._log.action_names
        return [
            {
                "events": _events(block.actions[rows], block.items[rows], actions, names),
                "profile": [
                    categories[code][:TITLE_CHARS] for code in lessons.affinities.profile(int(block.users[rows[-1]]))[:PROFILE]
                ],
            }
            for rows in self._aggregator.sample_sessions(SESSIONS)
        ]


def _events(codes: NDArray[np.int16], items: NDArray[np.int32], actions: Sequence[str], names: Sequence[str]) -> list[str]:
    return [f"{actions[action]}:{names[item]}" for action, item in zip(codes.tolist(), items.tolist(), strict=True)]
