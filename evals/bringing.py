"""``python -m evals import``: results and folders of other systems, brought into our own layout.

What holds scores becomes a run (``suite.json`` and a saved trace per video) that ``score``,
``report`` and ``compare`` take like any other. UCSD's own folders become a folder that
``run --data`` takes; captions become a file of the captions layout.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Sequence
from pathlib import Path

from evals.importers import IMPORTERS, Imported
from evals.model import Sample
from evals.plan import Expected, trace_path, write_plan
from evals.provenance import write_json
from evals.saved import save
from evals.suite import ImportedSpec, Suite
from tools.errors import StoreError, UserError
from tools.types import content_id

__all__ = ["bring"]


def bring(kind: str, path: Path, out: Path) -> str:
    """Import ``path`` into ``out`` and say what can be done with it.

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
    raise UserError(
        f"{path} holds labels but no scores: nothing can be scored",
        remedy="add the scores; python -m evals import --help names the formats",
    )


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
    return f"{len(items)} videos with scores; next: python -m evals score {out}"


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


def _as_clips(out: Path, samples: Sequence[Sample]) -> str:
    table = {}
    for sample in samples:
        table[sample.id] = {
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
        link = out / sample.id
        try:
            out.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                os.symlink(Path(sample.source).resolve(), link, target_is_directory=True)
        except OSError as error:
            raise StoreError(f"cannot link {link}: {error.strerror}") from error
    write_json(out / "labels.json", table)
    return (
        f"{len(samples)} clips; next: python -m evals run evals/suites/ucsd_ped2.yaml --data {out}"
    )
