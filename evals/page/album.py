"""Pictures on the page: the frames an event cites, inlined as long as the page stays small."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from evals.pictures import Picture, pictures_of
from evals.saved import Saved
from tools.types import clock

__all__ = ["Album"]

ROOM = 2_400_000
"""Characters of pictures on one page."""


class Album:
    """Hands out pictures in the order in which the page is drawn, until the room is used up."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self.shown = 0
        self.left_out = 0

    def of(self, saved: Saved) -> Mapping[str, str]:
        """Event id → its pictures as HTML, for the events of one answer."""
        by_event: dict[str, list[str]] = {}
        for picture in pictures_of(saved):
            uri = picture.uri
            if len(uri) > self._room:
                self.left_out += 1
                continue
            self._room -= len(uri)
            self.shown += 1
            by_event.setdefault(picture.event, []).append(_figure(picture, uri, saved))
        return {e: f'<div class="shots">{"".join(shots)}</div>' for e, shots in by_event.items()}

    def note(self) -> str:
        """What a reader should know about the pictures."""
        if self.left_out:
            return (
                f"Pictures: the frames each event cites, {self.shown} of "
                f"{self.shown + self.left_out}, so that the page stays small."
            )
        if self.shown:
            return "Open an event to see the frames it cites."
        return "No pictures: these results hold no frames (recorded, or run without its videos)."


def _figure(picture: Picture, uri: str, saved: Saved) -> str:
    name = escape(saved.sample.id)
    at = clock(picture.frame / saved.sample.fps)
    return (
        f'<figure><img loading="lazy" src="{uri}" alt="frame {picture.frame} of {name}">'
        f"<figcaption>frame {picture.frame} · {at}</figcaption></figure>"
    )
