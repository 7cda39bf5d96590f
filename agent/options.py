"""What the commands of ``vidocq`` share: options, errors in one line, JSON."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

import typer

from tools.errors import UserError, VidocqError

if TYPE_CHECKING:
    from agent.runtime import Stores
    from tools.rulebook.linting import Finding
    from tools.types import Rule

__all__ = [
    "AuthorOption",
    "JsonOption",
    "SceneOption",
    "archive",
    "guarded",
    "in_words",
    "linted",
    "print_json",
    "scene_of",
    "show",
]

P = ParamSpec("P")
R = TypeVar("R")

SceneOption = Annotated[
    str | None, typer.Option("--scene", "-s", help="Scene whose rules apply.", metavar="NAME")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, all else on stderr.")]
AuthorOption = Annotated[str, typer.Option(help="Who says so.", envvar="USER")]


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


def archive() -> AbstractContextManager[Stores]:
    """The stores of the configured home, closed at the end of the block."""
    from contextlib import closing

    from agent.runtime import open_stores

    return closing(open_stores())


def scene_of(stores: Stores, scene: str | None) -> str:
    """The scene an option names, or the configured one. Raises UserError where there is none."""
    name = scene or stores.settings.scene
    if name is None:
        known = ", ".join(r.name for r in stores.archive.scenes()) or "none yet"
        raise UserError("no scene was named", remedy=f"--scene NAME; known: {known}")
    return name


def in_words(stores: Stores, scene: str) -> bool:
    """Whether a scene's rules are read in captions: it was learned by words, whichever captioner is
    set now, or that one gives words only."""
    if not stores.tools.captioner.attributes:
        return True
    return stores.archive.scene(scene).captions_version > 0


def linted(stores: Stores, rules: Sequence[Rule]) -> tuple[Finding, ...]:
    """What is wrong with these rules of one scene, for what its captioner measures or says."""
    from tools.deduction import readable
    from tools.rulebook.linting import lint

    words = bool(rules) and in_words(stores, rules[0].scene)
    return lint(rules, stores.tools.captioner.attributes, readable if words else None)


def show(stores: Stores, rules: Sequence[Rule], as_json: bool, *, provenance: bool = False) -> None:
    """Rules of one scene as JSON, or for reading, with how each is tested or read there."""
    if as_json:
        print_json([r.model_dump(mode="json") for r in rules])
        return
    from agent.console import show_rules

    words = bool(rules) and in_words(stores, rules[0].scene)
    show_rules(rules, in_words=words, provenance=provenance)
