"""The rule book: every version of every rule of every scene, and retrieval over the active ones.

SQLite is the record (see :mod:`tools.record`); Chroma is an index made from it. Nothing is ever
deleted: an edit or a retirement writes a new version. Rules that a user has touched belong to the
user; induction leaves them alone.
"""

from __future__ import annotations

import difflib
import re
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import UserError
from tools.ports import Embedder
from tools.record import Record
from tools.retrieval import rank
from tools.types import (
    Observation,
    Predicate,
    Rule,
    RuleCategory,
    RuleHit,
    RuleKind,
    RuleStatus,
    content_id,
)

if TYPE_CHECKING:
    from tools.backends.chroma import ChromaIndex

__all__ = ["RuleBook", "induced_id", "now", "unknown_scene"]


def now() -> str:
    """The present instant: UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def induced_id(scene: str, slot: str) -> str:
    """Id of the induced rule that fills a slot of a scene, the same at every induction.

    ``induced_id("gate", "speed/limit")`` is ``speed-limit-`` and six hex digits.
    """
    return f"{_slug(slot)}-{content_id(scene, slot, length=6)}"


class RuleBook:
    """Reads, writes and retrieves rules.

    Args:
        record: the SQLite file.
        index: folder of the Chroma index.
        embedder: turns rule texts into vectors.
    """

    def __init__(self, record: Record, index: Path, embedder: Embedder) -> None:
        self._record = record
        self._folder = index
        self._embedder = embedder

    # ------------------------------------------------------------ reading

    def list(self, scene: str, *, include_retired: bool = False) -> tuple[Rule, ...]:
        """Latest version of each rule of a scene, by kind, category and id.

        Raises UserError for an unknown scene, StoreError.
        """
        with self._record.reading() as connection:
            _require_scene(connection, scene)
            rules = _latest_of_scene(connection, scene)
        order = (RuleStatus.ACTIVE, RuleStatus.RETIRED) if include_retired else (RuleStatus.ACTIVE,)
        kept = (rule for rule in rules if rule.status in order)
        return tuple(
            sorted(kept, key=lambda r: (r.status, r.kind is not RuleKind.NORMAL, r.category, r.id))
        )

    def get(self, rule_id: str, version: int | None = None) -> Rule:
        """One version of a rule, by default the latest. ``ID@V`` and ``rule:ID@V`` are understood.

        Raises UserError where there is none.
        """
        rule_id, cited = _split(rule_id)
        version = version if version is not None else cited
        versions = self.history(rule_id)
        if version is None:
            return versions[-1]
        if not 1 <= version <= len(versions):
            raise UserError(
                f"rule {rule_id} has no version {version}",
                remedy=f"it has versions 1 to {len(versions)}",
            )
        return versions[version - 1]

    def history(self, rule_id: str) -> tuple[Rule, ...]:
        """All versions of a rule, oldest first. Raises UserError where there is none."""
        rule_id, _ = _split(rule_id)
        with self._record.reading() as connection:
            versions = _versions(connection, rule_id)
            if versions:
                return versions
            known = [row[0] for row in connection.execute("SELECT DISTINCT id FROM rules")]
        raise _unknown_rule(rule_id, known)

    # ------------------------------------------------------------ writing

    def add(
        self,
        scene: str,
        text: str,
        kind: RuleKind,
        category: RuleCategory,
        predicate: Predicate | None = None,
        *,
        author: str = "user",
    ) -> Rule:
        """Write a user's rule. Adding what is there already gives back that rule.

        Raises UserError for a blank text or an unknown scene.
        """
        text = _text(text)
        rule = Rule(
            id=_user_id(scene, text, kind, predicate),
            scene=scene,
            version=1,
            kind=kind,
            category=category,
            text=text,
            predicate=predicate,
            source="user",
            author=author,
            created=now(),
        )
        with self._record.writing() as connection:
            _require_scene(connection, scene)
            salt = 0
            while versions := _versions(connection, rule.id):
                last = versions[-1]
                if _content(last) == _content(rule):
                    return last
                if _content(last, "status") == _content(rule, "status"):  # retired: bring it back
                    rule = rule.model_copy(update={"version": last.version + 1})
                    break
                salt += 1  # it was edited into something else since
                rule = rule.model_copy(
                    update={"id": _user_id(scene, text, kind, predicate, salt=salt)}
                )
            _insert(connection, rule)
        return rule

    def edit(
        self,
        rule_id: str,
        *,
        text: str | None = None,
        kind: RuleKind | None = None,
        category: RuleCategory | None = None,
        predicate: Predicate | None = None,
        drop_predicate: bool = False,
        status: RuleStatus | None = None,
        author: str = "user",
        expect: int | None = None,
    ) -> Rule:
        """Write a new version of a rule with the given fields changed; the rule is the user's then.

        Votes and provenance belong to a statement: they are dropped where its text, kind or
        predicate changes. Nothing changed: no new version.

        Args:
            drop_predicate: remove the predicate.
            status: ``ACTIVE`` brings a retired rule back.
            expect: version the edit is based on; by default whichever is the latest.

        Raises:
            UserError: no such rule, a blank text, or ``expect`` is not the latest version.
        """
        if predicate is not None and drop_predicate:
            raise UserError("a predicate was given and its removal asked for", remedy="choose one")
        rule_id, _ = _split(rule_id)
        changes: dict[str, Any] = {
            "text": None if text is None else _text(text),
            "kind": kind,
            "category": category,
            "predicate": predicate,
            "status": status,
        }
        changes = {name: value for name, value in changes.items() if value is not None}
        if drop_predicate:
            changes["predicate"] = None
        with self._record.writing() as connection:
            versions = _versions(connection, rule_id)
            if not versions:
                known = [row[0] for row in connection.execute("SELECT DISTINCT id FROM rules")]
                raise _unknown_rule(rule_id, known)
            last = versions[-1]
            if expect is not None and expect != last.version:
                raise UserError(
                    f"rule {rule_id} is at version {last.version}, not {expect}: it was changed"
                    " meanwhile",
                    remedy=f"look at it (vidocq rules history {rule_id}) and edit again",
                )
            changed = {name for name, value in changes.items() if getattr(last, name) != value}
            if not changed:
                return last
            if changed & {"text", "kind", "predicate"}:
                changes |= {"support": 0, "batches": 0, "provenance": ()}
            rule = last.model_copy(
                update=changes
                | {
                    "version": last.version + 1,
                    "source": "user",
                    "author": author,
                    "created": now(),
                }
            )
            _insert(connection, rule)
        return rule

    def retire(self, rule_id: str, *, author: str = "user", expect: int | None = None) -> Rule:
        """Take a rule out of use. Its history stays; ``edit(status=ACTIVE)`` brings it back."""
        return self.edit(rule_id, status=RuleStatus.RETIRED, author=author, expect=expect)

    def import_induced(
        self, connection: sqlite3.Connection, scene: str, rules: Iterable[Rule]
    ) -> tuple[Rule, ...]:
        """Write the outcome of an induction inside the transaction of ``connection``.

        Unchanged rules get no new version; changed ones do; induced rules that are no longer
        supported are retired; rules a user has touched are left alone. Returns what was written.
        """
        last = {rule.id: rule for rule in _latest_of_scene(connection, scene)}
        written: list[Rule] = []
        seen: set[str] = set()
        stamp = now()
        for rule in rules:
            if rule.scene != scene:
                raise ValueError(f"rule {rule.id} belongs to scene {rule.scene}, not {scene}")
            seen.add(rule.id)
            previous = last.get(rule.id)
            if previous is not None and (
                previous.source == "user" or _content(previous) == _content(rule)
            ):
                continue
            version = 1 if previous is None else previous.version + 1
            written.append(rule.model_copy(update={"version": version, "created": stamp}))
            _insert(connection, written[-1])
        for rule in last.values():
            gone = rule.source == "induced" and rule.id not in seen
            if gone and rule.status is RuleStatus.ACTIVE:
                update = {
                    "version": rule.version + 1,
                    "status": RuleStatus.RETIRED,
                    "author": "induction: no longer supported",
                    "created": stamp,
                }
                written.append(rule.model_copy(update=update))
                _insert(connection, written[-1])
        return tuple(written)

    # ------------------------------------------------------------ retrieval

    def retrieve(
        self,
        scene: str,
        query: str,
        k: int = 8,
        kinds: Sequence[RuleKind] | None = None,
        *,
        observations: Sequence[Observation] = (),
    ) -> tuple[RuleHit, ...]:
        """The active rules that bear most on a query, best first, each with the reason.

        Dense similarity (Chroma) and lexical overlap are fused by reciprocal rank; a rule whose
        predicate holds for one of ``observations`` comes before the others.

        Raises UserError for an unknown scene or another embedder's index, StoreError.
        """
        if k < 1:
            raise ValueError(f"k must be positive, not {k}")
        active = self.list(scene)
        found = self._index.search(
            scene, {_key(rule): rule.text for rule in active}, query, max(k, 32)
        )
        similarity = dict(found)
        rules = [rule for rule in active if kinds is None or rule.kind in kinds]
        return rank(
            rules,
            query,
            {rule.id: similarity[_key(rule)] for rule in rules if _key(rule) in similarity},
            observations,
        )[:k]

    def close(self) -> None:
        """Let go of the index files."""
        if "_index" in self.__dict__:
            self._index.close()

    @cached_property
    def _index(self) -> ChromaIndex:
        from tools.backends.chroma import ChromaIndex

        return ChromaIndex(self._folder, self._embedder)


# ---------------------------------------------------------------- rows


def _insert(connection: sqlite3.Connection, rule: Rule) -> None:
    connection.execute(
        "INSERT INTO rules (id, version, scene, record) VALUES (?, ?, ?, ?)",
        (rule.id, rule.version, rule.scene, rule.model_dump_json()),
    )


def _versions(connection: sqlite3.Connection, rule_id: str) -> tuple[Rule, ...]:
    rows = connection.execute("SELECT record FROM rules WHERE id = ? ORDER BY version", (rule_id,))
    return tuple(Rule.model_validate_json(row[0]) for row in rows)


def _latest_of_scene(connection: sqlite3.Connection, scene: str) -> tuple[Rule, ...]:
    rows = connection.execute(
        "SELECT record, max(version) FROM rules WHERE scene = ? GROUP BY id ORDER BY id", (scene,)
    )
    return tuple(Rule.model_validate_json(row[0]) for row in rows)


def _require_scene(connection: sqlite3.Connection, scene: str) -> None:
    names = [row[0] for row in connection.execute("SELECT name FROM scenes ORDER BY name")]
    if scene not in names:
        raise unknown_scene(scene, names)


def unknown_scene(scene: str, names: Sequence[str]) -> UserError:
    """The error for a scene that was never induced, naming the nearest ones."""
    close = difflib.get_close_matches(scene, names, n=3, cutoff=0.5)
    if close:
        hint = "; did you mean " + " or ".join(f"“{name}”" for name in close) + "?"
    elif names:
        hint = "; known: " + ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    else:
        hint = "; none has been induced yet"
    return UserError(f"no scene “{scene}”{hint}", remedy=f"vidocq induce NORMAL... --scene {scene}")


def _unknown_rule(rule_id: str, known: Sequence[str]) -> UserError:
    close = difflib.get_close_matches(rule_id, known, n=3, cutoff=0.5)
    hint = "; did you mean " + " or ".join(close) + "?" if close else ""
    return UserError(f"no rule “{rule_id}”{hint}", remedy="see vidocq rules list")


def _content(rule: Rule, *but: str) -> dict[str, Any]:
    """What a version says, without the circumstances of its writing."""
    return rule.model_dump(exclude={"version", "created", "author", *but})


def _key(rule: Rule) -> str:
    return f"{rule.id}@{rule.version}"


def _split(reference: str) -> tuple[str, int | None]:
    name, _, version = reference.removeprefix("rule:").partition("@")
    if version and not version.isdecimal():
        raise UserError(f"“{reference}” is not a rule", remedy="write ID or ID@VERSION")
    return name, int(version) if version else None


def _text(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        raise UserError("a rule needs a text", remedy="say in words what is normal or anomalous")
    return text


def _user_id(
    scene: str, text: str, kind: RuleKind, predicate: Predicate | None, *, salt: int = 0
) -> str:
    words = [w for w in re.findall(r"[a-z]+", text.casefold()) if len(w) > 3][:2]
    digits = content_id(scene, text, kind, predicate, salt, length=6)
    return f"{_slug(' '.join(words) or 'rule')}-{digits}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
