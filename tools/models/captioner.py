"""A captioner made of a vision-language model: words, no measurements."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

from prompts import load
from tools.errors import BackendError, UserError
from tools.models.asking import ask_json
from tools.models.chat import ChatModel, Picture
from tools.models.wording import with_pictures
from tools.ports import Captioner, Clip, Detail, Frame, FrameSource, Progress, SceneProfile
from tools.types import (
    Answer,
    Caption,
    Clause,
    Description,
    Interval,
    Observation,
    Question,
    VideoInfo,
    clock,
    content_id,
)
from tools.video import sparse_frames

__all__ = ["ModelCaptioner"]

FRAMES: Mapping[Detail, int] = {"coarse": 4, "fine": 8}
"""Pictures of an event at most: enough to tell what changes, few enough to be cheap."""
LONGEST_PX = 448
"""Longer side of a picture: 16 × 16 patches of 28 pixels, as common vision towers cut them."""
DESCRIBE_TOKENS = 400
ASK_TOKENS = 120


class ModelCaptioner(Captioner):
    """Sends a few small frames of an event and reads back who does what, in checked JSON.

    Args:
        model: one that takes pictures. Where it takes fewer than wanted, they share sheets.
    """

    def __init__(self, model: ChatModel) -> None:
        self.model = model
        self._decoding = threading.Lock()  # looks wait side by side, but one at a time decodes

    @property
    def at_once(self) -> int:
        return self.model.at_once

    @property
    def name(self) -> str:
        versions = f"{load('describe').version[:6]}-{load('ask').version[:6]}"
        return f"{self.model.name}/words-{versions}-{LONGEST_PX}px"

    @property
    def attributes(self) -> Mapping[str, str]:
        """Nothing is measured."""
        return {}

    def learn(
        self,
        scene: str,
        clips: Sequence[Clip],
        *,
        base: SceneProfile | None = None,
        progress: Progress | None = None,
    ) -> SceneProfile:
        """Only which picture the scene has: words have no statistics. Raises UserError."""
        if not clips:
            raise UserError(
                f"no normal clips to learn the scene {scene} from", remedy="give at least one"
            )
        infos = [clip.source.info for clip in clips]
        first = infos[0]
        for info in infos[1:]:
            if (info.width, info.height) != (first.width, first.height):
                raise UserError(
                    f"{info.name} is {info.width}×{info.height}, {first.name} "
                    f"{first.width}×{first.height}: not one camera",
                    remedy="give clips of one viewpoint",
                )
        spans = [clip.interval or clip.source.info.interval for clip in clips]
        return SceneProfile(
            scene=scene,
            captioner=self.name,
            width=first.width,
            height=first.height,
            clips=tuple(info.id for info in infos),
            seconds=sum(span.seconds for span in spans),
            version=content_id("words", self.name, scene, [i.id for i in infos], spans),
        )

    def describe(
        self,
        source: FrameSource,
        interval: Interval,
        *,
        profile: SceneProfile | None,
        detail: Detail = "fine",
        progress: Progress | None = None,
    ) -> Description:
        """Raises MediaError, BackendError, BudgetSpent."""
        info = source.info
        trouble = _trouble(info, profile)
        if trouble:
            return Description(caption=self._caption(info, interval, trouble), problems=(trouble,))
        with self._decoding:
            frames = _spread(source, interval, FRAMES[detail])
        if progress is not None:
            progress("looking", 0, len(frames))
        prompt = load("describe")
        message = with_pictures(prompt, self._pictures(frames, None), times=_times(frames, info))
        told = ask_json(
            self.model, (message,), prompt.output, max_tokens=DESCRIBE_TOKENS, purpose="look"
        )
        found = tuple(self._observations(info, interval, frames, told.value["things"]))
        caption = self._caption(info, interval, told.value["summary"].strip(), found)
        return Description(caption=caption, observations=found, frames_seen=len(frames))

    def ask(
        self,
        source: FrameSource,
        interval: Interval,
        question: Question,
        *,
        profile: SceneProfile | None,
    ) -> Answer:
        """Only the question is shown to the model. Raises MediaError, BackendError, BudgetSpent."""
        with self._decoding:
            frames = _spread(source, interval, FRAMES["coarse"], full=question.box is not None)
        prompt = load("ask")
        message = with_pictures(
            prompt,
            self._pictures(frames, question),
            times=_times(frames, source.info),
            question=question.text,
        )
        told = ask_json(self.model, (message,), prompt.output, max_tokens=ASK_TOKENS, purpose="ask")
        text = told.value["answer"].strip()
        visible = told.value["visible"] and bool(text)
        return Answer(
            id=content_id("answer", self.name, source.info.id, interval, question),
            question=question,
            text=text if visible else f"cannot be told from the frames: {text or 'nothing said'}",
            value=text if visible else None,
            frames=tuple(f.index for f in frames),
        )

    # ---------------------------------------------------------------- pieces

    def _pictures(self, frames: Sequence[Frame], question: Question | None) -> tuple[Picture, ...]:
        from tools.backends.pictures import cropped, encode, sheet

        most = self.model.capabilities.images
        if most < 1:
            raise BackendError(
                f"{self.model.name} takes no pictures",
                remedy="name a vision-language model as captioner",
                fault="incapable",
            )
        box = question.box if question is not None else None
        images = [f.image if box is None else cropped(f.image, box) for f in frames]
        if most >= len(images):
            return tuple(Picture(encode(image, LONGEST_PX)) for image in images)
        return (Picture(encode(sheet(images), 2 * LONGEST_PX)),)

    def _observations(
        self,
        info: VideoInfo,
        interval: Interval,
        frames: Sequence[Frame],
        told: Sequence[Mapping[str, str | int]],
    ) -> Iterator[Observation]:
        for number, thing in enumerate(told):
            subject, activity, where = (
                " ".join(str(thing[key]).split()) for key in ("subject", "activity", "where")
            )
            text = f"{subject} {activity}" + (f", {where}" if where else "")
            shown = frames[min(int(thing["frame"]), len(frames)) - 1]
            yield Observation(
                id=content_id("obs", self.name, info.id, interval, number, text),
                video_id=info.id,
                interval=interval,
                subject=subject.casefold(),
                activity=activity.casefold(),
                text=text[:1].upper() + text[1:],
                key_frame=shown.index,
            )

    def _caption(
        self,
        info: VideoInfo,
        interval: Interval,
        text: str,
        found: Sequence[Observation] = (),
    ) -> Caption:
        words = text or "; ".join(o.text for o in found) or "Nothing was named."
        return Caption(
            id=content_id("caption", self.name, info.id, interval, words),
            video_id=info.id,
            interval=interval,
            text=words,
            clauses=tuple(Clause(text=o.text, observations=(o.id,)) for o in found),
            captioner=self.name,
        )


def _trouble(info: VideoInfo, profile: SceneProfile | None) -> str:
    """Why a video cannot be of a scene; empty where nothing speaks against it."""
    if profile is None or (info.width, info.height) == (profile.width, profile.height):
        return ""
    return (
        f"the picture is {info.width}×{info.height}, but the scene was learned at "
        f"{profile.width}×{profile.height}: another camera or setting"
    )


def _spread(
    source: FrameSource, interval: Interval, count: int, *, full: bool = False
) -> list[Frame]:
    """Up to ``count`` frames spread over an interval, in order, small unless ``full``."""
    from tools.backends.pictures import fitted

    info = source.info
    size = None if full else fitted(info.width, info.height, LONGEST_PX)
    inside = max(1, round(info.frames * (interval.end - interval.start) / info.duration))
    step = max(1, inside // (2 * count))
    wanted = size or (info.width, info.height)
    frames = list(sparse_frames(source, interval, step, wanted, count))
    if not frames:  # shorter than one step
        frames = list(source.frames(interval, size=size))
    if len(frames) <= count:
        return frames
    return [frames[(2 * n + 1) * len(frames) // (2 * count)] for n in range(count)]


def _times(frames: Sequence[Frame], info: VideoInfo) -> str:
    return ", ".join(clock(float(f.pts * info.time_base.fraction)) for f in frames)
