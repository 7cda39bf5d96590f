"""Giving freed memory back to the system.

Pictures of every size are allocated and freed by many threads; the C library keeps what is free
in pieces for each of them. On Linux with glibc it can be asked to let threads share, to keep the
largest pictures out of what it shares, and to return what is free; elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time

__all__ = ["give_back", "share_heaps"]

_EVERY_S = 5.0
_HEAPS = 2
_LARGE = 7 * 2**18
"""Bytes. The brightness of 1080 lines takes more. Mapping takes time, so what is made anew
for every frame (up to 1 MB at the sizes that are analysed) must be smaller."""
_KEPT = 16 * 2**20
"""Bytes free at the end of a heap before they go back unasked (glibc: twice the size mapped)."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
_lock = threading.Lock()
_last = [0.0]


def share_heaps() -> None:
    """Let all threads allocate from two heaps, not from up to eight per core, and the largest
    pictures from none: by default the first of those that is freed raises the size from which
    memory is mapped to its own, and what follows leaves holes in the heaps."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if _linux() else None
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _HEAPS)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


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
