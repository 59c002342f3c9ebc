"""Faults at random moments of real runs, and what must hold after each of them (docs/reliability.md)."""
