"""Work on several things at once where it waits for somebody else, such as a model's server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Protocol, TypeVar, runtime_checkable

__all__ = ["Waiting", "side_by_side", "waits"]

T = TypeVar("T")
R = TypeVar("R")


@runtime_checkable
class Waiting(Protocol):
    """A backend that waits for its answers, so that several calls at once pay."""

    @property
    def at_once(self) -> int:
        """How many calls at the same time are worth it."""


def waits(backend: object) -> int:
    """How many calls of a backend at the same time are worth it; 1 where it works itself."""
    return backend.at_once if isinstance(backend, Waiting) else 1


def side_by_side(work: Callable[[T], R], items: Sequence[T], at_once: int) -> list[R]:
    """The results in the order of the items; the first error in that order is raised.

    Each call sees the context of the caller (its budget, its trace).
    """
    if at_once <= 1 or len(items) <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(at_once, len(items))) as pool:
        jobs = [pool.submit(copy_context().run, work, item) for item in items]
        try:
            return [job.result() for job in jobs]
        except BaseException:
            for job in jobs:
                job.cancel()
            raise
