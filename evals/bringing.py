"""``python -m evals import``: results and folders of other systems, brought into our own layout.

What holds scores becomes a run (``suite.json`` and a saved trace per video) that ``score``,
``report`` and ``compare`` take like any other. UCSD's own folders become a folder that
``run --data`` takes; so do labels without scores, where their clips are at hand. Captions become a
file of the captions layout.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from typing import Any

import yaml

from evals.importers import FPS, IMPORTERS, Imported
from evals.model import Sample
from evals.plan import Expected, trace_path, write_plan
from evals.provenance import basis_of, write_json, write_text
from evals.saved import save
from evals.suite import ImportedSpec, Suite
from tools.errors import StoreError, UserError
from tools.medianames import VIDEO_SUFFIXES
from tools.types import content_id
from tools.video import probe

__all__ = ["bring"]


def bring(kind: str, path: Path, out: Path, *, clips: Path | None = None) -> str:
    """Import ``path`` into ``out`` and say what can be done with it.

    ``clips``: folder of the videos, where the format holds labels alone; by default beside them.

    Raises UserError for an unknown format or a file that does not fit, naming it and the line;
    StoreError where ``out`` cannot be written.
    """
    if kind not in IMPORTERS:
        raise UserError(f"unknown format {kind!r}", remedy=f"one of: {', '.join(IMPORTERS)}")
    if not path.exists():
        raise UserError(f"{path} does not exist")
    found = IMPORTERS[kind](path)
    if found.outcomes:
        return _as_run(kind, path, out, found)
    if found.captions:
        return _as_captions(path, out, found)
    if kind == "ucsd":
        return _as_clips(out, found.samples)
    return _as_truth(path, out, found.samples, clips or (path if path.is_dir() else path.parent))


def _as_run(kind: str, path: Path, out: Path, found: Imported) -> str:
    name = out.name if out.name.replace("-", "").replace("_", "").isalnum() else "imported"
    suite = Suite(
        name=name,
        dataset=ImportedSpec(layout="imported", format=kind, folder=path.name),
        scene="imported",
        question="(imported scores)",
    )
    items = []
    for sample, outcome in found.pairs:
        item = Expected(
            section="test", name=sample.id, key=content_id(kind, sample.id, outcome.scores.tolist())
        )
        save(
            trace_path(out, item),
            sample=sample,
            section="test",
            key=item.key,
            seconds=0,
            outcome=outcome,
        )
        items.append(item)
    write_plan(out, suite, None, items)
    basis = basis_of(
        suite.model_dump(mode="json"), path.name, {item.name: item.key for item in items}
    )
    started = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(out / "run.json", basis | {"started": started})
    rate = f", {FPS:g} frames per second assumed" if found.assumed_fps else ""
    return f"{len(items)} videos with scores{rate}; next: python -m evals score {out}"


def _as_captions(path: Path, out: Path, found: Imported) -> str:
    file = out / f"{path.name.lower()}.frames.jsonl.gz"
    try:
        out.mkdir(parents=True, exist_ok=True)
        # No time stamp, so that the same import gives the same bytes.
        with gzip.GzipFile(file, "wb", mtime=0) as packed:
            for sample in found.samples:
                labels = sample.abnormal
                for frame, caption in enumerate(found.captions[sample.id]):
                    row = {
                        "video": sample.id,
                        "frame": frame,
                        "caption": caption,
                        "label": int(labels[frame]),
                    }
                    packed.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror}") from error
    return (
        f"{len(found.samples)} captioned videos in {file}; a suite of layout captions also needs "
        "rules.jsonl.gz and normal_reference.jsonl.gz there"
    )


def _as_truth(path: Path, out: Path, samples: Sequence[Sample], clips: Path) -> str:
    """Labels and the clips they are of: a folder of the ucsd layout, and a suite over it."""
    if not clips.is_dir():
        raise UserError(f"{clips} is no folder of clips")
    at = {sample.id: _clip_of(sample.id, clips) for sample in samples}
    missing = [name for name, clip in at.items() if clip is None]
    if len(missing) == len(samples):
        raise UserError(
            f"{path} holds labels but no scores, and {clips} holds none of the videos",
            remedy="add a score column, or name the folder of the videos with --clips DIR",
        )
    if missing:
        raise UserError(f"{clips} holds no video {missing[0]} ({len(missing)} are missing)")
    if not any(s.split == "train" for s in samples):
        raise UserError(
            f"{path} names no training videos, so no rules can be induced",
            remedy="add a column split, with train for normal videos",
        )
    table: dict[str, dict[str, Any]] = {}
    for sample in samples:
        clip = at[sample.id]
        assert clip is not None, "missing ones were named above"
        info = probe(clip)
        if info.frames != sample.frames:
            raise UserError(f"{clip} has {info.frames} frames, its labels {sample.frames}")
        if sample.split == "train" and sample.spans:
            raise UserError(f"{sample.id}: a training video with abnormal frames")
        _link(clip, out)
        table[clip.name] = _entry(sample) | {"fps": info.fps}
    write_json(out / "labels.json", table)
    name = out.name if re.fullmatch(r"[\w.-]+", out.name) else "imported"
    suite = {
        "name": name,
        "dataset": {"layout": "ucsd", "folder": name},
        "scene": re.sub(r"[^\w-]", "-", name),
        "question": "Did anything out of the ordinary happen?",
        "controls": ["no_rules", "shuffled_rules", "single_look"],
    }
    write_text(out / "suite.yaml", yaml.safe_dump(suite, sort_keys=False))
    return f"{len(samples)} clips; next: python -m evals run {out / 'suite.yaml'} --data {out}"


def _clip_of(name: str, clips: Path) -> Path | None:
    """The file or folder of a video, named with or without its suffix."""
    exact = clips / name
    if exact.exists():
        return exact
    found = [f for f in clips.glob(f"{escape(name)}.*") if f.suffix.lower() in VIDEO_SUFFIXES]
    if len(found) > 1:
        raise UserError(f"{clips}: {', '.join(sorted(f.name for f in found))}: which is {name}?")
    return found[0] if found else None


def _entry(sample: Sample) -> dict[str, Any]:
    """A sample as ``labels.json`` holds it."""
    entry: dict[str, Any] = {
        "split": sample.split,
        "frames": sample.frames,
        "fps": sample.fps,
        "anomalous": [list(span) for span in sample.spans],
        "boxes": {
            str(frame): [b.x0, b.y0, b.x1, b.y1]
            for frame, boxes in sample.boxes.items()
            for b in boxes[:1]
        },
    }
    if len(sample.truth) > 1:
        entry["annotators"] = [[list(span) for span in spans] for spans in sample.truth]
    for key, value in (
        ("kind", sample.kind),
        ("category", sample.category),
        ("references", list(sample.references)),
    ):
        if value:
            entry[key] = value
    return entry


def _link(clip: Path, out: Path) -> None:
    link = out / clip.name
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            os.symlink(clip.resolve(), link, target_is_directory=clip.is_dir())
    except OSError as error:
        raise StoreError(f"cannot link {link}: {error.strerror}") from error


def _as_clips(out: Path, samples: Sequence[Sample]) -> str:
    for sample in samples:
        _link(Path(sample.source), out)
    write_json(out / "labels.json", {sample.id: _entry(sample) for sample in samples})
    return (
        f"{len(samples)} clips; next: python -m evals run evals/suites/ucsd_ped2.yaml --data {out}"
    )
