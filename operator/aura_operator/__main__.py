"""`python -m aura_operator`."""

import sys

from aura_operator.main import main

if __name__ == "__main__":
    sys.exit(main())
