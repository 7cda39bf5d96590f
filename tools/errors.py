"""Every error Vidocq raises on purpose. Anything else is a bug and surfaces with its traceback.

::

    VidocqError
    ├── UserError      settings, arguments, a missing install: one line, a remedy, exit code 2
    ├── MediaError     a file or a frame cannot be read: file, frame, reason
    ├── ToolRetry      the model may correct its call and try again
    ├── ToolFailed     final for this item; the run goes on and says so
    ├── BackendError   unreachable, timeout, rate limit, bad reply; never turned into a score
    ├── StoreError     a record or an index cannot be read or written; nothing half-written
    └── BudgetSpent    the run's budget does not allow the call
"""

from __future__ import annotations

__all__ = [
    "BackendError",
    "BudgetSpent",
    "MediaError",
    "StoreError",
    "ToolFailed",
    "ToolRetry",
    "UserError",
    "VidocqError",
]


class VidocqError(Exception):
    """Base class: a message in one line and, where there is one, the remedy.

    Args:
        message: what is wrong, naming the file, setting or item.
        remedy: what the user can do about it.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class UserError(VidocqError):
    """Settings, arguments or an installation the user can put right."""

    exit_code = 2


class MediaError(VidocqError):
    """A video, or one frame of it, that cannot be read.

    Args:
        path: the file or folder as the user named it.
        reason: what is wrong with it.
        frame: 0-based index of the frame, where one is to blame.
        remedy: what the user can do about it.
    """

    exit_code = 2

    def __init__(
        self, path: str, reason: str, *, frame: int | None = None, remedy: str = ""
    ) -> None:
        where = path if frame is None else f"{path}, frame {frame}"
        super().__init__(f"{where}: {reason}", remedy=remedy)
        self.path = path
        self.reason = reason
        self.frame = frame


class ToolRetry(VidocqError):
    """A tool call that the calling model may correct and send again."""


class ToolFailed(VidocqError):
    """A tool call that failed for good; the run goes on without its result and says so."""


class BackendError(VidocqError):
    """A model server or model that gave no usable answer, after bounded retries."""


class StoreError(VidocqError):
    """A record (SQLite), an index (Chroma) or a run folder that cannot be read or written."""


class BudgetSpent(VidocqError):
    """The run's budget does not allow this call."""
