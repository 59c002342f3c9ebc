"""From a model's object to a Decision: schema, then meaning. Whatever names something unknown is thrown away whole."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aura_contract.context import Caps
from aura_contract.plan import Admit, Frequency, Policy, TtlClass
from aura_planner.decision import Decision, DiscardReason, Expand
from aura_planner.parsing import AnswerError, first_object
from aura_planner.prompt import FANOUT, KeysPrompt, LeversPrompt
from aura_planner.rules import AHEAD, Ahead

__all__ = ["keys_decision", "levers_decision"]

Name = TypeVar("Name", bound=Hashable)
Model = TypeVar("Model", bound=BaseModel)
Numbers = Annotated[tuple[int, ...], Field(max_length=1000)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Levers(_Answer):
    frequency: Frequency
    admit: Admit
    ahead: Ahead = "none"
    long: Numbers = ()
    short: Numbers = ()
    protect: Numbers = ()
    expand: Expand = "none"
    seeds: Numbers = ()
    drop: Numbers = ()


class _Action(_Answer):
    k: str
    ttl: int


class _Keys(_Answer):
    evict: Annotated[tuple[str, ...], Field(max_length=10_000)]
    prefetch: Annotated[tuple[_Action, ...], Field(max_length=10_000)]


def levers_decision(text: str, prompt: LeversPrompt) -> Decision:
    """The decision in an answer of the style `levers`; raises AnswerError.

    Numbers must be listed in the prompt, under the list they are used for, and not repeat; no category both long and short.
    """
    answer = _validated(_Levers, first_object(text))
    categories = dict(enumerate(prompt.categories, 1))
    long, short, protect = (_picked(n, categories, "category") for n in (answer.long, answer.short, answer.protect))
    if set(long) & set(short):
        raise AnswerError("conflict", "a category is to live both longer and shorter")
    seeds = _picked(answer.seeds, prompt.load, "item to load")
    evict = _picked(answer.drop, prompt.drop, "item to drop")
    _within("seeds", seeds, prompt.max_seeds)
    _within("drop", evict, prompt.max_drop)
    if set(seeds) & set(evict):
        raise AnswerError("conflict", "an item is both loaded and dropped")
    ttl: dict[str, TtlClass] = {**dict.fromkeys(long, "long"), **dict.fromkeys(short, "short")}
    policy = Policy(frequency=answer.frequency, admit=answer.admit, ttl=ttl, protect=protect, rules=AHEAD[answer.ahead])
    fanout = 0 if answer.expand == "none" else FANOUT
    return Decision(policy=policy, seeds=seeds, evict=evict, expand=answer.expand, fanout=fanout)


def keys_decision(text: str, prompt: KeysPrompt, caps: Caps) -> Decision:
    """The decision in an answer of the style `keys`, the prototype's; raises AnswerError.

    Keys must be those of items in the prompt, within the caps, and not repeat, neither in a list nor across; TTLs in range.
    The model's values are not even read: payloads come from the catalogue.
    """
    answer = _validated(_Keys, first_object(text))
    _within("evict", answer.evict, caps.max_evict)
    _within("prefetch", answer.prefetch, caps.max_prefetch)
    evict = _picked(answer.evict, prompt.items, "key")
    seeds = _picked([action.k for action in answer.prefetch], prompt.items, "key")
    if set(evict) & set(seeds):
        raise AnswerError("conflict", "a key is both evicted and prefetched")
    for action in answer.prefetch:
        if not caps.ttl_min <= action.ttl <= caps.ttl_max:
            raise AnswerError("ttl_out_of_range", f"TTL {action.ttl} is not within {caps.ttl_min} and {caps.ttl_max} s")
    ttl = {prompt.items[action.k]: action.ttl for action in answer.prefetch}
    return Decision(seeds=seeds, evict=evict, ttl=ttl)


def _validated(model: type[Model], found: dict[str, Any]) -> Model:
    try:
        return model.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])[:60]
        raise AnswerError("schema", f"{field}: {first['msg']}"[:200]) from error


def _picked(names: Sequence[Name], known: Mapping[Name, str], what: str) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            reason: DiscardReason = "unknown_category" if what == "category" else "unknown_item"
            raise AnswerError(reason, f"{str(name)[:80]!r} is no {what} of this window")
    if len(set(names)) != len(names):
        raise AnswerError("duplicate", f"one {what} is named twice")
    return tuple(known[name] for name in names)


def _within(what: str, names: Sequence[object], limit: int) -> None:
    if len(names) > limit:
        raise AnswerError("over_cap", f"{what} has {len(names)} entries, at most {limit} are allowed")
