"""One level-triggered reconciliation: observe, build, apply what differs, derive the status."""
