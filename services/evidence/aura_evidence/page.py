"""Pages that need nothing but themselves: templates with the report's style, and how figures are written in them."""

from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aura_evidence.figure import ARM_COLOURS, minus
from aura_evidence.folder import ReportError

__all__ = ["fill", "write_page"]


def fill(template: str, **values: object) -> str:
    """The template as HTML with `values`, the style sheet and the number of colours; all text in them is escaped."""
    environment = Environment(
        loader=PackageLoader("aura_evidence"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=_percent, signed=_signed, gained=_gained, count=_count, seconds=_seconds, size=_bytes, milli=_milli
    )
    style = files("aura_evidence").joinpath("templates", "report.css").read_text(encoding="utf-8")
    return environment.get_template(template).render(
        **values,
        colours=len(ARM_COLOURS),
        style=Markup(style),  # noqa: S704 (the package's own file)
    )


def write_page(path: Path, text: str) -> Path:
    """Write the file as a whole or not at all and return its path; raises ReportError."""
    draft = path.with_name(f".{path.name}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ReportError(f"{path}: cannot be written: {error.strerror}; free some space or check its permissions") from error
    return path


def _percent(value: float, digits: int = 2) -> str:
    return minus(f"{100 * value:z.{digits}f} %")


def _signed(value: float) -> str:
    return minus(f"{value:+z.2f}")


def _count(value: int) -> str:
    return f"{value:,}"


def _gained(value: int) -> str:
    return minus(f"{value:+,}")


def _seconds(value: float) -> str:
    if value < 1:
        return f"{1000 * value:.3g} ms"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def _milli(value: float) -> str:
    return f"{value:.2f} ms"


def _bytes(value: int) -> str:
    for size, unit in ((2**20, "MiB"), (2**10, "KiB")):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value} bytes"
