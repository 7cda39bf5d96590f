"""What names of media look like, and the order of numbered ones."""

from __future__ import annotations

import re

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "natural_key"]

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .ts .m2ts .mts .mpg .mpeg .flv .wmv .asf .3gp .ogv .gif "
    ".dav .h264 .264 .h265 .265 .hevc .mjpeg .mjpg".split()
)
"""Suffixes taken for videos when a folder is searched; a file named outright may have any."""

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})
"""Suffixes of the frames in a folder of numbered images."""


def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key that orders ``img2`` before ``img10``."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(p)) if p.isdecimal() else (1, p.casefold()) for p in parts if p)
