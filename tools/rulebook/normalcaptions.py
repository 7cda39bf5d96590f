"""Normal captions as rows of the record: written by an induction as a whole, never changed."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from tools.errors import UserError
from tools.types import NormalCaption, content_id

__all__ = ["caption_of", "captions_of_scene", "keep_captions", "normal_id"]

_REFERENCE = re.compile(r"(?:normal:)?(?P<id>\w+)(?:@(?P<version>[1-9]\d{0,8}))?", re.ASCII)


def normal_id(scene: str, video_id: str, frame: int, text: str) -> str:
    """Id of a normal caption, the same at every induction that has it."""
    return content_id(scene, video_id, frame, text, length=10)


def keep_captions(
    connection: sqlite3.Connection, scene: str, captions: Sequence[NormalCaption]
) -> int:
    """Write a scene's captions as its next version, whatever version they say; give that version.

    The same captions as last time get no new version. 0 for none, which writes nothing.
    """
    if not captions:
        return 0
    row = connection.execute(
        "SELECT max(version) FROM normal_captions WHERE scene = ?", (scene,)
    ).fetchone()
    last = int(row[0] or 0)
    if last and captions_of_scene(connection, scene, last) == _numbered(captions, last):
        return last
    connection.executemany(
        "INSERT INTO normal_captions (id, version, scene, record) VALUES (?, ?, ?, ?)",
        [(c.id, c.version, c.scene, c.model_dump_json()) for c in _numbered(captions, last + 1)],
    )
    return last + 1


def captions_of_scene(
    connection: sqlite3.Connection, scene: str, version: int
) -> tuple[NormalCaption, ...]:
    """The captions of one version, in the order in which they were given."""
    rows = connection.execute(
        "SELECT record FROM normal_captions WHERE scene = ? AND version = ? ORDER BY rowid",
        (scene, version),
    )
    return tuple(NormalCaption.model_validate_json(row[0]) for row in rows)


def caption_of(connection: sqlite3.Connection, reference: str) -> NormalCaption:
    """The caption that ``normal:ID@V`` names; of ``ID`` alone the latest version.

    Raises UserError where there is none.
    """
    named = _REFERENCE.fullmatch(reference)
    row = (
        named
        and connection.execute(
            "SELECT record FROM normal_captions WHERE id = ? AND version = coalesce(?, version)"
            " ORDER BY version DESC LIMIT 1",
            (named["id"], named["version"] and int(named["version"])),
        ).fetchone()
    )
    if not row:
        raise UserError(
            f"no normal caption “{reference}”", remedy="see vidocq rules captions --scene NAME"
        )
    return NormalCaption.model_validate_json(row[0])


def _numbered(captions: Sequence[NormalCaption], version: int) -> tuple[NormalCaption, ...]:
    return tuple(c.model_copy(update={"version": version}) for c in captions)
