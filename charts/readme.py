"""Writes the table of values in a chart's README from the comments in its values.yaml: `python charts/readme.py charts/aura`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

__all__ = ["with_table"]

START, END = "<!-- values: written by make chart-docs -->\n", "<!-- end of values -->\n"
LONGEST = 60


def with_table(readme: str, values: str) -> str:
    """The README with its table written again from the text of values.yaml; raises ValueError when a value has no comment."""
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    root = yaml.compose(values, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    rows = "".join(f"| `{name}` | {default} | {text} |\n" for name, default, text in _rows(root, values.splitlines(), ""))
    return f"{before}{START}| value | default | what it says |\n|---|---|---|\n{rows}{END}{after}"


def _rows(node: yaml.MappingNode, lines: list[str], prefix: str) -> Iterator[tuple[str, str, str]]:
    for key, value in node.value:
        name, text = f"{prefix}{key.value}", _comment(lines, key)
        section = isinstance(value, yaml.MappingNode) and not value.flow_style
        if section and not (text and all(not _comment(lines, child) for child, _ in value.value)):
            if text:
                yield name, "", text
            yield from _rows(value, lines, f"{name}.")
        elif text:
            yield name, _default(value), text
        else:
            raise ValueError(f"{name} has no comment in values.yaml; write one above it")


def _comment(lines: list[str], key: yaml.Node) -> str:
    """The comment right above a key, in one line."""
    line, indent = key.start_mark.line, " " * key.start_mark.column
    found: list[str] = []
    while line and lines[line - 1].startswith(f"{indent}# "):
        line -= 1
        found.insert(0, lines[line].strip().removeprefix("# "))
    return " ".join(found)


def _default(node: yaml.Node) -> str:
    text = json.dumps(yaml.safe_load(yaml.serialize(node, Dumper=yaml.SafeDumper)))
    return f"`{text}`" if len(text) <= LONGEST else "see `values.yaml`"


def main() -> None:
    """Write the README of the chart in the folder that is given."""
    chart = Path(sys.argv[1])
    readme = chart / "README.md"
    text = with_table(readme.read_text(encoding="utf-8"), (chart / "values.yaml").read_text(encoding="utf-8"))
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
