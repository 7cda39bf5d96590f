"""Recordings of another system as they lie on disk: two videos of 100 frames, 25 a second.

The last half of ``m1`` is a fire, and said to be; nothing happens in ``m2``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["packed", "write_recorded"]


def packed(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def write_recorded(folder: Path, videos: Mapping[str, float] | None = None) -> Path:
    """Write the three files of recorded data. ``videos``: name → score of the second half."""
    videos = videos or {"m1": 0.9, "m2": 0.1}

    def node(name: str, level: str, start: int, end: int, score: float) -> dict[str, Any]:
        return {
            "id": name,
            "level": level,
            "start": start,
            "end": end,
            "caption": "A man walks.",
            "score": score,
            "verdict_text": "ordinary </think> [0.1]",
        }

    packed(
        folder / "traces.jsonl.gz",
        [
            {
                "schema": "vad-trace/1",
                "dataset": "msad",
                "video_id": name,
                "n_frames": 100,
                "fps": 25.0,
                "tree_frames": 100,
                "covered_frames": 100,
                "coverage_ok": True,
                "verdict_kind": {"coarse": "think", "fine": "think"},
                "gebd": {"conf": [0.0, 0.9, 0.0]},
                "tree": {"coarse": [[0, 49], [49, 99]], "fine": [], "redundant": []},
                "nodes": [
                    node("c0", "coarse", 0, 49, 0.1),
                    node("c1", "coarse", 49, 99, high),
                    node("f0", "fine", 0, 49, 0.1) | {"parent": "c0", "duplicate_of": "c0"},
                    node("f1", "fine", 49, 99, high) | {"parent": "c1", "duplicate_of": "c1"},
                ],
            }
            for name, high in videos.items()
        ],
    )
    packed(
        folder / "labels.jsonl.gz",
        [
            {
                "video_id": name,
                "source_id": name,
                "category": "Fire" if high > 0.5 else "Normal",
                "anomalies": [[50, 100]] if high > 0.5 else [],
            }
            for name, high in videos.items()
        ],
    )
    packed(
        folder / "reference.jsonl.gz",
        [
            {
                "video_id": name,
                "refined": {"c0": 0.1, "c1": high, "f0": 0.1, "f1": high},
                "frame_scores_rle": [[0, 49, 0.1], [50, 99, high]],
            }
            for name, high in videos.items()
        ],
    )
    return folder
