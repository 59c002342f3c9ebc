"""`aura sweep`: one experiment over a grid of capacities and seeds."""

from aura_cli.sweep.command import SweepOptions, sweep_experiment

__all__ = ["SweepOptions", "sweep_experiment"]
