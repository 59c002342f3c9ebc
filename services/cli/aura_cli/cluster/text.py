"""Text that others wrote, made safe for a terminal."""

import json
import unicodedata

__all__ = ["excerpt", "printable"]


def printable(text: str) -> str:
    r"""The text with everything that a terminal might act on as `\uXXXX`, which leaves JSON the same JSON; tabs stay."""
    return text if text.isprintable() else "".join(map(_safe, text))


def excerpt(text: str, most: int) -> str:
    """A printable text in one line of at most `most` characters and an ellipsis."""
    line = printable(" ".join(text[: 4 * most].split()))
    return line if len(line) <= most else f"{line[:most]}…"


def _safe(letter: str) -> str:
    kind = unicodedata.category(letter)
    harmless = letter == "\t" or not (kind.startswith("C") or kind in ("Zl", "Zp"))
    return letter if harmless else json.dumps(letter)[1:-1] if letter != "\x7f" else "\\u007f"
