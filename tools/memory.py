"""Giving freed memory back to the system.

Pictures of every size are allocated and freed by many threads; the C library keeps what is free
in pieces for each. On Linux with glibc it can be asked to return it; elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time

__all__ = ["give_back"]

_EVERY_S = 5.0
_lock = threading.Lock()
_last = [0.0]


def give_back() -> None:
    """Return free memory to the system, at most every few seconds (it takes milliseconds)."""
    with _lock:
        now = time.monotonic()
        if not sys.platform.startswith("linux") or now - _last[0] < _EVERY_S:
            return
        _last[0] = now
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
