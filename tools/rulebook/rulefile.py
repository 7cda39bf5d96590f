"""Rule books as YAML that people edit and review: out of the record, and back, all or nothing.

::

    scene: gate
    zones:
      fence: 0,120 360,120 360,150 0,150      # corners in pixels of the frame
    rules:
      - id: speed-limit-1f2e3d                # a rule without an id is a new one
        version: 3                            # refused if it was changed since; may be left out
        kind: anomalous
        category: motion
        text: Something moves faster than 1.8× the usual walking speed.
        when: speed > 1.8 × usual walking speed
        hours: 22:00-06:00                    # hours, weekdays, cameras, zone: where they limit it
        status: active
        source: induced                       # by whom: induced, or user (which may be left out)

Each complaint names ``file:line``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

import yaml

from tools.errors import UserError
from tools.rulebook.changes import origin_of
from tools.rulebook.predicates import describe, parse, validate
from tools.rulebook.rows import content_of
from tools.rulebook.scoping import parse_corners, parse_hours, parse_weekdays
from tools.rulebook.zones import unknown_zone
from tools.types import Predicate, Rule, RuleCategory, RuleKind, RuleStatus, Scope, Zone

if TYPE_CHECKING:
    from tools.rulebook.book import RuleBook

__all__ = ["Entry", "Imported", "RuleFile", "export_rules", "import_rules", "read_rules"]

E = TypeVar("E", bound=StrEnum)
Source = Literal["induced", "user"]
KEYS = (
    "id", "version", "kind", "category", "text", "when", "cameras", "hours", "weekdays", "zone",
    "status", "source",
)  # fmt: skip
NONE: Mapping[str, Rule] = MappingProxyType({})
LARGEST = 64 * 2**20
"""Bytes of a file: a hundred thousand rules take about a third of it."""


@dataclass(frozen=True)
class Entry:
    """One rule of a file. ``scope.polygon`` is filled in when zones are known."""

    line: int
    text: str
    kind: RuleKind
    category: RuleCategory
    predicate: Predicate | None = None
    scope: Scope = field(default_factory=Scope)
    status: RuleStatus = RuleStatus.ACTIVE
    id: str | None = None
    version: int | None = None
    source: Source = "user"


@dataclass(frozen=True)
class RuleFile:
    """A file as read."""

    path: Path
    scene: str | None
    entries: tuple[Entry, ...]
    zones: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """Name → line and corners as written."""

    def fail(self, line: int, problem: str, remedy: str = "correct the file") -> NoReturn:
        _fail(self.path, line, problem, remedy)

    def corners(self, width: int, height: int) -> dict[str, tuple[tuple[float, float], ...]]:
        """The polygons. Raises UserError where one is none, or lies outside the picture."""
        found = {}
        for name, (line, text) in self.zones.items():
            try:
                found[name] = parse_corners(text, width, height)
            except UserError as error:
                self.fail(line, error.message, error.remedy)
        return found

    def rules(
        self,
        scene: str,
        zones: Mapping[str, tuple[tuple[float, float], ...]],
        known: Mapping[str, Rule] = NONE,
    ) -> tuple[Rule, ...]:
        """The entries as the rules that an import would make of them, for looking at.

        Args:
            known: the scene's rules, by id: one that an entry does not change stands for it, and
                one that it changes is a person's then.

        Raises UserError for an unknown zone.
        """
        return tuple(
            self._rule(e, self.placed(e, scene, zones), scene, known) for e in self.entries
        )

    def _rule(self, entry: Entry, scope: Scope, scene: str, known: Mapping[str, Rule]) -> Rule:
        rule = Rule(
            id=entry.id or f"line-{entry.line}",
            scene=scene,
            version=entry.version or 1,
            kind=entry.kind,
            category=entry.category,
            text=entry.text,
            predicate=entry.predicate,
            scope=scope,
            status=entry.status,
            source="user" if entry.id in known else entry.source,
        )
        last = known.get(rule.id)
        unsaid = ("source", "support", "batches", "provenance")
        same = last is not None and content_of(last, *unsaid) == content_of(rule, *unsaid)
        return last if last is not None and same else rule

    def placed(
        self, entry: Entry, scene: str, zones: Mapping[str, tuple[tuple[float, float], ...]]
    ) -> Scope:
        """An entry's scope with the polygon of its zone."""
        name = entry.scope.zone
        if not name:
            return entry.scope
        if name not in zones:
            error = unknown_zone(name, scene, list(zones))
            self.fail(entry.line, error.message, error.remedy)
        return entry.scope.model_copy(update={"polygon": zones[name]})


@dataclass(frozen=True)
class Imported:
    """What an import wrote."""

    added: tuple[Rule, ...] = ()
    changed: tuple[Rule, ...] = ()
    retired: tuple[Rule, ...] = ()
    same: int = 0
    zones: tuple[Zone, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)
    """Rule id → its line in the file."""


# ---------------------------------------------------------------- out


def export_rules(scene: str, rules: Sequence[Rule], zones: Mapping[str, Zone]) -> str:
    """The YAML text of a rule book; the same book gives the same text."""
    lines = [f"scene: {_scalar(scene)}"]
    if zones:
        lines.append("zones:")
        lines += [f"  {_scalar(name)}: {_corners(zone)}" for name, zone in sorted(zones.items())]
    lines.append("rules:" if rules else "rules: []")
    for rule in rules:
        lines.append(f"  # from {' '.join(origin_of(rule).split())}")
        shown: dict[str, str] = {
            "id": rule.id,
            "version": str(rule.version),
            "kind": rule.kind,
            "category": rule.category,
            "text": rule.text,
        }
        if rule.predicate is not None:
            shown["when"] = describe(rule.predicate)
        if rule.scope.cameras:
            shown["cameras"] = ", ".join(rule.scope.cameras)
        if rule.scope.hours:
            shown["hours"] = "-".join(rule.scope.hours)
        if rule.scope.weekdays:
            shown["weekdays"] = ",".join(rule.scope.weekdays)
        if rule.scope.zone:
            shown["zone"] = rule.scope.zone
        if rule.status is not RuleStatus.ACTIVE:
            shown["status"] = rule.status
        if rule.source != "user":
            shown["source"] = rule.source
        for number, (key, value) in enumerate(shown.items()):
            plain = value if key == "version" else _scalar(value)
            lines.append(f"  {'-' if number == 0 else ' '} {key}: {plain}")
    return "\n".join(lines) + "\n"


def _corners(zone: Zone) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in zone.polygon)


def _scalar(text: str) -> str:
    """One line of YAML that reads back as this text, quoted where it must be."""
    return (
        str(yaml.safe_dump(str(text), allow_unicode=True, width=10**9, default_flow_style=True))
        .removesuffix("\n")
        .removesuffix("\n...")
    )


# ---------------------------------------------------------------- in


def import_rules(
    book: RuleBook,
    file: RuleFile,
    scene: str,
    size: tuple[int, int],
    *,
    author: str = "user",
    retire_missing: bool = False,
) -> Imported:
    """Write what a file says that the record does not, in one transaction.

    A rule with a known id gets a new version where it differs, a person's then; one without, or
    with the id of another scene's rule, is added, as an induced one where the file says so. Rules
    that the file does not have stay as they are, unless ``retire_missing``. Importing a file twice
    changes nothing the second time.

    Args:
        size: width and height of the scene's picture, in pixels.

    Raises UserError naming file and line; then nothing is written.
    """
    drawn = file.corners(*size)
    with book.changing(scene) as changes:
        seen = changes.latest()  # the versions that the file's author can have seen
        zones: list[Zone] = []
        for name, polygon in drawn.items():
            known = changes.zones().get(name)
            if known is None or known.polygon != polygon:
                zones.append(changes.set_zone(name, polygon, author=author)[0])
        polygons = {name: zone.polygon for name, zone in changes.zones().items()}
        before = changes.latest()
        added: list[Rule] = []
        changed: list[Rule] = []
        lines: dict[str, int] = {}
        for entry in file.entries:
            scope = file.placed(entry, scene, polygons)
            try:
                if entry.id in before:
                    rule = changes.edit(
                        entry.id,
                        {
                            "text": entry.text,
                            "kind": entry.kind,
                            "category": entry.category,
                            "predicate": entry.predicate,
                            "scope": scope,
                            "status": entry.status,
                        },
                        author=author,
                        expect=before[entry.id].version
                        if entry.version == seen[entry.id].version
                        else entry.version,
                    )
                else:
                    fresh = entry.id and not changes.taken_elsewhere(entry.id)
                    rule = changes.add(
                        entry.text,
                        entry.kind,
                        entry.category,
                        predicate=entry.predicate,
                        scope=scope,
                        author=author,
                        rule_id=entry.id if fresh else None,
                        source=entry.source,
                    )
                    if entry.status is not rule.status:
                        rule = changes.edit(rule.id, {"status": entry.status}, author=author)
            except UserError as error:
                file.fail(entry.line, error.message, error.remedy)
            lines[rule.id] = entry.line
            old = before.get(rule.id)
            if old is None:
                added.append(rule)
            elif old.version != rule.version:
                changed.append(rule)
        retired = [
            changes.edit(rule.id, {"status": RuleStatus.RETIRED}, author=author)
            for rule in (before.values() if retire_missing else ())
            if rule.id not in lines and rule.status is RuleStatus.ACTIVE
        ]
    same = len(file.entries) - len(added) - len(changed)
    return Imported(tuple(added), tuple(changed), tuple(retired), same, tuple(zones), lines)


def read_rules(path: Path, attributes: Mapping[str, str]) -> RuleFile:
    """Read a file, checked as far as it goes without a record.

    Args:
        attributes: name → unit of what the captioner measures; predicates are checked against it.

    Raises UserError naming file and line.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path}: larger than {LARGEST >> 20} MB", remedy="split it")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UserError(f"{path}: cannot be read: {why}", remedy="name a YAML file") from None
    try:
        root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        _fail(path, line, f"not YAML: {error.problem or error.context}", "correct the file")
    except (yaml.YAMLError, RecursionError) as error:
        _fail(path, 1, f"not YAML: {str(error).splitlines()[0]}", "correct the file")
    if root is None:
        raise UserError(f"{path}:1: the file is empty", remedy="see vidocq rules export")
    top = _mapping(path, root, ("scene", "zones", "rules"))
    if "rules" not in top:
        _fail(path, 1, "there is no list “rules”", "see vidocq rules export")
    items = top["rules"]
    if not isinstance(items, yaml.SequenceNode):
        _fail(path, _line(items), "“rules” must be a list", "begin each rule with “- ”")
    zones = _mapping(path, top["zones"], None) if "zones" in top else {}
    entries: list[Entry] = []
    seen: dict[str, int] = {}
    for item in items.value:
        entry = _entry(path, item, attributes)
        if entry.id is not None:
            if entry.id in seen:
                first = seen[entry.id]
                _fail(path, entry.line, f"rule {entry.id} stands in line {first} already")
            seen[entry.id] = entry.line
        entries.append(entry)
    return RuleFile(
        path,
        _word(path, top["scene"]) if "scene" in top else None,
        tuple(entries),
        {name: (_line(node), _word(path, node)) for name, node in zones.items()},
    )


def _entry(path: Path, node: yaml.Node, attributes: Mapping[str, str]) -> Entry:
    given = _mapping(path, node, KEYS)
    line = _line(node)

    def word(key: str) -> str:
        return _word(path, given[key])

    for key in ("kind", "text"):
        if key not in given:
            _fail(path, line, f"the rule has no {key}", f"add “{key}: …”")
    text = " ".join(word("text").split())
    if not text:
        _fail(path, _line(given["text"]), "a rule needs a text")
    version = word("version") if "version" in given else None
    if version is not None and not (version.isdecimal() and int(version) > 0):
        _fail(path, _line(given["version"]), f"“{version}” is no version", "leave it out")

    def read(key: str, how: Any) -> Any:
        try:
            return how(word(key))
        except UserError as error:
            _fail(path, _line(given[key]), error.message, error.remedy)

    limits: dict[str, Any] = {}
    if "cameras" in given:
        limits["cameras"] = tuple(c.strip() for c in word("cameras").split(",") if c.strip())
    if "hours" in given:
        limits["hours"] = read("hours", parse_hours)
    if "weekdays" in given:
        limits["weekdays"] = read("weekdays", parse_weekdays)
    if "zone" in given:
        limits["zone"] = word("zone")
    return Entry(
        line=line,
        text=text,
        kind=_one_of(path, given["kind"], RuleKind),
        category=_one_of(path, given["category"], RuleCategory)
        if "category" in given
        else RuleCategory.ACTIVITY,
        predicate=read("when", lambda t: validate(parse(t), attributes))
        if "when" in given
        else None,
        scope=Scope(**limits),
        status=_one_of(path, given["status"], RuleStatus)
        if "status" in given
        else RuleStatus.ACTIVE,
        id=word("id") if "id" in given else None,
        source=_source(path, given["source"]) if "source" in given else "user",
        version=int(version) if version else None,
    )


def _mapping(path: Path, node: yaml.Node, keys: Sequence[str] | None) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        shown = ", ".join(keys[:4]) + " …" if keys else "names"
        _fail(path, _line(node), f"expected “key: value” lines ({shown})")
    found: dict[str, yaml.Node] = {}
    for key_node, value in node.value:
        key = _word(path, key_node)
        if keys is not None and key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            hint = f"; did you mean “{near[0]}”?" if near else ""
            _fail(path, _line(key_node), f"unknown key “{key}”{hint}", f"known: {', '.join(keys)}")
        if key in found:
            _fail(path, _line(key_node), f"“{key}” is given twice", "keep one")
        found[key] = value
    return found


def _word(path: Path, node: yaml.Node) -> str:
    """A single value as written: YAML's idea of numbers and times (22:00) does not matter."""
    if not isinstance(node, yaml.ScalarNode):
        _fail(path, _line(node), "expected a single value", "write it on one line")
    return str(node.value).strip()


def _source(path: Path, node: yaml.Node) -> Source:
    word = _word(path, node)
    if word not in {"induced", "user"}:
        _fail(path, _line(node), f"“{word}” is none of: induced, user")
    return "induced" if word == "induced" else "user"


def _one_of(path: Path, node: yaml.Node, of: type[E]) -> E:
    word = _word(path, node)
    if word not in list(of):
        _fail(path, _line(node), f"“{word}” is none of: {', '.join(of)}")
    return of(word)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _fail(path: Path, line: int, problem: str, remedy: str = "correct the file") -> NoReturn:
    raise UserError(f"{path}:{line}: {problem}", remedy=remedy)
