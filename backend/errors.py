"""Errors that a user may read: one sentence, a hint, the field at fault."""

from __future__ import annotations


class UnderstudyError(Exception):
    """A failure that is reported as one plain sentence, never as a traceback.

    Args:
        message: one sentence that says what is wrong.
        hint: what the user can do about it.
        field: the name of the option, request field or file key at fault.
    """

    code = "job_failed"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field


class BadInput(UnderstudyError):
    """The request or the file cannot be used as it is."""

    code = "bad_input"
    exit_code = 2


class Cancelled(UnderstudyError):
    """The user cancelled the job."""

    code = "cancelled"


class JobFailed(UnderstudyError):
    """The request was good, the job failed all the same."""
