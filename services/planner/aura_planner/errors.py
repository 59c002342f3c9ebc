"""Errors that end the planner before it starts."""

__all__ = ["SetupError"]


class SetupError(RuntimeError):
    """The planner cannot work as the manifest or a flag says; the message is one sentence that says what to do."""
