"""Errors on purpose: one line, the remedy, the exit code; the tree as its docstring draws it."""

from __future__ import annotations

import re

import pytest

from tools import errors
from tools.errors import MediaError, StoreError, UserError, VidocqError


def test_an_error_is_its_message_and_its_remedy() -> None:
    error = UserError("no question", remedy="ask one")
    assert str(error) == "no question (ask one)"
    assert (error.message, error.remedy) == ("no question", "ask one")
    assert str(StoreError("record.db: damaged")) == "record.db: damaged"


def test_a_media_error_names_file_and_frame() -> None:
    error = MediaError("a.mp4", "cannot be decoded", frame=7, remedy="record it again")
    assert str(error) == "a.mp4, frame 7: cannot be decoded (record it again)"
    assert (error.path, error.reason, error.frame) == ("a.mp4", "cannot be decoded", 7)
    assert str(MediaError("a.mp4", "is empty")) == "a.mp4: is empty"


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_ours_and_has_an_exit_code(name: str) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, VidocqError)
    assert kind.exit_code == (2 if name in {"UserError", "MediaError"} else 1)


def test_the_docstring_draws_every_error() -> None:
    assert errors.__doc__ is not None
    drawn = set(re.findall(r"\w*(?:Error|Retry|Failed|Spent)\b", errors.__doc__))
    assert drawn == set(errors.__all__)
