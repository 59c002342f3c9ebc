"""Text from logs and catalogues on its way into a prompt: short, on one line, and unable to end its own quotes."""

import unicodedata

__all__ = ["plain", "quoted"]


def plain(text: str, limit: int) -> str:
    """At most `limit` characters: no line breaks, control or invisible characters, no double quotes or backslashes."""
    text = text[: 4 * limit]
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join(text.replace('"', "'").replace("\\", "/").replace("`", "'").split())[:limit]


def quoted(text: str, limit: int) -> str:
    """`plain` text in double quotes."""
    return f'"{plain(text, limit)}"'
