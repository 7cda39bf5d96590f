"""The rule book: every version of every rule of every scene, and retrieval over the active ones.

SQLite is the record (see :mod:`tools.record`); Chroma is an index made from it. Nothing is ever
deleted: an edit, a retirement and a return to an earlier version each write a new version. Rules
that a person has touched belong to that person; induction leaves them alone.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import UserError
from tools.ports import Embedder, WordEmbedder
from tools.record import Record
from tools.rulebook.changes import (
    RuleChanges,
    add_rule,
    edit_rule,
    next_version,
    version_among,
    write_zone,
)
from tools.rulebook.retrieval import Shelf, agreement, crowded, diversified, rank
from tools.rulebook.rows import (
    ANYWHERE,
    content_of,
    induced_id,
    insert_rule,
    latest_of_scene,
    mark_of,
    now,
    require_scene,
    split_reference,
    unknown_rule,
    unknown_scene,
    versions_of,
)
from tools.rulebook.scoping import Occasion
from tools.rulebook.wordvectors import WordVectors
from tools.rulebook.zones import unknown_zone, zones_of_scene
from tools.types import (
    Observation,
    Predicate,
    Rule,
    RuleCategory,
    RuleHit,
    RuleKind,
    RuleStatus,
    Scope,
    Zone,
)

if TYPE_CHECKING:
    from tools.backends.chroma import ChromaIndex

__all__ = ["RuleBook", "induced_id", "now", "unknown_scene"]

POOL = 32
"""Rules that each way of searching names at least before they are fused."""
COMPARED = 224
"""Rules that the index names at least, to be compared word by word."""
CROWD = 0.15
"""Weight of being one of many alike among these, against similarity: chosen, as ``COMPARED`` was,
on paraphrases written for it."""
SHELVES = 128
"""Scenes whose rules are kept ready in memory."""


class RuleBook:
    """Reads, writes and retrieves rules.

    Args:
        record: the SQLite file.
        index: folder of the Chroma index.
        embedder: turns rule texts into vectors.
        server: address of a Chroma server that keeps the index instead of the folder.
    """

    def __init__(
        self, record: Record, index: Path, embedder: Embedder, *, server: str | None = None
    ) -> None:
        self._record = record
        self._folder = index
        self._words: WordVectors | None = None
        if isinstance(embedder, WordEmbedder):
            embedder = self._words = WordVectors(index.with_name(index.name + ".words"), embedder)
        self._embedder = embedder
        self._server = server
        self._shelves: OrderedDict[str, tuple[tuple[int, int], Shelf]] = OrderedDict()

    # ------------------------------------------------------------ reading

    def list(self, scene: str, *, include_retired: bool = False) -> tuple[Rule, ...]:
        """Latest version of each rule of a scene, by kind, category and id.

        Raises UserError for an unknown scene, StoreError.
        """
        shelf = self._shelf(scene)
        return shelf.all if include_retired else shelf.rules

    def get(self, rule_id: str, version: int | None = None) -> Rule:
        """One version of a rule, by default the latest. ``ID@V`` and ``rule:ID@V`` are understood.

        Raises UserError where there is none.
        """
        rule_id, cited = split_reference(rule_id)
        version = version if version is not None else cited
        return version_among(rule_id, self.history(rule_id), version)

    def history(self, rule_id: str) -> tuple[Rule, ...]:
        """All versions of a rule, oldest first. Raises UserError where there is none."""
        rule_id, _ = split_reference(rule_id)
        with self._record.reading() as connection:
            versions = versions_of(connection, rule_id)
            if not versions:
                raise unknown_rule(connection, rule_id)
        return versions

    # ------------------------------------------------------------ writing

    def add(
        self,
        scene: str,
        text: str,
        kind: RuleKind,
        category: RuleCategory,
        predicate: Predicate | None = None,
        *,
        scope: Scope = ANYWHERE,
        author: str = "user",
    ) -> Rule:
        """Write a person's rule. Adding what is there already, in these words but for case,
        spacing and how the sentence ends, gives back that rule.

        Raises UserError for a blank text or an unknown scene.
        """
        with self._record.writing() as connection:
            require_scene(connection, scene)
            return add_rule(
                connection, scene, text, kind, category, predicate, scope=scope, author=author
            )

    def edit(
        self,
        rule_id: str,
        *,
        text: str | None = None,
        kind: RuleKind | None = None,
        category: RuleCategory | None = None,
        predicate: Predicate | None = None,
        drop_predicate: bool = False,
        scope: Scope | None = None,
        status: RuleStatus | None = None,
        author: str = "user",
        expect: int | None = None,
    ) -> Rule:
        """Write a new version of a rule with fields changed; the rule is a person's then.

        Votes and provenance belong to a statement: they are dropped where its text, kind or
        predicate changes. Nothing changed: no new version.

        Args:
            drop_predicate: remove the test by code.
            expect: the version the caller has seen; refused unless it is the latest.

        Raises:
            UserError: no such rule, a blank text, or ``expect`` is not the latest version.
        """
        if predicate is not None and drop_predicate:
            raise UserError("a predicate was given and its removal asked for", remedy="choose one")
        changes: dict[str, Any] = {
            "text": text,
            "kind": kind,
            "category": category,
            "predicate": predicate,
            "scope": scope,
            "status": status,
        }
        changes = {name: value for name, value in changes.items() if value is not None}
        if drop_predicate:
            changes["predicate"] = None
        with self._record.writing() as connection:
            return edit_rule(connection, rule_id, changes, author=author, expect=expect)

    def retire(self, rule_id: str, *, author: str = "user", expect: int | None = None) -> Rule:
        """Take a rule out of use. Its history stays; ``edit(status=ACTIVE)`` brings it back."""
        return self.edit(rule_id, status=RuleStatus.RETIRED, author=author, expect=expect)

    def revert(self, rule_id: str, version: int, *, author: str = "user") -> Rule:
        """Write a new version that says what an earlier one said; that one's votes come back.

        Raises UserError where there is no such rule or version.
        """
        rule_id, _ = split_reference(rule_id)
        with self._record.writing() as connection:
            versions = versions_of(connection, rule_id)
            if not versions:
                raise unknown_rule(connection, rule_id)
            last, wanted = versions[-1], version_among(rule_id, versions, version)
            if content_of(last, "source") == content_of(wanted, "source"):
                return last
            return next_version(
                connection, last, content_of(wanted, "id", "scene", "source"), author
            )

    def import_induced(
        self, connection: sqlite3.Connection, scene: str, rules: Iterable[Rule]
    ) -> tuple[Rule, ...]:
        """Write the outcome of an induction inside the transaction of ``connection``.

        Unchanged rules get no new version; changed ones do; induced rules that are no longer
        supported are retired; rules a person has touched are left alone. Returns what was written.
        """
        last = {rule.id: rule for rule in latest_of_scene(connection, scene)}
        written: list[Rule] = []
        seen: set[str] = set()
        stamp = now()
        for rule in rules:
            if rule.scene != scene:
                raise ValueError(f"rule {rule.id} belongs to scene {rule.scene}, not {scene}")
            seen.add(rule.id)
            previous = last.get(rule.id)
            if previous is not None and (
                previous.source == "user" or content_of(previous) == content_of(rule)
            ):
                continue
            version = 1 if previous is None else previous.version + 1
            written.append(rule.model_copy(update={"version": version, "created": stamp}))
            insert_rule(connection, written[-1])
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
                insert_rule(connection, written[-1])
        return tuple(written)

    def changing(self, scene: str) -> RuleChanges:
        """Several changes to one scene, all or nothing: a context manager."""
        return RuleChanges(self._record, scene)

    # ------------------------------------------------------------ zones

    def zones(self, scene: str) -> dict[str, Zone]:
        """The zones of a scene in use, by name. Raises UserError for an unknown scene."""
        with self._record.reading() as connection:
            require_scene(connection, scene)
            return zones_of_scene(connection, scene)

    def zone(self, scene: str, name: str) -> Zone:
        """A zone by name. Raises UserError for an unknown one, naming the nearest."""
        zones = self.zones(scene)
        if name not in zones:
            raise unknown_zone(name, scene, list(zones))
        return zones[name]

    def set_zone(
        self,
        scene: str,
        name: str,
        polygon: tuple[tuple[float, float], ...],
        *,
        author: str = "user",
    ) -> tuple[Zone, tuple[Rule, ...]]:
        """Define a zone, or change it: rules in use that name it then get a new version.

        Returns the zone and the rule versions that were written.
        """
        with self.changing(scene) as changes:
            return changes.set_zone(name, polygon, author=author)

    def drop_zone(self, scene: str, name: str, *, author: str = "user") -> Zone:
        """Take a zone out of use. Raises UserError where a rule in use names it."""
        with self._record.writing() as connection:
            require_scene(connection, scene)
            zones = zones_of_scene(connection, scene)
            if name not in zones:
                raise unknown_zone(name, scene, list(zones))
            users = [
                r.id
                for r in latest_of_scene(connection, scene)
                if r.scope.zone == name and r.status is RuleStatus.ACTIVE
            ]
            if users:
                raise UserError(
                    f"zone “{name}” is used by {', '.join(users[:3])}"
                    + (f" and {len(users) - 3} more" if len(users) > 3 else ""),
                    remedy="retire or edit those rules first",
                )
            return write_zone(
                connection, zones[name], {"status": RuleStatus.RETIRED, "author": author}
            )

    # ------------------------------------------------------------ retrieval

    def retrieve(
        self,
        scene: str,
        query: str,
        k: int = 8,
        kinds: Sequence[RuleKind] | None = None,
        *,
        observations: Sequence[Observation] = (),
        occasion: Occasion | None = None,
    ) -> tuple[RuleHit, ...]:
        """The active rules that bear most on a query, best first, each with the reason.

        Dense similarity (Chroma, and word by word where the embedder sees words) and BM25 are
        fused by reciprocal rank, and near repetitions give way to other rules; a rule whose
        predicate holds for one of ``observations`` comes before all of them.

        Args:
            occasion: rules whose hours, days or cameras exclude it are left out; None: none are.

        Raises:
            UserError: an unknown scene, or an index made with another embedder.
            StoreError: record or index cannot be read, or a Chroma server does not answer.
        """
        if k < 1:
            raise ValueError(f"k must be positive, not {k}")
        shelf = self._shelf(scene)
        allowed = [
            rule
            for rule in shelf.rules
            if (kinds is None or rule.kind in kinds)
            and (occasion is None or occasion.admits(rule.scope))
        ]
        if not allowed:
            return ()
        similarity = self._similarity(scene, shelf, allowed, query, max(k, POOL))
        hits = rank(
            allowed,
            query,
            similarity,
            observations,
            lexicon=shelf.lexicon,
            pool=max(k, POOL),
            by_meaning=self._embedder.by_meaning,
        )
        return diversified(hits, k, shelf.lexicon)

    def _similarity(
        self, scene: str, shelf: Shelf, allowed: Sequence[Rule], query: str, pool: int
    ) -> dict[str, float]:
        """Similarity to a query by rule id, of the ``pool`` allowed rules that have most of it, or
        more."""
        others = len(shelf.rules) - len(allowed)
        if self._words is None:
            found = dict(self._index.search(scene, shelf.documents, query, pool + others))
            return {r.id: found[key] for r in allowed if (key := shelf.keys[r.id]) in found}
        asked = self._words.query(query)
        named = self._index.nearest(
            scene, shelf.documents, asked.gist, max(pool, COMPARED) + others
        )
        scores = shelf.lexicon.search(query)
        shared = (r.id for r in allowed if r.id in scores)
        by_words = sorted(shared, key=lambda key: (-scores[key], key))
        compared = {key for key, _ in named} | {shelf.keys[key] for key in by_words[:pool]}
        rules = [r for r in allowed if shelf.keys[r.id] in compared]
        said = [shelf.lexicon.rarities(r) for r in rules]
        meanings = self._words.of([r.text for r in rules], [len(each) for each in said])
        values = agreement(asked, shelf.lexicon.rarity(query), meanings, said)
        values -= CROWD * crowded(meanings)
        return {r.id: float(value) for r, value in zip(rules, values, strict=True)}

    def check_index(self, scene: str) -> None:
        """Make sure, before long work, that the scene's rules can be retrieved at its end.

        Raises as :meth:`retrieve`.
        """
        self._index.check(scene)

    def reindex(self, scenes: Sequence[str]) -> dict[str, int]:
        """Make the index of these scenes again with the present embedder; rules by scene.

        Raises UserError for an unknown scene, StoreError.
        """
        return {scene: self._index.rebuild(scene, self._shelf(scene).documents) for scene in scenes}

    def indexed(self, scene: str) -> frozenset[str]:
        """What the index holds of a scene now, as ``ID@VERSION``: for checks of its state."""
        return self._index.held(scene)

    @property
    def embedder(self) -> str:
        """Name of the embedder of the index."""
        return self._embedder.name

    def close(self) -> None:
        """Let go of the index files."""
        if "_index" in self.__dict__:
            self._index.close()

    def _shelf(self, scene: str) -> Shelf:
        """The scene's rules as the record has them now, ready for searching."""
        with self._record.reading() as connection:
            require_scene(connection, scene)
            mark = mark_of(connection, scene)
            kept = self._shelves.get(scene)
            if kept is not None and kept[0] == mark:
                return kept[1]
            rules = latest_of_scene(connection, scene)
        shelf = Shelf(rules)
        self._shelves[scene] = (mark, shelf)
        while len(self._shelves) > SHELVES:
            self._shelves.popitem(last=False)
        return shelf

    @cached_property
    def _index(self) -> ChromaIndex:
        from tools.backends.chroma import ChromaIndex, ChromaServerIndex

        if self._server is not None:
            return ChromaServerIndex(self._server, self._embedder)
        return ChromaIndex(self._folder, self._embedder)
