"""From what a model said to one JSON object: pure, bounded, and never trusting."""

import json
import re
from typing import Any

from aura_planner.decision import DiscardReason
from aura_planner.lenient import LenientError, read_object

__all__ = ["MAX_ANSWER_CHARS", "AnswerError", "first_object"]

MAX_ANSWER_CHARS = 32_768
MAX_TRIES = 12

_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)


class AnswerError(ValueError):
    """An answer that is thrown away: `reason` for the metric, the message for the log."""

    def __init__(self, reason: DiscardReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: DiscardReason = reason


def first_object(text: str) -> dict[str, Any]:
    """The first complete JSON object of an answer, repaired where that is safe.

    Fences, prose and thoughts around it are ignored. At each `{` the strict reader goes first and the lenient one second,
    so an object that needs repair is never passed over for one inside it. Raises AnswerError: `empty` or `no_object`.
    """
    text = _THOUGHT.sub("", text[:MAX_ANSWER_CHARS])
    if not text.strip():
        raise AnswerError("empty", "the model said nothing")
    at = text.find("{")
    for _ in range(MAX_TRIES):
        if at < 0:
            break
        found = _object_at(text, at)
        if found:
            return found
        at = text.find("{", at + 1)
    raise AnswerError("no_object", "the answer holds no JSON object")


def _object_at(text: str, at: int) -> dict[str, Any] | None:
    try:
        found, _ = _STRICT.raw_decode(text, at)
    except (ValueError, RecursionError):
        try:
            return read_object(text, at)
        except LenientError:
            return None
    return found if isinstance(found, dict) else None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_STRICT = json.JSONDecoder(parse_constant=_no_constant)
