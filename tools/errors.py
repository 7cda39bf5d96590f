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

from typing import Literal

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


Fault = Literal[
    "unreachable", "timeout", "cut", "busy", "server", "denied", "unknown_model", "too_large",
    "rejected", "empty", "refusal", "not_json", "schema", "off_scale", "runaway", "length",
    "unclear", "thinking", "incapable", "paused", "failed",
]  # fmt: skip
"""What went wrong with a model, for counting and for deciding whether another try can help."""

PASSING: frozenset[str] = frozenset(
    {"unreachable", "timeout", "cut", "busy", "server", "empty", "paused", "failed"}
)
"""Faults that may be the moment's; the others come back with the same request."""


class BackendError(VidocqError):
    """A model server or model that gave no usable answer, after bounded retries.

    Args:
        message: what is wrong.
        remedy: what the user can do about it.
        fault: which kind of failure it is.
    """

    def __init__(self, message: str, *, remedy: str = "", fault: Fault = "failed") -> None:
        super().__init__(message, remedy=remedy)
        self.fault: Fault = fault

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed another time."""
        return self.fault in PASSING


class StoreError(VidocqError):
    """A record (SQLite), an index (Chroma) or a run folder that cannot be read or written."""


class BudgetSpent(VidocqError):
    """The run's budget does not allow this call."""
