"""Arms: a Redis that is driven by the log."""
