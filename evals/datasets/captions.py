"""Frame captions with labels, the rules given for them, and four-choice questions.

::

    FOLDER/DATASET.frames.jsonl.gz     {video, frame, caption, label}, frames 0, 1, 2 … of a video
    FOLDER/normal_reference.jsonl.gz   {dataset, video, frame, caption}: captions of normal frames,
                                       taken from the very videos of frames.jsonl
    FOLDER/rules.jsonl.gz              {dataset, rules: {normal_activity, normal_object,
                                       anomaly_activity, anomaly_object}}
    FOLDER/mc100.jsonl.gz              {id, truth, caption, choices, normal_choice, answer, …}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from evals.datasets.jsonl import field, rows
from evals.model import Choice, Sample, frame_runs
from tools.decision import Label
from tools.errors import UserError
from tools.types import Rule, RuleCategory, RuleKind

__all__ = [
    "CaptionVideo",
    "ChoiceItem",
    "NormalCaption",
    "camera_of",
    "load_captions",
    "load_choices",
    "load_normal_captions",
    "load_rules",
]

FPS = MappingProxyType(
    {"shanghaitech": 24.0, "ucsd_ped2": 10.0, "cuhk_avenue": 25.0, "ubnormal": 30.0}
)
"""Frames per second of the footage, as its authors publish it; the captions do not say."""
CAMERAS = MappingProxyType(
    {"shanghaitech": re.compile(r"(\d+)_"), "ubnormal": re.compile(r".*?scene_(\d+)_")}
)
"""Data sets of several cameras, and where a video's name gives its own; the others have one."""
NOT_DRAWN = "X"
"""The letter for "none of these": the caption misses the anomaly."""


@dataclass(frozen=True, eq=False)
class CaptionVideo:
    """A video of which only captions are known, one per frame."""

    sample: Sample
    captions: tuple[str, ...]


class NormalCaption(NamedTuple):
    """A caption of a normal frame, and the video it is of (empty where the data do not say)."""

    video: str
    frame: int
    caption: str


@dataclass(frozen=True, eq=False)
class ChoiceItem:
    """A captioned frame and its four-choice question."""

    sample: Sample
    caption: str
    videos: tuple[str, ...] = ()
    """Videos in which a frame has this caption, where the data say."""


def camera_of(dataset: str, video: str) -> str:
    """The camera that filmed a video, as the data set's authors name their files."""
    found = CAMERAS[dataset].match(video) if dataset in CAMERAS else None
    return found.group(1) if found else ""


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


def load_normal_captions(folder: Path, dataset: str) -> tuple[NormalCaption, ...]:
    """Captions of normal frames. They are of the test videos themselves: whoever judges a video
    should not know its own (:meth:`evals.deduction.References.others`)."""
    path = folder / "normal_reference.jsonl.gz"
    found = tuple(
        NormalCaption(
            field(path, number, row, "video", str) if "video" in row else "",
            field(path, number, row, "frame", int) if "frame" in row else number - 1,
            field(path, number, row, "caption", str),
        )
        for number, row in rows(path)
        if field(path, number, row, "dataset", str) == dataset
    )
    if not found:
        raise UserError(f"{path}: no captions of {dataset}")
    return found


def load_rules(folder: Path, dataset: str) -> tuple[Rule, ...]:
    """The rules given for a data set, normal ones first. Raises UserError where there are none."""
    path = folder / "rules.jsonl.gz"
    for number, row in rows(path):
        if field(path, number, row, "dataset", str) != dataset:
            continue
        given = field(path, number, row, "rules", dict)
        found: list[Rule] = []
        for kind, name in ((RuleKind.NORMAL, "normal"), (RuleKind.ANOMALOUS, "anomaly")):
            for category in (RuleCategory.ACTIVITY, RuleCategory.OBJECT):
                key = f"{name}_{category.value}"
                if key not in given:
                    raise UserError(f"{path}:{number}: rules without '{key}'")
                found += [
                    Rule(
                        id=f"captions-{dataset}-{len(found) + n}",
                        scene=dataset,
                        version=1,
                        kind=kind,
                        category=category,
                        text=text,
                        author="given",
                    )
                    for n, text in enumerate(given[key])
                ]
        return tuple(found)
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
                tuple(row.get("videos", ())),
            )
        )
    return items
