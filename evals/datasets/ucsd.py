"""Folders laid out like UCSD Ped2: clips and a ``labels.json`` with half-open intervals.

::

    FOLDER/labels.json      {"Test1.mp4": {"split": "train" | "test", "frames": 180, "fps": 10,
                                           "anomalous": [[30, 80]], "boxes": {"30": [0, 0, 9, 9]},
                                           "kind": …, "references": […], "expected": […]}, …}
    FOLDER/Test1.mp4 …      the clips; from kind on, fields may be absent
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from evals.model import expectation
from tools.errors import UserError
from tools.types import Box, Frozen

__all__ = ["Dataset", "Item", "load_ucsd"]


class Item(Frozen):
    """One labelled clip."""

    name: str
    path: str
    split: Literal["train", "test"]
    frames: int = Field(gt=0)
    fps: float = Field(gt=0)
    anomalous: tuple[tuple[int, int], ...]
    """Half-open frame intervals."""
    boxes: dict[int, Box]
    """Frame → hull of the anomaly's mask."""
    kind: str | None = None
    """Kind of a generated scene."""
    category: str = ""
    """Category of the anomaly, a data set's word."""
    annotators: tuple[tuple[tuple[int, int], ...], ...] = ()
    """Intervals per annotator, where there are several."""
    references: tuple[str, ...] = ()
    """What happened, in words: reference answers."""
    expected: tuple[str, ...] | None = None
    """Tool calls expected of a good run (:func:`evals.model.expectation`)."""

    @model_validator(mode="after")
    def _fits(self) -> Item:
        for start, end in (*self.anomalous, *(span for one in self.annotators for span in one)):
            if not 0 <= start < end <= self.frames:
                raise ValueError(f"interval [{start}, {end}) does not fit {self.frames} frames")
        return self

    @property
    def anomalous_s(self) -> tuple[tuple[float, float], ...]:
        """The intervals in seconds from the first frame."""
        return tuple((start / self.fps, end / self.fps) for start, end in self.anomalous)


class Dataset(Frozen):
    """A labelled folder; both splits in the order of their names."""

    folder: str
    train: tuple[Item, ...]
    test: tuple[Item, ...]


def load_ucsd(folder: str | Path) -> Dataset:
    """Read ``folder/labels.json`` and check that every clip is there.

    Raises UserError naming the file where the folder, a clip or a label is missing or malformed.
    """
    root = Path(folder)
    labels = root / "labels.json"
    if not labels.is_file():
        raise UserError(
            f"no data set in {root}: {labels.name} is missing",
            remedy="give --data DIR or set VIDOCQ_DATA to the folder that holds it",
        )
    try:
        table = json.loads(labels.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{labels} cannot be read as JSON: {error}") from None
    if not isinstance(table, dict) or not table:
        raise UserError(f"{labels} holds no clips: expected an object, file name to labels")
    items = [_item(root, labels, name, entry) for name, entry in sorted(table.items())]
    return Dataset(
        folder=str(root),
        train=tuple(i for i in items if i.split == "train"),
        test=tuple(i for i in items if i.split == "test"),
    )


def _item(root: Path, labels: Path, name: str, entry: Any) -> Item:
    path = root / name
    try:
        item = Item(
            name=name,
            path=str(path),
            split=entry["split"],
            frames=entry["frames"],
            fps=entry["fps"],
            anomalous=tuple((a, b) for a, b in entry["anomalous"]),
            boxes={
                int(i): Box(x0=b[0], y0=b[1], x1=b[2], y1=b[3])
                for i, b in entry.get("boxes", {}).items()
            },
            kind=entry.get("kind"),
            category=entry.get("category", ""),
            annotators=tuple(
                tuple((a, b) for a, b in spans) for spans in entry.get("annotators", ())
            ),
            references=_texts(entry.get("references", ())),
            expected=expectation(entry["expected"]) if "expected" in entry else None,
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "labels"
        raise UserError(f"{labels}, {name}: {where}: {first['msg']}") from None
    except UserError as error:
        raise UserError(f"{labels}, {name}: expected: {error}") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise UserError(f"{labels}, {name}: malformed entry ({error!r})") from None
    if not path.exists():
        raise UserError(f"{path} is missing, though {labels.name} lists it")
    return item


def _texts(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
