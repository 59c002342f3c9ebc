"""`python -m aura_replayer`."""

from aura_replayer.main import main

raise SystemExit(main())
