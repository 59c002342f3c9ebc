"""`python -m aura_planner`."""

import sys

from aura_planner.main import main

sys.exit(main())
