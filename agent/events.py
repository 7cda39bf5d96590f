"""``vidocq events``: the event tree of a video, shown and exported."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from agent.console import out, progress, remark
from agent.files import write_whole
from agent.settings import load_settings
from tools import backends
from tools.boundaries import GAMMA, MIN_EVENT_S, build_tree
from tools.errors import StoreError, UserError
from tools.events.export import FORMATS, as_dict
from tools.events.keyframes import KeyFrame, key_frames
from tools.types import Event, EventTree, clock
from tools.video import open_video

if TYPE_CHECKING:
    from tools.ports import BoundarySignal

__all__ = ["Wanted", "events"]

GROUPED_FROM = 60
"""Coarse events from which on they are shown by stretches of time, the strongest of each."""
STRETCHES_S = (60, 300, 600, 1800, 3600, 7200)
GROUPS = 48
SHOWN = 3


@dataclass(frozen=True)
class Wanted:
    """What to show and to write."""

    as_json: bool = False
    plot: Path | None = None
    sheet: Path | None = None
    exports: tuple[Path, ...] = ()
    """Files whose suffix says the format."""
    keys: bool = True
    """Choose key frames, which takes a second pass."""
    reference: bool = False
    causal: bool = False
    every: bool = False
    """Show all events of a long video, not the strongest."""
    min_event_s: float | None = None
    fps: float | None = None


def events(video: str, wanted: Wanted) -> None:
    """Find the events of a video and show them. Raises UserError, MediaError, StoreError."""
    if wanted.reference and (wanted.causal or wanted.min_event_s is not None):
        raise UserError(
            "the reference tree has lengths of its own and is not made as a stream comes",
            remedy="leave out --reference, or --min-event and --causal",
        )
    writers = [(path, _format(path)) for path in wanted.exports]
    for picture in (wanted.plot, wanted.sheet):
        if picture is not None and picture.suffix.lower() != ".png":
            raise UserError(f"{picture}: pictures are written as PNG", remedy="name it .png")
    for made in (wanted.plot, wanted.sheet, *wanted.exports):
        if made is not None:
            _room_for(made)
    settings = load_settings()
    if wanted.causal and settings.detector == "recorded":
        raise UserError(
            "--causal: a recorded signal is as it was recorded",
            remedy="record it with --causal, then leave it out here",
        )
    detector = backends.make(
        "detector",
        settings.detector,
        backends.DETECTORS,
        settings.home / "cache",
        **{**settings.detecting, "causal": wanted.causal},
    )
    with open_video(video, fps=wanted.fps) as source, progress("events") as report:
        info = source.info
        signal = detector.signal(source, report)
        tree = build_tree(
            signal,
            info,
            min_event_s=wanted.min_event_s or MIN_EVENT_S,
            reference=wanted.reference,
            causal=wanted.causal,
        )
        keys: Mapping[str, tuple[KeyFrame, ...]] = {}
        if wanted.keys:
            keys = key_frames(source, tree, signal, progress=report)
        if wanted.sheet is not None:
            from tools.events.pictures import key_frame_sheet

            key_frame_sheet(source, tree, keys, wanted.sheet)
        if wanted.plot is not None:
            from tools.events.pictures import signal_plot

            signal_plot(info, tree, signal, wanted.plot, gamma=GAMMA)
        for path, name in writers:
            write_whole(path, FORMATS[name](info, tree, signal, source.pts).encode())
    if wanted.as_json:
        out.print(
            json.dumps(as_dict(info, tree, signal, keys), ensure_ascii=False),
            markup=False,
            soft_wrap=True,
        )
    else:
        out.print(_shown(info.name, info.seconds, tree, signal, keys, every=wanted.every))
    for made in (wanted.plot, wanted.sheet, *wanted.exports):
        if made is not None:
            remark(f"wrote {made}")


def _format(path: Path) -> str:
    name = path.suffix.lower().removeprefix(".")
    if name not in FORMATS:
        known = ", ".join(f".{f}" for f in FORMATS)
        raise UserError(f"{path}: no export is known by that suffix", remedy=f"one of {known}")
    return name


def _room_for(path: Path) -> None:
    """Say before hours of work that a file cannot be written after them. Raises StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refused = "is a folder" if path.is_dir() else "its folder may not be written to"
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise OSError(refused)
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written: {error.strerror or error}", remedy="name another file"
        ) from error


# ---------------------------------------------------------------- the tree on the terminal


def _shown(
    name: str,
    seconds: float,
    tree: EventTree,
    signal: BoundarySignal,
    keys: Mapping[str, tuple[KeyFrame, ...]],
    *,
    every: bool,
) -> Tree:
    children: dict[str, list[Event]] = {}
    for event in tree.events:
        if event.parent is not None:
            children.setdefault(event.parent, []).append(event)
    root = Tree(Text(f"{name}", style="bold"), guide_style="dim")
    cuts = f", {_count(len(signal.cuts), 'cut or fade', 'cuts or fades')}" if signal.cuts else ""
    whole = f"{clock(seconds)} long: {_count(len(tree.coarse), 'event', 'events')}"
    root.add(
        Text(
            f"{whole}, {len(tree.leaves)} finest{cuts}",
            style="dim",
        )
    )
    coarse = list(enumerate(tree.coarse, 1))
    if every or len(coarse) <= GROUPED_FROM:
        for number, event in coarse:
            _branch(root, number, event, children.get(event.id, ()), keys)
        return root
    stretch = next((s for s in STRETCHES_S if seconds / s <= GROUPS), STRETCHES_S[-1])
    for first in range(0, int(seconds) + 1, stretch):
        inside = [(n, e) for n, e in coarse if first <= e.interval.start_s < first + stretch]
        if not inside:
            continue
        group = root.add(
            Text(f"{clock(first)}–{clock(min(first + stretch, seconds))}", style="bold")
            + Text(f"  {len(inside)} events; strongest:", style="not bold dim")
        )
        strongest = sorted(inside, key=lambda pair: (-pair[1].start_strength, pair[0]))[:SHOWN]
        for number, event in sorted(strongest, key=lambda pair: pair[0]):
            _branch(group, number, event, (), keys)
    root.add(Text("all of them: --all", style="dim"))
    return root


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _branch(
    root: Tree,
    number: int,
    event: Event,
    parts: Sequence[Event],
    keys: Mapping[str, tuple[KeyFrame, ...]],
) -> None:
    branch = root.add(Text(f"{number}  ", style="bold") + _line(event, keys))
    for part in parts:
        branch.add(_line(part, keys))


def _line(event: Event, keys: Mapping[str, tuple[KeyFrame, ...]]) -> Text:
    """Times, length, strength of the boundary it begins with (if there is one), key frames."""
    line = Text(str(event.interval))
    line.append(f"  {event.interval.seconds:.1f} s", style="dim")
    if event.interval.start == 0:
        begins = "start"
    elif event.start_strength < GAMMA:
        begins = "for its length alone"
    else:
        begins = f"boundary {event.start_strength:.2f}"
    line.append(f"  {begins}", style="dim")
    if keys.get(event.id):
        line.append(f"  frames {', '.join(str(k.index) for k in keys[event.id])}", style="cyan")
    return line
