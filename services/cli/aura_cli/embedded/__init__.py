"""Real servers and services as child processes on loopback, gone when the run is over however it ends."""

from aura_cli.embedded.household import Child, Household

__all__ = ["Child", "Household"]
