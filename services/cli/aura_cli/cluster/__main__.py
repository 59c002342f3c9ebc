"""`python -m aura_cli.cluster`."""

from aura_cli.cluster.app import main

main()
