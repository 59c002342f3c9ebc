"""Lets `python -m aura_cli` be the command `aura`."""

from aura_cli.main import main

main()
