"""Rule books as files: out and back, all or nothing, errors with their line; and linting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.archive import Archive, SceneRecord
from tools.backends.embedded.embedder import HashedEmbedder
from tools.errors import UserError
from tools.ports import SceneProfile
from tools.rulebook.predicates import parse, validate
from tools.rulebook.rulefile import Imported, export_rules, import_rules, read_rules
from tools.types import Provenance, Rule, RuleCategory, RuleKind, RuleStatus, Scope

NORMAL, ANOMALOUS = RuleKind.NORMAL, RuleKind.ANOMALOUS
ACTIVITY = RuleCategory.ACTIVITY
ATTRIBUTES = {"speed": "× usual walking speed", "dwell": "s", "direction": ""}
SIZE = (360, 240)
SQUARE = ((0.0, 100.0), (200.0, 100.0), (200.0, 200.0))
FAST = validate(parse("speed > 2"), ATTRIBUTES)


def save(archive: Archive, scene: str) -> None:
    made = {"captioner": "c", "width": 360, "height": 240, "seconds": 1.0}
    profile = SceneProfile(scene=scene, clips=(), version="v1", **made)  # type: ignore[arg-type]
    record = SceneRecord.model_validate({"name": scene, "profile_version": "v1", **made})
    archive.save_scene(record, profile, [])


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(tmp_path / "home", HashedEmbedder())
    save(archive, "gate")
    yield archive
    archive.close()


def exported(archive: Archive, *, retired: bool = True) -> str:
    rules = archive.rules.list("gate", include_retired=retired)
    return export_rules("gate", rules, archive.rules.zones("gate"))


def imported(archive: Archive, text: str, scene: str = "gate", **options: bool) -> Imported:
    path = archive.home / "book.yaml"
    path.write_text(text, encoding="utf-8")
    found = read_rules(path, ATTRIBUTES)
    return import_rules(archive.rules, found, scene, SIZE, author="ann", **options)


def filled(archive: Archive) -> None:
    rules = archive.rules
    zone, _ = rules.set_zone("gate", "fence", SQUARE)
    scope = Scope(
        hours=("22:00", "06:00"), weekdays=("sat",), cameras=("n", "s"), zone="fence",
        polygon=zone.polygon,
    )  # fmt: skip
    rules.add("gate", "Nobody runs: “never”, #1!", ANOMALOUS, ACTIVITY, FAST, scope=scope)
    rules.add("gate", "yes", NORMAL, ACTIVITY)  # a word that YAML takes for a truth value
    rules.retire(rules.add("gate", "Dogs.", ANOMALOUS, RuleCategory.OBJECT).id)


# ---------------------------------------------------------------- out and back


def test_a_book_comes_back_as_it_went_out(archive: Archive) -> None:
    filled(archive)
    before = archive.rules.list("gate", include_retired=True)
    text = exported(archive)
    done = imported(archive, text)
    assert (done.added, done.changed, done.retired, done.same) == ((), (), (), 3)
    assert archive.rules.list("gate", include_retired=True) == before
    assert exported(archive) == text
    assert "hours: 22:00-06:00" in text
    assert "zone: fence" in text


def test_a_book_moves_to_another_home_and_another_scene(archive: Archive, tmp_path: Path) -> None:
    filled(archive)
    text = exported(archive)
    other = Archive(tmp_path / "other", HashedEmbedder())
    save(other, "gate")
    moved = imported(other, text)
    assert [r.id for r in other.rules.list("gate", include_retired=True)] == [
        r.id for r in archive.rules.list("gate", include_retired=True)
    ]
    assert [z.name for z in moved.zones] == ["fence"]
    save(archive, "yard")
    copied = imported(archive, text, "yard")
    ours = {r.id for r in archive.rules.list("gate", include_retired=True)}
    assert len(copied.added) == 3
    assert not ours & {r.id for r in copied.added}
    assert len(imported(archive, text, "yard").added) == 0


def test_an_edited_file_makes_versions(archive: Archive) -> None:
    filled(archive)
    text = exported(archive).replace("speed > 2 ", "speed > 3 ").replace("status: retired", "")
    text += "  - kind: normal\n    text: Carts may pass.\n    when: speed < 1.5\n"
    done = imported(archive, text)
    assert [len(d) for d in (done.added, done.changed)] == [1, 2]
    by_text = {r.text: r for r in archive.rules.list("gate")}
    assert by_text["Nobody runs: “never”, #1!"].version == 2
    assert by_text["Nobody runs: “never”, #1!"].author == "ann"
    assert by_text["Dogs."].status is RuleStatus.ACTIVE
    assert by_text["Carts may pass."].predicate == validate(parse("speed < 1.5"), ATTRIBUTES)


def test_missing_rules_stay_unless_asked_otherwise(archive: Archive) -> None:
    filled(archive)
    text = "scene: gate\nrules: []\n"
    assert imported(archive, text).retired == ()
    assert len(imported(archive, text, retire_missing=True).retired) == 2
    assert archive.rules.list("gate") == ()


def test_a_zone_drawn_anew_moves_its_rules(archive: Archive) -> None:
    filled(archive)
    done = imported(archive, exported(archive).replace("200,200", "100,200"))
    (zone,) = done.zones
    assert zone.version == 2
    (rule,) = [r for r in archive.rules.list("gate") if r.scope.zone]
    assert (rule.version, rule.scope.polygon) == (2, zone.polygon)
    assert archive.rules.get(rule.id, 1).scope.polygon == SQUARE


def induced(archive: Archive) -> Rule:
    """A rule as induction writes it."""
    made = Rule(
        id="speed-limit-000000", scene="gate", version=1, kind=NORMAL, category=ACTIVITY,
        text="People walk.", predicate=FAST, support=2, batches=2, author="induction",
        provenance=(Provenance(video_id="v", clip="a.mp4", frames=(1, 2)),),
    )  # fmt: skip
    with archive.rules._record.writing() as connection:
        (rule,) = archive.rules.import_induced(connection, "gate", [made])
    return rule


def looked_at(archive: Archive, text: str) -> list[Rule]:
    path = archive.home / "book.yaml"
    path.write_text(text, encoding="utf-8")
    known = {r.id: r for r in archive.rules.list("gate", include_retired=True)}
    zones = {"fence": SQUARE}
    return sorted(read_rules(path, ATTRIBUTES).rules("gate", zones, known), key=lambda r: r.id)


def test_a_file_is_looked_at_as_the_rules_it_would_make(archive: Archive) -> None:
    filled(archive)
    rule = induced(archive)
    text = exported(archive)
    assert text.count("source: induced") == 1
    every = archive.rules.list("gate", include_retired=True)
    assert looked_at(archive, text) == sorted(every, key=lambda r: r.id)
    by_id = {r.id: r for r in looked_at(archive, text.replace("People walk.", "People run."))}
    assert by_id[rule.id].source == "user", "changed by a person"
    by_id = {r.id: r for r in looked_at(archive, text.replace("source: induced", ""))}
    assert by_id[rule.id] == rule


def test_an_induced_rule_stays_one_elsewhere_unless_changed(
    archive: Archive, tmp_path: Path
) -> None:
    rule = induced(archive)
    text = exported(archive)
    other = Archive(tmp_path / "other", HashedEmbedder())
    save(other, "gate")
    (moved,) = imported(other, text).added
    assert (moved.id, moved.source, moved.batches) == (rule.id, "induced", 0)
    assert moved.author == "induction, imported by ann"
    assert imported(other, text).same == 1
    (own,) = imported(other, text.replace("People walk.", "People run.")).changed
    assert (own.source, own.author) == ("user", "ann")
    save(other, "yard")
    assert imported(other, text, "yard").added[0].source == "induced"
    assert imported(other, text, "yard").same == 1
    with pytest.raises(UserError, match="“me” is none of: induced, user"):
        imported(archive, text.replace("source: induced", "source: me"))


# ---------------------------------------------------------------- what is wrong with a file

RULE = "rules:\n  - kind: normal\n    text: A.\n"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("rules:\n  - kind: [normal\n", 3, "not YAML"),
        ("rules:\n\t- a\n", 2, "not YAML"),
        ("", 1, "the file is empty"),
        ("- a\n- b\n", 1, "expected “key: value” lines"),
        ("scene: gate\n", 1, "there is no list “rules”"),
        ("rules: none\n", 1, "“rules” must be a list"),
        ("rulez: []\n", 1, "unknown key “rulez”; did you mean “rules”"),
        (RULE + "    colour: red\n", 4, "unknown key “colour”"),
        (RULE + "    text: B.\n", 4, "“text” is given twice"),
        ("rules:\n  - kind: normal\n", 2, "the rule has no text"),
        ("rules:\n  - text: A.\n", 2, "the rule has no kind"),
        ("rules:\n  - kind: odd\n    text: A.\n", 2, "“odd” is none of: normal, anomalous"),
        (RULE + "    status: gone\n", 4, "“gone” is none of: active, retired"),
        (RULE + "    version: x\n", 4, "“x” is no version"),
        (RULE + "    hours: noon\n", 4, "“noon” are no hours"),
        (RULE + "    weekdays: someday\n", 4, "“someday” is no weekday"),
        (RULE + "    zone: fence\n", 2, "no zone “fence” in scene “gate”"),
        (RULE + "    when: speed >\n", 4, "expected a number"),
        (RULE + "    when: sped > 2\n", 4, "no attribute “sped” is measured here; did you mean"),
        (RULE + "    text2: [1]\n", 4, "unknown key"),
        ("zones:\n  fence: 0,0 1,1\n" + RULE, 2, "encloses nothing"),
        ("zones:\n  fence: 0,0 900,0 900,1\n" + RULE, 2, "outside the picture"),
        ("rules:\n  - {id: a, kind: normal, text: A.}\n  - {id: a, kind: normal, text: B.}\n", 3,
         "rule a stands in line 2 already"),
        ("rules:\n  - kind: normal\n    text: [A, B]\n", 3, "expected a single value"),
    ],
)  # fmt: skip
def test_a_complaint_names_file_and_line(
    archive: Archive, text: str, line: int, problem: str
) -> None:
    with pytest.raises(UserError) as told:
        imported(archive, text)
    assert f"book.yaml:{line}: " in told.value.message
    assert problem in told.value.message
    assert told.value.remedy
    assert archive.rules.list("gate", include_retired=True) == ()


def test_nothing_of_a_bad_file_is_written(archive: Archive) -> None:
    filled(archive)
    before = exported(archive)
    text = before.replace("speed > 2 ", "speed > 9 ").replace("200,200", "100,200")
    with pytest.raises(UserError, match=r"book.yaml:\d+: no zone “gone”"):
        imported(archive, text + "  - kind: normal\n    text: Z.\n    zone: gone\n")
    assert exported(archive) == before


def test_a_rule_changed_in_the_meantime_is_not_overwritten(archive: Archive) -> None:
    filled(archive)
    text = exported(archive)
    (rule,) = [r for r in archive.rules.list("gate") if r.predicate]
    archive.rules.edit(rule.id, text="Changed by another.")
    with pytest.raises(UserError, match=r"book.yaml:\d+: rule .* is at version 2, not 1"):
        imported(archive, text.replace("speed > 2 ", "speed > 9 "))
    assert archive.rules.get(rule.id).text == "Changed by another."


def test_unreadable_files_are_said(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_rules(tmp_path / "none.yaml", ATTRIBUTES)
    (tmp_path / "b.yaml").write_bytes(b"rules: \xff\xfe")
    with pytest.raises(UserError, match="not UTF-8 text"):
        read_rules(tmp_path / "b.yaml", ATTRIBUTES)
