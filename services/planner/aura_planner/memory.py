"""The garbage collector of a process that makes hundreds of small objects a window and keeps none."""

import gc

__all__ = ["settle"]


def settle() -> None:
    """Call once all is imported and opened: what lives for ever is not looked through again with every window."""
    gc.collect()
    gc.freeze()
