"""Errors that end the command, each with its exit code; the message is one sentence for the user."""

__all__ = ["AuraError", "ForbiddenError", "InputError", "InterruptedRunError", "PartLostError"]


class AuraError(Exception):
    """Ends the command with `exit_code`."""

    exit_code = 1


class InputError(AuraError):
    """What the user gave cannot be used: manifest, log, folder, address."""

    exit_code = 2


class PartLostError(AuraError):
    """A server or service of the run could not be started or stopped before the run was over; a cluster does not answer."""

    exit_code = 3


class ForbiddenError(AuraError):
    """The cluster lets the user not do it."""

    exit_code = 4


class InterruptedRunError(AuraError):
    """The user stopped the run."""

    exit_code = 130
