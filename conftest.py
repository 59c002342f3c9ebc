"""Test modules are named after their folders, so that the folder `operator` would replace the standard library's module."""

import operator
from pathlib import Path

from hypothesis import settings

# Examples are about what is right; how long one takes is the machine's affair.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# With a path of its own that module counts as the package which pytest looks for, and stays what it is.
operator.__path__ = [str(Path(__file__).parent / "operator")]  # type: ignore[attr-defined]
