"""The archive: scenes, profiles and videos on record; damage and locks are said, never hidden."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tools.archive import Archive, SceneRecord, check_scene_name
from tools.backends.embedded.embedder import HashedEmbedder
from tools.errors import StoreError, UserError
from tools.ports import SceneProfile
from tools.record import SCHEMA_VERSION, journal_mode
from tools.rulebook.book import induced_id
from tools.rulebook.normalcaptions import normal_id
from tools.scoring import Calibration
from tools.types import (
    Attribute,
    Interval,
    NormalCaption,
    Provenance,
    Rule,
    RuleCategory,
    RuleKind,
    TimeBase,
    VideoInfo,
)


def profile_of(scene: str, version: str = "v1", limit: float = 1.5) -> SceneProfile:
    return SceneProfile(
        scene=scene,
        captioner="embedded/1",
        width=360,
        height=240,
        clips=("c1",),
        seconds=15.0,
        summary={
            "speed": Attribute(
                name="speed", value=1.0, unit="× usual walking speed", usual=1.0, limit=limit
            )
        },
        arrays={"background": np.arange(12, dtype=np.uint8).reshape(3, 4), "scale": np.ones(3)},
        meta={"slope": 0.19, "rows": [1, 2]},
        version=version,
    )


def record_of(profile: SceneProfile) -> SceneRecord:
    return SceneRecord(
        name=profile.scene,
        captioner=profile.captioner,
        profile_version=profile.version,
        width=profile.width,
        height=profile.height,
        clips=(Provenance(video_id="c1", clip="Train001.mp4"),),
        seconds=profile.seconds,
        calibration=Calibration(scores=(0.1, 0.4), seconds=15.0),
        batches=5,
    )


def rule_of(scene: str, slot: str = "speed/limit", text: str = "People walk.") -> Rule:
    return Rule(
        id=induced_id(scene, slot),
        scene=scene,
        version=1,
        kind=RuleKind.NORMAL,
        category=RuleCategory.MOTION,
        text=text,
        support=4,
        batches=5,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def archive(home: Path) -> Iterator[Archive]:
    archive = Archive(home, HashedEmbedder(), busy_timeout_s=0.2)
    yield archive
    archive.close()


def save(archive: Archive, scene: str, version: str = "v1") -> None:
    profile = profile_of(scene, version)
    archive.save_scene(record_of(profile), profile, [rule_of(scene)])


def test_a_scene_comes_back_as_saved(archive: Archive, home: Path) -> None:
    save(archive, "gate")
    again = Archive(home, HashedEmbedder())
    assert again.scenes() == (again.scene("gate"),)
    assert again.scene("gate").calibration.scores == (0.1, 0.4)
    profile, expected = again.profile("gate"), profile_of("gate")
    assert (profile.summary, profile.meta, profile.clips) == (
        expected.summary,
        expected.meta,
        expected.clips,
    )
    assert profile.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(profile.arrays[name], array)
        assert profile.arrays[name].dtype == array.dtype


def test_an_earlier_profile_stays_readable(archive: Archive) -> None:
    save(archive, "gate", "v1")
    save(archive, "gate", "v2")
    assert archive.profile("gate").version == "v2"
    assert archive.profile("gate", "v1").version == "v1"


def test_an_unknown_scene_is_said_with_the_nearest(archive: Archive) -> None:
    save(archive, "north-gate")
    with pytest.raises(UserError, match=r"did you mean “north-gate”\? \(--scene north-gate\)"):
        archive.scene("nort-gate")
    with pytest.raises(UserError, match="known: north-gate"):
        archive.rules.list("zzz")


@pytest.mark.parametrize("name", ["", "a b", "../x", "..", ".", "a/b", "x" * 65, "tür"])
def test_impossible_names_are_refused(archive: Archive, name: str) -> None:
    with pytest.raises(UserError, match="cannot name a scene"):
        archive.scene(name)
    with pytest.raises(UserError):
        check_scene_name(name)


def test_a_video_is_known_by_content(archive: Archive) -> None:
    info = VideoInfo(
        id="0" * 16,
        path="a.mp4",
        sha256="0" * 64,
        kind="file",
        width=2,
        height=2,
        frames=3,
        time_base=TimeBase(num=1, den=10),
        duration=3,
        fps=10,
    )
    archive.add_video(info)
    moved = info.model_copy(update={"path": "b.mp4"})
    archive.add_video(moved)
    assert archive.videos() == (moved,)


@pytest.mark.parametrize("damage", ["missing", "truncated", "garbage", "other"])
def test_a_damaged_profile_is_said(archive: Archive, home: Path, damage: str) -> None:
    save(archive, "gate")
    path = home / "scenes" / "gate" / "profile-v1.npz"
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "garbage":
        path.write_bytes(b"garbage")
    else:
        save(archive, "other")
        path.write_bytes((home / "scenes" / "other" / "profile-v1.npz").read_bytes())
    with pytest.raises(StoreError, match=r"profile-v1\.npz.*induce NORMAL.*--scene gate"):
        archive.profile("gate")


def test_a_corrupt_record_is_said(archive: Archive, home: Path) -> None:
    save(archive, "gate")
    (home / "record.db").write_bytes(b"not a database at all" * 400)
    with pytest.raises(StoreError, match=r"record\.db: damaged or not a Vidocq record"):
        Archive(home, HashedEmbedder())
    with pytest.raises(StoreError, match=r"record\.db"):
        archive.scenes()


def test_a_newer_record_is_refused(archive: Archive, home: Path) -> None:
    with closing(sqlite3.connect(home / "record.db")) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match="newer Vidocq"):
        Archive(home, HashedEmbedder())


def test_a_locked_record_is_said(archive: Archive, home: Path) -> None:
    save(archive, "gate")
    with closing(sqlite3.connect(home / "record.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match=r"record\.db: locked by another process"):
            archive.rules.retire(induced_id("gate", "speed/limit"))
        with pytest.raises(StoreError, match="locked"):
            Archive(home, HashedEmbedder(), busy_timeout_s=0.1)
    assert len(archive.rules.history(induced_id("gate", "speed/limit"))) == 1


def test_a_home_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="VIDOCQ_HOME"):
        Archive(tmp_path / "file" / "home", HashedEmbedder())


def test_a_failing_import_changes_nothing(archive: Archive) -> None:
    save(archive, "gate", "v1")
    profile = profile_of("gate", "v2")
    rules = [rule_of("gate", text="Other."), rule_of("elsewhere")]
    with pytest.raises(ValueError, match="belongs to scene"):
        archive.save_scene(record_of(profile), profile, rules)
    assert archive.scene("gate").profile_version == "v1"
    assert [r.text for r in archive.rules.list("gate")] == ["People walk."]


_SLOW_IMPORT = """
import sys, time
sys.path[:0] = {paths!r}
from test_archive import *
archive = Archive(Path({home!r}), HashedEmbedder())
def rules():
    for number in range(50):
        yield rule_of("gate", f"slot/{{number}}", "New.")
        if number == 25:
            print("half", flush=True)
            time.sleep(60)
profile = profile_of("gate", "v2")
archive.save_scene(record_of(profile), profile, rules())
"""


# ---------------------------------------------------------------- normal captions


def captions_of(*texts: str, scene: str = "gate") -> list[NormalCaption]:
    return [
        NormalCaption(
            id=normal_id(scene, "c1", 10 * n, text),
            scene=scene,
            version=1,
            video_id="c1",
            clip="Train001.mp4",
            interval=Interval(start=10 * n, end=10 * n + 10, time_base=TimeBase(num=1, den=10)),
            frame=10 * n,
            text=text,
        )
        for n, text in enumerate(texts)
    ]


def keep(archive: Archive, *texts: str, scene: str = "gate") -> None:
    profile, captions = profile_of(scene), captions_of(*texts, scene=scene)
    archive.save_scene(record_of(profile), profile, [rule_of(scene)], captions)


def test_normal_captions_come_back_in_order_and_every_version_stays(
    archive: Archive, home: Path
) -> None:
    keep(archive, "People walk.", "A man stands.")
    first = archive.normal_captions("gate")
    assert [c.text for c in first] == ["People walk.", "A man stands."]
    keep(archive, "People walk.", "A man stands.")  # nothing new: no new version
    assert archive.scene("gate").captions_version == 1
    keep(archive, "People walk.", "A dog runs.")
    again = Archive(home, HashedEmbedder())
    assert [(c.version, c.text) for c in again.normal_captions("gate")] == [
        (2, "People walk."),
        (2, "A dog runs."),
    ]
    assert again.normal_caption(first[1].ref) == first[1]  # a decision made before still resolves
    assert again.normal_caption(first[0].id).version == 2
    assert again.normal_captions("gate", 1) == first
    known = first[0].id
    wrong = ("normal:nobody@1", first[1].ref.replace("@1", "@2"), f"{known}@x", f"{known}@")
    for unknown in (*wrong, f"{known}@{10**30}", f"rule:{known}@1", ""):
        with pytest.raises(UserError, match="no normal caption"):
            again.normal_caption(unknown)


def test_a_scene_that_is_measured_keeps_no_captions(archive: Archive) -> None:
    keep(archive, "People walk.")
    keep(archive, "Dogs run.", scene="yard")
    save(archive, "gate", "v2")
    assert archive.normal_captions("gate") == ()
    assert [c.text for c in archive.normal_captions("yard")] == ["Dogs run."]
    keep(archive, "People walk.")
    assert archive.scene("gate").captions_version == 1  # the same ones as before


def test_captions_and_rules_are_kept_together_or_not_at_all(archive: Archive) -> None:
    keep(archive, "People walk.")
    profile = profile_of("gate", "v2")
    rules = [rule_of("gate", text="Other."), rule_of("elsewhere")]
    with pytest.raises(ValueError, match="belongs to scene"):
        archive.save_scene(record_of(profile), profile, rules, captions_of("A dog runs."))
    assert [c.text for c in archive.normal_captions("gate")] == ["People walk."]


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_record_is_brought_up_to_date_without_loss(
    archive: Archive, home: Path, version: int
) -> None:
    save(archive, "gate")
    archive.rules.edit(induced_id("gate", "speed/limit"), text="People stroll.")
    if version == 2:
        archive.rules.set_zone("gate", "fence", ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0)))
    archive.close()
    with closing(sqlite3.connect(home / "record.db")) as connection:
        connection.execute("DROP TABLE normal_captions")
        if version == 1:
            connection.execute("DROP TABLE zones")
        old = json.loads(connection.execute("SELECT record FROM scenes").fetchone()[0])
        del old["captions_version"]
        connection.execute("UPDATE scenes SET record = ?", (json.dumps(old),))
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    again = Archive(home, HashedEmbedder())
    assert [r.text for r in again.rules.history(induced_id("gate", "speed/limit"))] == [
        "People walk.",
        "People stroll.",
    ]
    assert list(again.rules.zones("gate")) == (["fence"] if version == 2 else [])
    assert again.scene("gate").calibration.scores == (0.1, 0.4)
    assert again.normal_captions("gate") == ()
    keep(again, "People walk.")
    assert [c.text for c in again.normal_captions("gate")] == ["People walk."]


def test_a_kill_in_the_middle_of_an_import_leaves_nothing_of_it(
    archive: Archive, home: Path
) -> None:
    save(archive, "gate", "v1")
    paths = [str(Path(__file__).parent), *sys.path]
    child = subprocess.Popen(
        [sys.executable, "-c", _SLOW_IMPORT.format(paths=paths, home=str(home))],
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "half\n"
        child.kill()
    assert child.returncode == -9
    again = Archive(home, HashedEmbedder())
    assert again.scene("gate").profile_version == "v1"
    assert again.profile("gate").version == "v1"
    assert [r.text for r in again.rules.list("gate")] == ["People walk."]
    save(again, "gate", "v3")  # and the lock died with the process
    assert again.scene("gate").profile_version == "v3"


def test_write_ahead_logging_only_where_it_keeps_commits() -> None:
    assert [journal_mode(v) for v in [(3, 40, 1), (3, 44, 5), (3, 45, 0), (3, 51, 2)]] == (
        ["DELETE"] * 4
    )
    assert [journal_mode(v) for v in [(3, 44, 6), (3, 50, 7), (3, 51, 3), (3, 52, 0)]] == (
        ["WAL"] * 4
    )


def test_opening_is_quick(archive: Archive, home: Path) -> None:
    start = time.perf_counter()
    Archive(home, HashedEmbedder())
    assert time.perf_counter() - start < 0.5
    assert "chromadb" not in sys.modules or (home / "chroma").exists() is False
