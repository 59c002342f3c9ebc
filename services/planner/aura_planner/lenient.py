"""A reader of almost-JSON: what small models write when they mean one object. Linear in its input, never recursing far."""

import re
from typing import Any

__all__ = ["LenientError", "read_object"]

MAX_DEPTH = 12
QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "`": "`"}
WORDS: dict[str, Any] = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}

_SPACE = re.compile(r"(?:\s+|//[^\n]*|#[^\n]*|/\*.{0,500}?\*/)+", re.DOTALL)
_BARE = re.compile(r"[^\s,:{}\[\]\"'`]+")
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,18})?(?:[eE][+-]?\d{1,2})?\Z")


class LenientError(ValueError):
    """The text at this place is no object, however kindly it is read."""


class _Cut(Exception):
    """The text ended within a value: whatever holds it ends there too."""


def read_object(text: str, start: int) -> dict[str, Any]:
    """The object whose `{` is at `start`.

    Takes trailing and missing commas, single or typographic quotes, Python's literals, comments and bare names. When the
    text ends early, lists and the outermost object keep their complete members; a value that was cut is never kept, because
    half an id may be another item's id. Raises LenientError.
    """
    reader = _Reader(text, start)
    return reader.object(1)


class _Reader:
    def __init__(self, text: str, position: int) -> None:
        self._text = text
        self._at = position

    def object(self, depth: int) -> dict[str, Any]:
        self._at += 1
        found: dict[str, Any] = {}
        try:
            while self._peek(",") != "}":
                name = self._name()
                if self._peek() != ":":
                    raise LenientError("a name without a value")
                self._at += 1
                found[name] = self._value(depth)
        except _Cut:
            if depth > 1:
                raise
            return found
        self._at += 1
        return found

    def _list(self, depth: int) -> list[Any]:
        self._at += 1
        found: list[Any] = []
        try:
            while self._peek(",") != "]":
                found.append(self._value(depth))
        except _Cut:
            return found
        self._at += 1
        return found

    def _value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise LenientError("nested too deep")
        first = self._peek()
        if first == "{":
            return self.object(depth + 1)
        if first == "[":
            return self._list(depth + 1)
        if first in QUOTES:
            return self._string(QUOTES[first])
        return self._bare()

    def _name(self) -> str:
        first = self._peek()
        if first in QUOTES:
            return self._string(QUOTES[first])
        match = _BARE.match(self._text, self._at)
        if match is None:
            raise LenientError("no name where one was due")
        self._at = match.end()
        return match[0]

    def _bare(self) -> Any:
        match = _BARE.match(self._text, self._at)
        if match is None:
            raise LenientError("no value where one was due")
        if match.end() == len(self._text):
            raise _Cut
        self._at = match.end()
        word = match[0]
        if word in WORDS:
            return WORDS[word]
        if _NUMBER.match(word):
            return float(word) if any(mark in word for mark in ".eE") else int(word)
        return word

    def _string(self, end: str) -> str:
        text, at, parts = self._text, self._at + 1, []
        while True:
            stop = min((p for p in (text.find(end, at), text.find("\\", at)) if p >= 0), default=-1)
            if stop < 0 or (stop + 1 >= len(text) > stop and text[stop] == "\\"):
                raise _Cut
            parts.append(text[at:stop])
            if text[stop] == end:
                self._at = stop + 1
                return "".join(parts)
            mark, at = text[stop + 1], stop + 2
            if mark == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", text[at : at + 4]):
                parts.append(chr(int(text[at : at + 4], 16)))
                at += 4
            else:
                parts.append(ESCAPES.get(mark, mark))

    def _peek(self, skip: str = "") -> str:
        """The next character that is neither space, comment nor in `skip`."""
        while True:
            match = _SPACE.match(self._text, self._at)
            if match:
                self._at = match.end()
            if self._at >= len(self._text):
                raise _Cut
            if not skip or self._text[self._at] not in skip:
                return self._text[self._at]
            self._at += 1
