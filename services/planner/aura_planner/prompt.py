"""Prompts of both styles: a prefix that never changes within a run, so that the server keeps it, then the window, short."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from string import Template
from typing import Any

from aura_contract.context import Candidate, Caps, CategoryStat, ContextSnapshot, SampleSession
from aura_contract.payload import key_of
from aura_planner.alike import Alike
from aura_planner.candidates import falling, present, rising, shortlist
from aura_planner.decision import Expand
from aura_planner.rules import AHEAD
from aura_planner.untrusted import plain, quoted

__all__ = ["FANOUT", "MAX_PROMPT_CHARS", "KeysPrompt", "LeversPrompt", "Prompt", "keys_prompt", "levers_prompt"]

MAX_PROMPT_CHARS = 5_800
"""Just under 1,500 tokens at four UTF-8 bytes a token."""

EXPANSIONS: dict[Expand, str] = {"covisit": "those that sessions went on with", "similar": "those alike in words"}
FANOUT = 2
LOAD, DROP, SEEDS, DROPS, CATEGORIES, PER_LIST = 8, 4, 3, 2, 5, 1
TRIED = 4
TOP_ITEMS, RISING, SESSIONS, SESSION_EVENTS, MAX_KEY = 12, 10, 3, 6, 60


@dataclass(frozen=True)
class Prompt:
    """`system` is constant within a run, `user` is the window; `schema` is the JSON Schema of the answer."""

    system: str
    user: str
    schema: dict[str, Any]


@dataclass(frozen=True)
class LeversPrompt(Prompt):
    """What the numbers of an answer stand for: items to load, items to drop, and categories from 1."""

    load: Mapping[int, str]
    drop: Mapping[int, str]
    categories: tuple[str, ...]
    max_seeds: int
    max_drop: int


@dataclass(frozen=True)
class KeysPrompt(Prompt):
    """The keys that an answer may name, with their items."""

    items: Mapping[str, str]


def levers_prompt(context: ContextSnapshot, *, similar: bool = False, kin: tuple[Alike, ...] = ()) -> LeversPrompt:
    """Numbered options of a window; `similar` says whether seeds can be expanded by likeness, `kin` are items like hot ones."""
    caps = context.caps
    seeds, drops = min(SEEDS, caps.max_prefetch), min(DROPS, caps.max_evict)
    load = shortlist(context, [c for c in rising(context) if c.count or c.intent], LOAD) if seeds else []
    kin = kin if seeds else ()
    first_drop = len(load) + len(kin) + 1
    drop = shortlist(context, falling(context), DROP) if drops else []
    categories = [stat for stat in context.workload.top_categories if stat.category][:CATEGORIES]
    # The whole choice whatever the window has, so that the prefix stays the same.
    system = _levers_prefix(seeds, drops, ("covisit", "similar") if similar else ("covisit",))
    offers = _expansions(load, similar=similar)
    lines = [*_statistics(context), *_levers_so_far(context), *_ahead(context), *_last_plans(context)]
    lines += _categories(categories)
    lines += _options("load", load, 1) + _alike(kin, len(load) + 1) + _options("drop", drop, first_drop)
    return LeversPrompt(
        system=system,
        user=_joined(lines, MAX_PROMPT_CHARS - len(system)),
        schema=_levers_schema(context, first_drop - 1, len(drop), len(categories), seeds, drops, offers),
        load=dict(enumerate([*(c.item for c in load), *(k.item for k in kin)], 1)),
        drop={n: c.item for n, c in enumerate(drop, first_drop)},
        categories=tuple(s.category for s in categories),
        max_seeds=seeds,
        max_drop=drops,
    )


def keys_prompt(context: ContextSnapshot) -> KeysPrompt:
    """The prototype's prompt: pressure, top items, top categories, recent sessions; keys are named by the model itself."""
    system = _keys_prefix(context.caps)
    work = context.workload
    candidates = frozenset(work.candidates.item)
    resident = {c.item for c in present(context)}
    items: dict[str, str] = {}
    lines = [f"Aura cache pressure: {context.cache.pressure:.0%}", *_statistics(context)[:2]]
    lines += ["top categories (requests change):"] if work.top_categories else []
    lines += [f"- {quoted(s.category, 24)} {s.count} {s.trend:+d}" for s in work.top_categories[:CATEGORIES] if s.category]
    sessions = [_session(session) for session in work.sessions[:SESSIONS]]
    lines += ["recent sessions:", *(f"- {text}" for text in sessions)] if sessions else []
    top = [_Row(s.item, s.count, s.trend, s.title, s.category, s.brand) for s in work.top_items[:TOP_ITEMS]]
    more = [c for c in [*rising(context)[:RISING], *falling(context)[:RISING]] if c.item not in {row.item for row in top}]
    rows = top + [_Row(c.item, c.count, c.trend, c.title, c.category, "") for c in shortlist(context, more, len(more))]
    lines.append("items (key title category brand requests change):")
    room = MAX_PROMPT_CHARS - len(system) - _size(lines)
    for row in rows:
        key = key_of(row.item)
        state = "cached" if row.item in resident else "not cached" if row.item in candidates else "unknown"
        line = f"{key} {row.words()} {row.count} {row.trend:+d} {state}"
        room -= _size([line])
        if room < 0:
            break
        if key == plain(key, MAX_KEY):
            items[key] = row.item
            lines.append(line)
    return KeysPrompt(system, _joined(lines, MAX_PROMPT_CHARS - len(system)), _keys_schema(context.caps), items)


def _session(session: SampleSession) -> str:
    events = " ".join(plain(event, 40) for event in session.events[-SESSION_EVENTS:])
    likes = ", ".join(quoted(category, 24) for category in session.profile)
    return f"{events} by somebody who likes {likes}" if likes else events


@dataclass(slots=True)
class _Row:
    item: str
    count: int
    trend: int
    title: str
    category: str
    brand: str

    def words(self) -> str:
        return " ".join(quoted(text, limit) for text, limit in ((self.title, 32), (self.category, 20), (self.brand, 16)) if text)


@lru_cache(maxsize=16)
def _levers_prefix(seeds: int, drops: int, offers: tuple[Expand, ...]) -> str:
    choice = "|".join(("none", *offers))
    words = ", ".join(f"{offer} {EXPANSIONS[offer]}" for offer in offers)
    return _template("levers.txt").substitute(
        expand_example='"expand":"none",' if offers else "",
        expand=f"expand: {choice}. Whether items related to the seeds are loaded too: {words}.\n" if offers else "",
        max_seeds=seeds,
        max_drop=drops,
    )


@lru_cache(maxsize=16)
def _keys_prefix(caps: Caps) -> str:
    return _template("keys.txt").substitute(caps.model_dump())


@lru_cache(maxsize=2)
def _template(name: str) -> Template:
    return Template(files("aura_planner").joinpath("prompts", name).read_text(encoding="utf-8").strip())


def _statistics(context: ContextSnapshot) -> list[str]:
    work, cache = context.workload, context.cache
    before = " ".join(f"{ratio:.3f}" for ratio in cache.hit_ratio_history[-3:])
    return [
        f"window {context.window}: {work.requests} requests, {work.distinct_items} distinct items, {work.new_items} never seen",
        f"hit ratio {cache.hit_ratio:.3f}"
        + (f" (before: {before})" if before else "")
        + f", plain LRU {cache.baseline_hit_ratio:.3f}",
        f"memory {cache.pressure:.0%} full; now frequency={cache.policy.frequency} admit={cache.policy.admit}",
    ]


def _levers_so_far(context: ContextSnapshot) -> list[str]:
    tried = [f"{s.frequency}/{s.admit} {100 * s.gain:+.1f} in {s.windows:.0f}" for s in context.cache.levers[:TRIED]]
    lines = [f"frequency/admit tried (points over LRU in windows): {'; '.join(tried)}"] if tried else []
    tests = [f"{ghost.frequency} {100 * ghost.gain:+.1f}" for ghost in context.cache.ghosts if ghost.frequency != "none"]
    return [*lines, f"frequency on a small copy (points over LRU): {'; '.join(tests)}"] if tests else lines


def _ahead(context: ContextSnapshot) -> list[str]:
    """What rules could load, strictest first, and what they did load."""
    offers, cache = context.workload.offers, context.cache
    if not offers:
        return []
    words = {"high": "sure", "medium": "likely", "low": "any"}
    listed = "; ".join(f"{o.expand} {words[o.confidence]} {o.items} chance {o.probability:.2f}" for o in offers)
    done = f"; last window {cache.prefetches} loaded {cache.prefetch_hits} asked for" if cache.prefetches else ""
    return [f"ahead, items on offer: {listed}{done}"]


def _last_plans(context: ContextSnapshot) -> list[str]:
    shown = [f"{p.prefetched} loaded {p.prefetch_hits} asked for" for p in context.cache.last_plans[-2:] if p.prefetched]
    return [f"last plans: {'; '.join(shown)}"] if shown else []


def _expansions(load: list[Candidate], *, similar: bool) -> list[Expand]:
    """Ways of expanding seeds that lead somewhere in this window."""
    found: list[Expand] = ["covisit"] if any(candidate.neighbours for candidate in load) else []
    return [*found, "similar"] if similar else found


def _categories(categories: list[CategoryStat]) -> list[str]:
    if not categories:
        return []
    rows = [f"{n} {quoted(s.category, 24)} {s.count} {s.trend:+d}" for n, s in enumerate(categories, 1)]
    if any(s.affinity for s in categories):
        rows = [f"{row} {s.affinity:.0%}" for row, s in zip(rows, categories, strict=True)]
        return ["categories (number name requests change, share of what these users asked for before):", *rows]
    return ["categories (number name requests change):", *rows]


def _alike(kin: tuple[Alike, ...], first: int) -> list[str]:
    if not kin:
        return []
    rows = [f"{n} {quoted(k.title, 28)} {quoted(k.category, 14)} like {quoted(k.like, 28)}" for n, k in enumerate(kin, first)]
    return ["more to load, not asked for yet (number title category, what it is like):", *rows]


def _options(name: str, options: list[Candidate], first: int) -> list[str]:
    if not options:
        return []
    rows = [
        f"{n} {quoted(c.title or c.item, 28)} {quoted(c.category, 14)} {c.count} {c.trend:+d}"
        + (f" cart {c.intent}" if c.intent else "")
        for n, c in enumerate(options, first)
    ]
    return [f"{name} (number title category requests change):", *rows]


def _levers_schema(
    context: ContextSnapshot, load: int, drop: int, categories: int, seeds: int, drops: int, offers: Sequence[Expand]
) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "frequency": {"enum": ["none", "low", "medium", "high"]},
        "admit": {"enum": ["all", "second_hit", "frequent"]},
    }
    if context.workload.offers:
        fields["ahead"] = {"enum": list(AHEAD)}
    if categories:
        fields |= {name: _numbers(1, categories, PER_LIST) for name in ("long", "short", "protect")}
    if load:
        fields |= {"expand": {"enum": ["none", *offers]}} if offers else {}
        fields["seeds"] = _numbers(1, load, seeds)
    if drop:
        fields["drop"] = _numbers(load + 1, load + drop, drops)
    return _object(fields)


def _keys_schema(caps: Caps) -> dict[str, Any]:
    text = {"type": "string"}
    action = _object({"k": text, "v": text, "ttl": {"type": "integer", "minimum": caps.ttl_min, "maximum": caps.ttl_max}})
    return _object(
        {
            "evict": {"type": "array", "items": text, "maxItems": caps.max_evict},
            "prefetch": {"type": "array", "items": action, "maxItems": caps.max_prefetch},
        }
    )


def _numbers(low: int, high: int, most: int) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "integer", "minimum": low, "maximum": high}, "maxItems": min(most, high - low + 1)}


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _size(lines: Iterable[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def _joined(lines: list[str], room: int) -> str:
    """As many whole lines as fit into `room` bytes."""
    kept: list[str] = []
    for line in lines:
        room -= _size([line])
        if room < 0:
            break
        kept.append(line)
    return "\n".join(kept)
