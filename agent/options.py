"""What the commands of ``vidocq`` share: options, errors in one line, JSON."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from tools.errors import VidocqError

__all__ = ["JsonOption", "SceneOption", "guarded", "print_json"]

P = ParamSpec("P")
R = TypeVar("R")

SceneOption = Annotated[
    str | None, typer.Option("--scene", "-s", help="Scene whose rules apply.", metavar="NAME")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, all else on stderr.")]


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Turn errors meant for the user into one line and an exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except VidocqError as error:
            from agent.console import complain

            complain(str(error))
            raise typer.Exit(error.exit_code) from None

    return run


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
