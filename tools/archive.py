"""The archive: which scenes, rules and videos a home knows.

::

    HOME/record.db                        SQLite: scenes, videos, every version of every rule, zone
                                          and normal caption
    HOME/chroma/                          index made from the record; may be deleted at any time
    HOME/chroma.words                     SQLite: vectors of the rules' words, likewise
    HOME/scenes/NAME/profile-VERSION.npz  what the captioner learned of a scene

A profile is written, synced and renamed before the transaction that names it, so the record never
names a file that is not there whole.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from tools.errors import StoreError, UserError
from tools.induction.heldout import FalseAlarms
from tools.ports import Embedder, SceneProfile
from tools.record import Record
from tools.rulebook.book import RuleBook, now, unknown_scene
from tools.rulebook.normalcaptions import caption_of, captions_of_scene, keep_captions
from tools.scoring import Calibration
from tools.types import Attribute, Frozen, NormalCaption, Provenance, Rule, VideoInfo

__all__ = ["Archive", "SceneRecord", "check_scene_name"]

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,64}")


class SceneRecord(Frozen):
    """What is on record of a scene."""

    name: str
    created: str = Field(default_factory=now)
    """UTC, ISO 8601."""
    captioner: str
    profile_version: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    """Frame size in pixels; videos of another size show another scene."""
    clips: tuple[Provenance, ...] = ()
    seconds: float = Field(default=0.0, ge=0)
    """Length of the normal footage."""
    calibration: Calibration = Calibration()
    false_alarms: FalseAlarms = FalseAlarms()
    """How often the rules, as induced, fire on held-out normal events."""
    batches: int = Field(default=0, ge=0)
    """Batches of normal footage that voted on the rules."""
    captions_version: int = Field(default=0, ge=0)
    """Version of the normal captions kept with it; 0 where none are, as of a captioner that
    measures."""
    notes: tuple[str, ...] = ()
    """What induction wants said, e.g. which rules were demoted and why."""


def check_scene_name(name: str) -> str:
    """The name itself. Raises UserError where it cannot name a folder on every system."""
    if not _NAME.fullmatch(name) or set(name) <= {"."}:
        raise UserError(
            f"“{name}” cannot name a scene",
            remedy="use 1 to 64 letters, digits, dots, underscores and hyphens",
        )
    return name


class Archive:
    """Opens (and makes, where absent) the archive of a home.

    Args:
        home: the folder of everything that is kept.
        embedder: for the rule index.
        busy_timeout_s: how long to wait for another process's transaction.
        chroma_url: a Chroma server that keeps the index instead of the home.

    Raises:
        StoreError: the record is locked, damaged, from a newer version, or cannot be written.
    """

    def __init__(
        self,
        home: Path,
        embedder: Embedder,
        *,
        busy_timeout_s: float = 15.0,
        chroma_url: str | None = None,
    ) -> None:
        self.home = home
        self._record = Record(home / "record.db", busy_timeout_s=busy_timeout_s)
        self.rules = RuleBook(self._record, home / "chroma", embedder, server=chroma_url)
        self._profiles: dict[Path, SceneProfile] = {}
        self._captions: dict[tuple[str, int], tuple[NormalCaption, ...]] = {}

    def close(self) -> None:
        """Let go of the index files; every write is on disk already."""
        self.rules.close()

    # ------------------------------------------------------------ scenes

    def scenes(self) -> tuple[SceneRecord, ...]:
        """All scenes, by name."""
        with self._record.reading() as connection:
            rows = connection.execute("SELECT record FROM scenes ORDER BY name").fetchall()
        return tuple(SceneRecord.model_validate_json(row[0]) for row in rows)

    def scene(self, name: str, *, captioner: str | None = None) -> SceneRecord:
        """One scene.

        Raises UserError for an unknown one, naming the nearest, and for one that was learned by
        another captioner than is named.
        """
        check_scene_name(name)
        with self._record.reading() as connection:
            row = connection.execute("SELECT record FROM scenes WHERE name = ?", (name,)).fetchone()
            if row is None:
                names = connection.execute("SELECT name FROM scenes ORDER BY name").fetchall()
        if row is None:
            raise unknown_scene(name, [other[0] for other in names])
        record = SceneRecord.model_validate_json(row[0])
        if captioner not in {None, record.captioner}:
            raise UserError(
                f"scene {name!r} was learned with {record.captioner}, but the captioner now is "
                f"{captioner}",
                remedy=f"induce it again: vidocq induce NORMAL... --scene {name}",
            )
        return record

    def profile(self, name: str, version: str | None = None) -> SceneProfile:
        """What the captioner learned of a scene, by default as last induced.

        Raises UserError for an unknown scene, StoreError where the file is absent or damaged.
        """
        record = self.scene(name)
        path = self._profile_path(name, version or record.profile_version)
        if path in self._profiles:  # named by content hash: it never changes
            return self._profiles[path]
        try:
            profile = _read_profile(path)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            what = "is missing" if isinstance(error, FileNotFoundError) else "is damaged"
            raise StoreError(
                f"{path}: the profile of scene “{name}” {what}",
                remedy=f"vidocq induce NORMAL... --scene {name}",
            ) from error
        if (profile.scene, profile.version) != (name, version or record.profile_version):
            raise StoreError(
                f"{path}: holds another profile than its name says",
                remedy=f"vidocq induce NORMAL... --scene {name}",
            )
        self._profiles = {**dict(list(self._profiles.items())[-3:]), path: profile}
        return profile

    def normal_captions(self, name: str, version: int | None = None) -> tuple[NormalCaption, ...]:
        """The normal captions kept with a scene, by default as last induced; none for version 0.

        Raises UserError for an unknown scene.
        """
        version = self.scene(name).captions_version if version is None else version
        if version == 0:
            return ()
        if (name, version) not in self._captions:  # a version never changes
            with self._record.reading() as connection:
                kept = captions_of_scene(connection, name, version)
            self._captions = {**dict(list(self._captions.items())[-3:]), (name, version): kept}
        return self._captions[name, version]

    def normal_caption(self, reference: str) -> NormalCaption:
        """The one that ``normal:ID@V`` names. Raises UserError where there is none."""
        with self._record.reading() as connection:
            return caption_of(connection, reference)

    def save_scene(
        self,
        record: SceneRecord,
        profile: SceneProfile,
        rules: Iterable[Rule],
        captions: Sequence[NormalCaption] = (),
    ) -> tuple[Rule, ...]:
        """Put a scene, its induced rules and its normal captions on record, all or nothing.

        The captions get the scene's next version, which ``record`` then names.
        Returns the rule versions that were written. Raises UserError for an impossible name,
        StoreError where something cannot be written: then the record is as it was.
        """
        check_scene_name(record.name)
        if (record.name, record.profile_version) != (profile.scene, profile.version):
            raise ValueError("record and profile are of different scenes or versions")
        self._write_profile(profile)
        with self._record.writing() as connection:
            version = keep_captions(connection, record.name, captions)
            record = record.model_copy(update={"captions_version": version})
            connection.execute(
                "INSERT INTO scenes (name, record) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET record = excluded.record",
                (record.name, record.model_dump_json()),
            )
            return self.rules.import_induced(connection, record.name, rules)

    def _profile_path(self, name: str, version: str) -> Path:
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", version):
            raise ValueError(f"not a profile version: {version!r}")
        return self.home / "scenes" / name / f"profile-{version}.npz"

    def _write_profile(self, profile: SceneProfile) -> None:
        path = self._profile_path(profile.scene, profile.version)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".profile-")
            try:
                with os.fdopen(handle, "wb") as file:
                    np.savez_compressed(file, **_pack(profile))
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(path)
            finally:
                Path(temporary).unlink(missing_ok=True)
            _sync_folder(path.parent)
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be written: {error.strerror or error}",
                remedy="free some space or choose another home with VIDOCQ_HOME",
            ) from error

    # ------------------------------------------------------------ videos

    def add_video(self, info: VideoInfo) -> None:
        """Remember a video; one known already (same content) is updated."""
        with self._record.writing() as connection:
            connection.execute(
                "INSERT INTO videos (id, path, info) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
                " SET path = excluded.path, info = excluded.info",
                (info.id, info.path, info.model_dump_json()),
            )

    def videos(self) -> tuple[VideoInfo, ...]:
        """All known videos, by path."""
        with self._record.reading() as connection:
            rows = connection.execute("SELECT info FROM videos ORDER BY path, id").fetchall()
        return tuple(VideoInfo.model_validate_json(row[0]) for row in rows)


# ---------------------------------------------------------------- profile files


def _pack(profile: SceneProfile) -> dict[str, Any]:
    header = {
        "scene": profile.scene,
        "captioner": profile.captioner,
        "width": profile.width,
        "height": profile.height,
        "clips": list(profile.clips),
        "seconds": profile.seconds,
        "summary": {name: a.model_dump(mode="json") for name, a in profile.summary.items()},
        "meta": dict(profile.meta),
        "version": profile.version,
    }
    text = json.dumps(header, sort_keys=True, allow_nan=False).encode()
    arrays = {f"array/{name}": np.asarray(a) for name, a in profile.arrays.items()}
    if any(array.dtype.hasobject for array in arrays.values()):
        raise ValueError("a profile holds numbers only, no Python objects")
    return {"header": np.frombuffer(text, dtype=np.uint8), **arrays}


def _read_profile(path: Path) -> SceneProfile:
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        header = json.loads(file["header"].tobytes())
        arrays = {
            name.removeprefix("array/"): file[name]
            for name in file.files
            if name.startswith("array/")
        }
    try:
        summary = {n: Attribute.model_validate(a) for n, a in header.pop("summary").items()}
    except ValidationError as error:
        raise ValueError(str(error)) from error
    return SceneProfile(
        **{**header, "clips": tuple(header["clips"])}, summary=summary, arrays=arrays
    )


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut (POSIX; other systems have no such call)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
