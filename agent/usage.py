"""A wrong command line is one line and exit code 2, like every other error meant for the user."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

__all__ = ["OneLine"]

# Typer 0.29 carries its own copy of Click, earlier ones import it: the class is found, not named.
USAGE: type[Any] = typer.BadParameter.__bases__[0]


class OneLine(TyperGroup):
    """The commands of a program whose usage errors are one line, without a box around them."""

    prefix: ClassVar[str] = "error"
    """What the line begins with."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """As in Typer. In standalone mode it ends the process: 2 for a wrong command line."""
        rest = {"windows_expand_args": windows_expand_args, **extra}
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **rest)
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **rest)
        except USAGE as error:
            self._say(error)
            sys.exit(2)
        except typer.Abort:
            typer.echo(f"{self.prefix}: aborted", err=True)
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)

    def _say(self, error: Any) -> None:
        message = error.format_message()
        if not message.strip() or "\n" in message.strip():
            # No arguments at all: the help, which Typer may have shown already.
            typer.echo(message, err=True, nl=False)
            return
        line = " ".join(message.split()).rstrip(".")
        where = error.ctx.command_path if error.ctx is not None else self.name
        typer.echo(f"{self.prefix}: {line[0].lower()}{line[1:]} (see {where} --help)", err=True)
