"""Changes to rules and zones inside a transaction: each writes a new version."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from tools.errors import UserError
from tools.record import Record
from tools.rulebook.predicates import describe
from tools.rulebook.rows import (
    ANYWHERE,
    bare_sentence,
    clean_text,
    content_of,
    insert_rule,
    latest_of_scene,
    now,
    require_scene,
    scene_of_rule,
    split_reference,
    unknown_rule,
    user_id,
    versions_of,
)
from tools.rulebook.scoping import describe_scope
from tools.rulebook.zones import insert_zone, zone_versions, zones_of_scene
from tools.types import Predicate, Rule, RuleCategory, RuleKind, RuleStatus, Scope, Zone

__all__ = [
    "RuleChanges",
    "add_rule",
    "difference",
    "edit_rule",
    "next_version",
    "origin_of",
    "version_among",
    "write_zone",
]


class RuleChanges:
    """Several changes to one scene in one transaction: committed together, or none of them."""

    def __init__(self, record: Record, scene: str) -> None:
        self._transaction = record.writing()
        self._scene = scene

    def __enter__(self) -> RuleChanges:
        self._connection = self._transaction.__enter__()
        try:
            require_scene(self._connection, self._scene)
        except BaseException as error:
            self._transaction.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        self._transaction.__exit__(*error)

    def latest(self) -> dict[str, Rule]:
        """Latest version of each rule of the scene, retired ones too, by id."""
        return {r.id: r for r in latest_of_scene(self._connection, self._scene)}

    def zones(self) -> dict[str, Zone]:
        return zones_of_scene(self._connection, self._scene)

    def taken_elsewhere(self, rule_id: str) -> bool:
        """Whether a rule of another scene has this id."""
        return scene_of_rule(self._connection, rule_id) not in {None, self._scene}

    def add(self, text: str, kind: RuleKind, category: RuleCategory, **given: Any) -> Rule:
        """See :func:`add_rule`."""
        rule = add_rule(
            self._connection, self._scene, text, kind, category, said=self._said, **given
        )
        return self._noted(rule)

    def edit(self, rule_id: str, changes: Mapping[str, Any], **given: Any) -> Rule:
        """See :func:`edit_rule`."""
        return self._noted(edit_rule(self._connection, rule_id, changes, **given))

    @cached_property
    def _said(self) -> dict[str, set[str]]:
        """Read once, for a file may hold thousands of rules."""
        return _said_in(self._connection, self._scene)

    def _noted(self, rule: Rule) -> Rule:
        self._said.setdefault(bare_sentence(rule.text), set()).add(rule.id)
        return rule

    def set_zone(
        self, name: str, polygon: tuple[tuple[float, float], ...], *, author: str
    ) -> tuple[Zone, tuple[Rule, ...]]:
        """As :meth:`tools.rulebook.book.RuleBook.set_zone`."""
        versions = zone_versions(self._connection, self._scene, name)
        last = versions[-1] if versions else None
        if last and last.status is RuleStatus.ACTIVE and last.polygon == polygon:
            return last, ()
        zone = last or Zone(scene=self._scene, name=name, version=1, polygon=polygon)
        zone = write_zone(
            self._connection,
            zone,
            {"polygon": polygon, "status": RuleStatus.ACTIVE, "author": author},
            first=not versions,
        )
        moved = []
        for rule in self.latest().values():
            if rule.scope.zone == name and rule.status is RuleStatus.ACTIVE:
                scope = rule.scope.model_copy(update={"polygon": polygon})
                moved.append(self.edit(rule.id, {"scope": scope}, author=author))
        return zone, tuple(moved)


def add_rule(
    connection: sqlite3.Connection,
    scene: str,
    text: str,
    kind: RuleKind,
    category: RuleCategory,
    predicate: Predicate | None = None,
    *,
    scope: Scope = ANYWHERE,
    author: str = "user",
    rule_id: str | None = None,
    source: Literal["induced", "user"] = "user",
    said: Mapping[str, Collection[str]] | None = None,
) -> Rule:
    """See :meth:`tools.rulebook.RuleBook.add`; ``rule_id`` where the rule has a name already,
    ``source`` where it was induced elsewhere, ``said`` where what the scene says is known:
    :func:`bare_sentence` → ids of rules that say it, or did."""
    text = clean_text(text)
    rule = Rule(
        id=rule_id or user_id(scene, text, kind, predicate, scope),
        scene=scene,
        version=1,
        kind=kind,
        category=category,
        text=text,
        predicate=predicate,
        scope=scope,
        source=source,
        author=author if source == "user" else f"induction, imported by {author}",
        created=now(),
    )
    ids: Collection[str] = ()
    if rule_id is None:
        said = _said_in(connection, scene) if said is None else said
        ids = said.get(bare_sentence(text), ())
    if (old := _said_already(connection, rule, ids)) is not None:
        if old.status is rule.status:
            return old
        return next_version(connection, old, {"status": rule.status}, author)
    salt = 0
    while versions := versions_of(connection, rule.id):
        last = versions[-1]
        if content_of(last) == content_of(rule):
            return last
        if content_of(last, "status") == content_of(rule, "status"):  # retired: bring it back
            rule = rule.model_copy(update={"version": last.version + 1})
            break
        salt += 1  # it was edited into something else since
        rule = rule.model_copy(
            update={"id": user_id(scene, text, kind, predicate, scope, salt=salt)}
        )
    insert_rule(connection, rule)
    return rule


def _said_in(connection: sqlite3.Connection, scene: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for rule in latest_of_scene(connection, scene):
        found.setdefault(bare_sentence(rule.text), set()).add(rule.id)
    return found


def _said_already(connection: sqlite3.Connection, rule: Rule, ids: Collection[str]) -> Rule | None:
    """That one of these rules which says the same in the same words, best one that is in use."""
    latest = [versions_of(connection, name)[-1] for name in sorted(ids)]
    said, sentence = content_of(rule, "id", "text", "status"), bare_sentence(rule.text)
    alike = [
        old
        for old in latest
        if bare_sentence(old.text) == sentence and content_of(old, "id", "text", "status") == said
    ]
    return min(alike, key=lambda old: old.status is not rule.status, default=None)


def edit_rule(
    connection: sqlite3.Connection,
    rule_id: str,
    changes: Mapping[str, Any],
    *,
    author: str,
    expect: int | None = None,
) -> Rule:
    """See :meth:`tools.rulebook.book.RuleBook.edit`; ``changes`` by field."""
    rule_id, _ = split_reference(rule_id)
    versions = versions_of(connection, rule_id)
    if not versions:
        raise unknown_rule(connection, rule_id)
    last = versions[-1]
    changes = dict(changes)
    if "text" in changes:
        changes["text"] = clean_text(changes["text"])
    changed = {name for name, value in changes.items() if getattr(last, name) != value}
    if not changed:
        return last
    if expect is not None and expect != last.version:
        raise UserError(
            f"rule {rule_id} is at version {last.version}, not {expect}: it was changed meanwhile",
            remedy=f"look at it (vidocq rules history {rule_id}) and edit again",
        )
    if changed & {"text", "kind", "predicate"}:
        changes |= {"support": 0, "batches": 0, "provenance": ()} | changes
    return next_version(connection, last, changes, author)


def write_zone(
    connection: sqlite3.Connection, zone: Zone, changes: Mapping[str, Any], *, first: bool = False
) -> Zone:
    """The next version of a zone, written."""
    version = 1 if first else zone.version + 1
    written = zone.model_copy(update={**changes, "version": version, "created": now()})
    insert_zone(connection, written)
    return written


def version_among(rule_id: str, versions: Sequence[Rule], version: int | None) -> Rule:
    """One version of a rule, by default the latest. Raises UserError where there is none."""
    if version is None:
        return versions[-1]
    if not 1 <= version <= len(versions):
        raise UserError(
            f"rule {rule_id} has no version {version}",
            remedy=f"it has versions 1 to {len(versions)}",
        )
    return versions[version - 1]


def next_version(
    connection: sqlite3.Connection, last: Rule, changes: Mapping[str, Any], author: str
) -> Rule:
    """The next version of a rule, written; it is a person's then."""
    circumstances = {
        "version": last.version + 1,
        "source": "user",
        "author": author,
        "created": now(),
    }
    rule = Rule.model_validate(last.model_dump() | dict(changes) | circumstances)
    insert_rule(connection, rule)
    return rule


def origin_of(rule: Rule) -> str:
    """Who wrote a version, and the votes: those of an earlier version where a person wrote it."""
    who = rule.author or rule.source
    if not rule.batches:
        return who
    votes = f"{rule.support} of {rule.batches} batches"
    if rule.source == "induced" and rule.status is RuleStatus.ACTIVE:
        return f"{who}; {votes} agree"
    return f"{who}; {votes} agreed when it was induced"


def difference(old: Rule, new: Rule) -> tuple[tuple[str, str, str], ...]:
    """What differs between two versions, in words: (field, before, after)."""
    said = [_said(rule) for rule in (old, new)]
    return tuple((name, said[0][name], said[1][name]) for name in said[0]
                 if said[0][name] != said[1][name])  # fmt: skip


def _said(rule: Rule) -> dict[str, str]:
    return {
        "text": rule.text,
        "kind": rule.kind,
        "category": rule.category,
        "test": describe(rule.predicate) if rule.predicate else "none",
        "scope": describe_scope(rule.scope) or "everywhere, always",
        "zone drawn as": " ".join(f"{x:g},{y:g}" for x, y in rule.scope.polygon) or "none",
        "votes": f"{rule.support} of {rule.batches}" if rule.batches else "none",
        "status": rule.status,
    }
