"""Rules as rows of the record: reading and writing versions, and what names them."""

from __future__ import annotations

import difflib
import re
import shlex
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tools.errors import UserError
from tools.types import Predicate, Rule, RuleKind, Scope, content_id

__all__ = [
    "ANYWHERE",
    "bare_sentence",
    "clean_text",
    "content_of",
    "induced_id",
    "insert_rule",
    "latest_of_scene",
    "mark_of",
    "now",
    "require_scene",
    "scene_of_rule",
    "split_reference",
    "unknown_rule",
    "unknown_scene",
    "user_id",
    "versions_of",
]

ANYWHERE = Scope()
"""The scope of a rule that applies always and everywhere."""


def now() -> str:
    """The present instant: UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


# ---------------------------------------------------------------- rows


def insert_rule(connection: sqlite3.Connection, rule: Rule) -> None:
    connection.execute(
        "INSERT INTO rules (id, version, scene, record) VALUES (?, ?, ?, ?)",
        (rule.id, rule.version, rule.scene, rule.model_dump_json()),
    )


def versions_of(connection: sqlite3.Connection, rule_id: str) -> tuple[Rule, ...]:
    """All versions of a rule, oldest first; none where there is no such rule."""
    rows = connection.execute("SELECT record FROM rules WHERE id = ? ORDER BY version", (rule_id,))
    return tuple(Rule.model_validate_json(row[0]) for row in rows)


def latest_of_scene(connection: sqlite3.Connection, scene: str) -> tuple[Rule, ...]:
    """The latest version of each rule of a scene, by id."""
    rows = connection.execute(
        "SELECT record, max(version) FROM rules WHERE scene = ? GROUP BY id ORDER BY id", (scene,)
    )
    return tuple(Rule.model_validate_json(row[0]) for row in rows)


def mark_of(connection: sqlite3.Connection, scene: str) -> tuple[int, int]:
    """What changes whenever a scene's rules do: rows are only ever added."""
    count, last = connection.execute(
        "SELECT count(*), max(rowid) FROM rules WHERE scene = ?", (scene,)
    ).fetchone()
    return int(count), int(last or 0)


def scene_of_rule(connection: sqlite3.Connection, rule_id: str) -> str | None:
    row = connection.execute("SELECT scene FROM rules WHERE id = ? LIMIT 1", (rule_id,)).fetchone()
    return None if row is None else str(row[0])


def require_scene(connection: sqlite3.Connection, scene: str) -> None:
    """Raises UserError for a scene that is not on record, naming the nearest."""
    if connection.execute("SELECT 1 FROM scenes WHERE name = ?", (scene,)).fetchone() is None:
        rows = connection.execute("SELECT name FROM scenes ORDER BY name")
        raise unknown_scene(scene, [row[0] for row in rows])


def unknown_scene(scene: str, names: Sequence[str]) -> UserError:
    """The error for a scene that was never induced; the remedy names the nearest ones, if any."""
    close = difflib.get_close_matches(scene, names, n=3, cutoff=0.5)
    remedy = f"vidocq induce NORMAL... --scene {scene}"
    if close:
        hint = "; did you mean " + " or ".join(f"“{name}”" for name in close) + "?"
        remedy = " or ".join(f"--scene {shlex.quote(name)}" for name in close)
    elif names:
        hint = "; known: " + ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    else:
        hint = "; none has been induced yet"
    return UserError(f"no scene “{scene}”{hint}", remedy=remedy)


def unknown_rule(connection: sqlite3.Connection, rule_id: str) -> UserError:
    """The error for a rule that is not on record, naming the nearest ones."""
    known = [row[0] for row in connection.execute("SELECT DISTINCT id FROM rules")]
    close = difflib.get_close_matches(rule_id, known, n=3, cutoff=0.5)
    hint = "; did you mean " + " or ".join(close) + "?" if close else ""
    return UserError(f"no rule “{rule_id}”{hint}", remedy="see vidocq rules list")


# ---------------------------------------------------------------- names and contents


def induced_id(scene: str, slot: str) -> str:
    """Id of the induced rule that fills a slot of a scene, the same at every induction.

    ``induced_id("gate", "speed/limit")`` is ``speed-limit-`` and six hex digits.
    """
    return f"{_slug(slot)}-{content_id(scene, slot, length=6)}"


def user_id(
    scene: str,
    text: str,
    kind: RuleKind,
    predicate: Predicate | None,
    scope: Scope = ANYWHERE,
    *,
    salt: int = 0,
) -> str:
    """Id of a rule that a person writes, made of its words and of what it says."""
    words = [w for w in re.findall(r"[a-z]+", text.casefold()) if len(w) > 3][:2]
    parts = [scene, text, kind, predicate, *([scope] if scope != ANYWHERE else []), salt]
    return f"{_slug(' '.join(words) or 'rule')}-{content_id(*parts, length=6)}"


def content_of(rule: Rule, *but: str) -> dict[str, Any]:
    """What a version says, without the circumstances of its writing."""
    return rule.model_dump(exclude={"version", "created", "author", *but})


def split_reference(reference: str) -> tuple[str, int | None]:
    """``ID``, ``ID@V`` or ``rule:ID@V`` in its parts. Raises UserError."""
    name, _, version = reference.removeprefix("rule:").partition("@")
    if version and not version.isdecimal():
        raise UserError(f"“{reference}” is not a rule", remedy="write ID or ID@VERSION")
    return name, int(version) if version else None


def clean_text(text: str) -> str:
    """A rule's text on one line. Raises UserError for a blank one."""
    text = " ".join(text.split())
    if not text:
        raise UserError("a rule needs a text", remedy="say in words what is normal or anomalous")
    return text


def bare_sentence(text: str) -> str:
    """A sentence without case, spacing, kind of quotes and how it ends: what is left is the same of
    those that say the same in the same words."""
    for curly, straight in ("’'", '“"', '”"'):
        text = text.replace(curly, straight)
    return " ".join(text.casefold().split()).rstrip(" .!?;,:…")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
