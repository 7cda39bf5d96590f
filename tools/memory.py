"""Giving freed memory back to the system.

Pictures of every size are allocated and freed by many threads; the C library keeps what is free
in pieces for each of them. On Linux with glibc it can be asked to let threads share, and to return
what is free; elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time

__all__ = ["give_back", "share_heaps"]

_EVERY_S = 5.0
_HEAPS = 2
_M_ARENA_MAX = -8  # malloc.h
_lock = threading.Lock()
_last = [0.0]


def share_heaps() -> None:
    """Let all threads allocate from two heaps, not from up to eight per core."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if _linux() else None
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _HEAPS)


def give_back() -> None:
    """Return free memory to the system, at most every few seconds (it takes milliseconds)."""
    with _lock:
        now = time.monotonic()
        if not _linux() or now - _last[0] < _EVERY_S:
            return
        _last[0] = now
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _linux() -> bool:
    return sys.platform.startswith("linux")
