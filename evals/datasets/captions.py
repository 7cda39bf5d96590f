"""Frame captions with labels, the rules given for them, and four-choice questions.

::

    FOLDER/DATASET.frames.jsonl.gz     {video, frame, caption, label}, frames 0, 1, 2 … of a video
    FOLDER/normal_reference.jsonl.gz   {dataset, video, frame, caption}: captions of normal frames
    FOLDER/rules.jsonl.gz              {dataset, rules: {normal_activity, normal_object,
                                       anomaly_activity, anomaly_object}}
    FOLDER/mc100.jsonl.gz              {id, truth, caption, choices, normal_choice, answer, …}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from evals.datasets.jsonl import field, rows
from evals.model import Choice, Sample, frame_runs
from tools.decision import Label
from tools.errors import UserError

__all__ = [
    "CaptionRules",
    "CaptionVideo",
    "ChoiceItem",
    "load_captions",
    "load_choices",
    "load_normal_captions",
    "load_rules",
]

FPS = MappingProxyType(
    {"shanghaitech": 24.0, "ucsd_ped2": 10.0, "cuhk_avenue": 25.0, "ubnormal": 30.0}
)
"""Frames per second of the footage, as its authors publish it; the captions do not say."""
NOT_DRAWN = "X"
"""The letter for "none of these": the caption misses the anomaly."""


@dataclass(frozen=True, eq=False)
class CaptionVideo:
    """A video of which only captions are known, one per frame."""

    sample: Sample
    captions: tuple[str, ...]


@dataclass(frozen=True)
class CaptionRules:
    """Rules in words, given for one data set."""

    dataset: str
    normal: tuple[str, ...]
    anomalous: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ChoiceItem:
    """A captioned frame and its four-choice question."""

    sample: Sample
    caption: str


def load_captions(folder: Path, dataset: str) -> list[CaptionVideo]:
    """Videos by name. Raises UserError naming file and line, and for frames that are missing."""
    path = folder / f"{dataset}.frames.jsonl.gz"
    captions: dict[str, list[str]] = {}
    labels: dict[str, list[bool]] = {}
    for number, row in rows(path):
        video = field(path, number, row, "video", str)
        texts = captions.setdefault(video, [])
        if field(path, number, row, "frame", int) != len(texts):
            raise UserError(f"{path}:{number}: frame {row['frame']} of {video}, not {len(texts)}")
        label = field(path, number, row, "label", int)
        if label not in (0, 1):
            raise UserError(f"{path}:{number}: label {label} is neither 0 nor 1")
        texts.append(field(path, number, row, "caption", str))
        labels.setdefault(video, []).append(label == 1)
    return [
        CaptionVideo(
            Sample(
                id=video,
                source=f"captions:{dataset}/{video}",
                scene=dataset,
                frames=len(texts),
                fps=FPS.get(dataset, 25.0),
                truth=(frame_runs(labels[video]),),
            ),
            tuple(texts),
        )
        for video, texts in sorted(captions.items())
    ]


def load_normal_captions(folder: Path, dataset: str) -> tuple[str, ...]:
    """Captions of normal frames, none of them in the test videos' frames.jsonl."""
    path = folder / "normal_reference.jsonl.gz"
    found = tuple(
        field(path, number, row, "caption", str)
        for number, row in rows(path)
        if field(path, number, row, "dataset", str) == dataset
    )
    if not found:
        raise UserError(f"{path}: no captions of {dataset}")
    return found


def load_rules(folder: Path, dataset: str) -> CaptionRules:
    """The rules given for a data set. Raises UserError where there are none."""
    path = folder / "rules.jsonl.gz"
    for number, row in rows(path):
        if field(path, number, row, "dataset", str) == dataset:
            rules = field(path, number, row, "rules", dict)
            try:
                return CaptionRules(
                    dataset=dataset,
                    normal=(*rules["normal_activity"], *rules["normal_object"]),
                    anomalous=(*rules["anomaly_activity"], *rules["anomaly_object"]),
                )
            except KeyError as error:
                raise UserError(f"{path}:{number}: rules without {error}") from None
    raise UserError(f"{path}: no rules for {dataset}")


def load_choices(folder: Path) -> list[ChoiceItem]:
    """The four-choice questions. An item whose caption misses the anomaly has no right letter
    among the four: any choice that accuses is right for the wrong reason there."""
    path = folder / "mc100.jsonl.gz"
    items = []
    for number, row in rows(path):
        choices = field(path, number, row, "choices", dict)
        normal = field(path, number, row, "normal_choice", str)
        right = field(path, number, row, "answer", str)
        truth = field(path, number, row, "truth", int)
        if normal not in choices or right not in {*choices, NOT_DRAWN}:
            raise UserError(f"{path}:{number}: a letter that is no choice")
        verdicts = {x: Label.NORMAL if x == normal else Label.ANOMALOUS for x in choices}
        verdicts.setdefault(NOT_DRAWN, Label.ANOMALOUS)
        items.append(
            ChoiceItem(
                Sample(
                    id=f"mc{field(path, number, row, 'id', int):03d}",
                    source="captions:mc100",
                    scene="shanghaitech",
                    frames=1,
                    fps=1.0,
                    truth=(((0, 1),) if truth else (),),
                    category="caption misses it" if right == NOT_DRAWN else "",
                    choice=Choice(options=choices, right=right, verdicts=verdicts),
                ),
                field(path, number, row, "caption", str),
            )
        )
    return items
