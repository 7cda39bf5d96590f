"""A process of the command line that kills itself in the middle of a run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["killed_at"]

PRELOAD = ["agent.asking", "chromadb", "tools.backends.chroma", "tools.figures", __name__]


def killed_at(
    where: str, visit: int, when: str, arguments: Sequence[str], env: Mapping[str, str]
) -> int:
    """Run ``vidocq ARGUMENTS`` in a process that sends itself SIGKILL; its exit code.

    Args:
        where: a node's function, or a method of the trace, in which it dies.
        visit: at which visit, from 1.
        when: ``before`` its work or ``after``.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)  # what takes seconds to import is imported once
    process = context.Process(target=_run, args=(where, visit, when, list(arguments), dict(env)))
    process.start()
    process.join(120)
    code = process.exitcode
    process.close()
    assert code is not None
    return code


def _run(where: str, visit: int, when: str, arguments: list[str], env: dict[str, str]) -> None:
    from agent.cli import main
    from agent.trace import Trace
    from graphs import conclude, nodes

    os.environ.update(env)
    home = next(h for h in (nodes, conclude, Trace) if hasattr(h, where))
    setattr(home, where, _fatal(getattr(home, where), visit, when))
    sys.argv = ["vidocq", *arguments]
    main()


def _fatal(original: Callable[..., Any], visit: int, when: str) -> Callable[..., Any]:
    visits = 0

    def step(*args: Any) -> Any:
        nonlocal visits
        visits += 1
        mine = visits  # several looks may be under way at once
        if mine == visit and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args)
        if mine == visit:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    step.__name__ = original.__name__
    return step
