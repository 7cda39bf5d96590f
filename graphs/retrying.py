"""One more try where a model or a server gave no usable answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from tools.errors import BackendError

__all__ = ["tried_twice"]

P = ParamSpec("P")
R = TypeVar("R")


def tried_twice(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What the call gives, at the second try if need be. Raises what the second try raises.

    Backends wait and repeat within a call; this is for the call that still came back empty-handed,
    so that one bad moment costs the run no event. Any other error is final and is not tried again;
    nor is one that the same request would meet again (a key that is denied, a reply that does not
    parse) or a server that is left alone for the moment.
    Both tries stand in the run's trace: one call line each, one result.
    """
    try:
        return call(*args, **kwargs)
    except BackendError as error:
        if not error.passing or error.fault == "paused":
            raise
        return call(*args, **kwargs)
