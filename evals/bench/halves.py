"""Normal footage against itself: rules from the first half of a video, a question about the second.

Both halves are decoded and encoded again (H.264, CRF 12), since a copy of packets can be cut at key
frames only. Nothing is known of the second half that the first does not show, and footage that is
normal throughout should raise no alarm; what cannot be judged must say so.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av

from tools.decision import Decision
from tools.errors import MediaError, UserError, VidocqError
from tools.types import Frozen

__all__ = ["QUESTION", "Half", "halved", "halves", "table"]

QUESTION = "Did anything out of the ordinary happen?"
_CRF = "12"
_REASON = 96
"""Letters of a reason that a line of the table holds."""


class Half(Frozen):
    """What a second half was called by rules of the first."""

    video: str
    seconds: float
    """Length of the second half."""
    label: str
    """The decision's label; *refused* where no scene could be made of the first half."""
    score: float | None
    """Greatest score of an event, 0.5 at the alarm threshold; None where none was judged."""
    reason: str
    """What the answer rests on: its summary, the reason of *uncertain*, or the error."""
    events: tuple[str, ...] = ()
    """Sentences of the events over the threshold."""


def halves(
    folder: Path, *, keep: Path | None = None, tell: Callable[[str], None] = lambda _: None
) -> list[Half]:
    """Every video of a folder, its second half judged by rules of its first.

    Args:
        folder: files ending in mp4, mkv or avi, by name; or one such file.
        keep: folder for the halves, archives and traces; without it they are deleted.
        tell: is given the name of each video before it is worked on.

    Raises:
        UserError: no video there. MediaError: a video cannot be read.
    """
    paths = [folder] if folder.is_file() else sorted(
        p for p in folder.glob("*") if p.suffix.lower() in {".mp4", ".mkv", ".avi"}
    )  # fmt: skip
    if not paths:
        raise UserError(f"no videos in {folder}", remedy="name a folder with mp4, mkv or avi files")
    work = Path(tempfile.mkdtemp(prefix="vidocq-halves-")) if keep is None else keep
    try:
        found = []
        for path in paths:
            tell(path.name)
            found.append(_judged(path, work / path.stem))
        return found
    finally:
        if keep is None:
            shutil.rmtree(work)


def _judged(path: Path, work: Path) -> Half:
    from agent import build_agent, induce_scene

    work.mkdir(parents=True, exist_ok=True)
    first, second, seconds = halved(path, work)
    home = work / "home"
    try:
        induce_scene([str(first)], scene="half", home=home)
    except VidocqError as error:
        return Half(
            video=path.name, seconds=seconds, label="refused", score=None, reason=str(error)
        )
    agent = build_agent(home=home)
    try:
        asked = {"query": QUESTION, "videos": [str(second)], "scene": "half"}
        decision: Decision = agent.invoke(asked)["decision"]
    finally:
        agent.close()
    scored = [e for e in decision.events if e.score is not None]
    top = max(scored, key=lambda e: e.score or 0.0, default=None)
    score = decision.score if top is None else top.score
    faults = "; ".join(dict.fromkeys(h.text for h in decision.health))
    return Half(
        video=path.name,
        seconds=seconds,
        label=decision.label,
        score=score,
        reason=decision.reason or faults or ("" if top is None else top.summary),
        events=tuple(e.summary for e in scored if e.label == "anomalous"),
    )


def halved(path: Path, folder: Path) -> tuple[Path, Path, float]:
    """Write both halves of a video, by frame count; returns them and the second's seconds.

    Frames keep their times, the second half's counted from its first frame; a rotation flag is not
    carried over, and odd sizes lose a row or a column.

    Raises:
        MediaError: fewer than two frames can be decoded, or the file cannot be read.
    """
    try:
        with av.open(str(path)) as source:
            count = sum(1 for _ in source.decode(video=0))
        if count < 2:
            raise MediaError(str(path), f"holds {count} frames, which cannot be halved")
        names = folder / "first.mp4", folder / "second.mp4"
        with av.open(str(path)) as source:
            stream = source.streams.video[0]
            rate = stream.average_rate or Fraction(25)
            base = stream.time_base or 1 / rate
            frames = source.decode(stream)
            lengths = [
                _encode(name, frames, number, rate, base)
                for name, number in zip(names, (count // 2, count - count // 2), strict=True)
            ]
    except av.FFmpegError as error:
        raise MediaError(str(path), f"cannot be halved: {error}") from error
    return names[0], names[1], lengths[1]


def _encode(
    path: Path, frames: Iterator[av.VideoFrame], number: int, rate: Fraction, base: Fraction
) -> float:
    """Write the next ``number`` frames; returns their seconds."""
    with av.open(str(path), "w") as target:
        stream: av.VideoStream | None = None
        origin = last = 0
        for i, frame in enumerate(islice(frames, number)):
            if stream is None:
                stream = target.add_stream("libx264", rate=rate)
                stream.width, stream.height = frame.width & ~1, frame.height & ~1
                stream.pix_fmt, stream.time_base = "yuv420p", base
                stream.options = {"preset": "veryfast", "crf": _CRF, "threads": "1"}
                origin = frame.pts if frame.pts is not None else 0
            at = frame.pts - origin if frame.pts is not None else round(i / rate / base)
            picture = frame.reformat(stream.width, stream.height, "yuv420p")
            picture.pts, picture.time_base, picture.pict_type = at, base, 0
            last = at
            target.mux(stream.encode(picture))
        if stream is not None:
            target.mux(stream.encode(None))
    return float(last * base + 1 / rate)


def table(found: Sequence[Half]) -> str:
    """A row a video: second half's seconds, label, top score, reason; then how many alarmed."""
    lines = [f"{'video':<36} {'s':>6}  {'label':<10} {'score':>5}  reason"]
    for half in found:
        score = "–" if half.score is None else f"{half.score:.2f}"
        reason = half.reason if len(half.reason) <= _REASON else half.reason[: _REASON - 1] + "…"
        lines.append(f"{half.video:<36} {half.seconds:6.1f}  {half.label:<10} {score:>5}  {reason}")
        lines += [f"{'':<36} {'':>6}  over the threshold: {event}" for event in half.events]
    count = {label: sum(h.label == label for h in found) for label in ("anomalous", "uncertain")}
    lines.append(
        f"{len(found)} videos: {count['anomalous']} alarmed, {count['uncertain']} uncertain"
    )
    return "\n".join(lines)
