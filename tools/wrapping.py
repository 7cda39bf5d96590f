"""Long sentences in little room: wrapped, and shortened where a clause ends, never within one."""

from __future__ import annotations

import textwrap

__all__ = ["wrapped"]

_MORE = " …"
_ENDS = (", ", "; ", ". ", " (")
"""What a clause ends at. A bracket goes or stays as a whole, for it may be a hedge."""


def wrapped(text: str, width: int, most: int, *, indent: int = 0) -> str:
    """The text in lines of ``width`` characters; of what needs more than ``most`` lines the clauses
    that fit, then an ellipsis.

    Where not even the first clause fits, as many of its words as do.

    Args:
        indent: spaces before every line but the first.
    """
    text = " ".join(text.split())

    def lines(part: str) -> list[str]:
        return textwrap.wrap(part, width, subsequent_indent=" " * indent)

    found = lines(text)
    if len(found) <= most:
        return "\n".join(found)
    for end in reversed(_ends(text)):
        found = lines(text[:end] + _MORE)
        if len(found) <= most:
            return "\n".join(found)
    return textwrap.fill(
        text, width, max_lines=most, placeholder=_MORE, subsequent_indent=" " * indent
    )


def _ends(text: str) -> list[int]:
    """Where clauses end, ascending, outside of brackets."""
    found, depth = [], 0
    for at, letter in enumerate(text):
        if depth == 0 and text.startswith(_ENDS, at):
            found.append(at)
        depth = max(0, depth + (letter == "(") - (letter == ")"))
    return found
