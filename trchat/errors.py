"""Every error that reaches a person: one line that says what is wrong and what to do, and an exit code."""


class TrchatError(Exception):
    """A runtime error fit to be shown as it is. Exit code 1."""

    exit_code = 1


class UsageError(TrchatError):
    """The command line or an input given with it is wrong. Exit code 2."""

    exit_code = 2


class ModelError(TrchatError):
    """The model was not found, or is not one that can answer. Exit code 3."""

    exit_code = 3


class CrashError(TrchatError):
    """The process that holds the model has ended, or had to be ended. Exit code 1.

    ``by_itself``: not because somebody or the system ended it, so it is likely to happen again.
    """

    def __init__(self, message: str, *, by_itself: bool = True) -> None:
        super().__init__(message)
        self.by_itself = by_itself


class ContextError(TrchatError):
    """The prompt does not fit into the context. Exit code 4."""

    exit_code = 4
