"""A table's place in a page of the documentation: between two comments that readers do not see."""

from pathlib import Path

__all__ = ["replace_table"]

BEGIN, END = "<!-- table -->\n", "<!-- end -->\n"


def replace_table(page: Path, lines: list[str]) -> None:
    """Put the lines in place of the page's table."""
    before, _, after = page.read_text(encoding="utf-8").partition(BEGIN)
    rest = after.partition(END)[2]
    page.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + rest, encoding="utf-8")
