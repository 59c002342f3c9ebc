"""The end of a sweep in words: a table of arms for each capacity."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from aura_contract.results import SweepCapacity, SweepResult

__all__ = ["show_sweep"]


def show_sweep(console: Console, result: SweepResult, page: Path) -> None:
    """Print the tables and the page's place."""
    for capacity in result.capacities:
        console.print()
        console.print(_head(capacity), style="bold", highlight=False, soft_wrap=True, markup=False)
        if capacity.arms:
            console.print(_table(capacity))
    console.print()
    console.print(f"Sweep: {page}", highlight=False, soft_wrap=True, markup=False)


def _head(capacity: SweepCapacity) -> str:
    items = f", about {capacity.capacity_items:,} items" if capacity.capacity_items else ""
    verdicts = ", ".join(f"{count} {name}" for name, count in capacity.verdicts.items())
    return f"Capacity {capacity.capacity}{items}: {verdicts or 'no cell ended'}"


def _table(capacity: SweepCapacity) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("arm", no_wrap=True)
    table.add_column("planner", no_wrap=True)
    for name in ("hit ratio", "range", "Δ points", "backend reads"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, arm in capacity.arms.items():
        ratio, delta = arm.hit_ratio, arm.delta_points
        table.add_row(
            name,
            arm.planner or "none",
            f"{ratio.mean:.4f}",
            f"{ratio.low:.4f}–{ratio.high:.4f}",
            f"{delta.mean:+.2f}" if delta else "",
            f"{arm.backend_reads_ratio.mean:.3f} ×",
        )
    return table
