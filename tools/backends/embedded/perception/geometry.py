"""What a viewpoint looks like: its background, its noise, how tall a person is at each row."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Geometry"]


@dataclass(frozen=True, eq=False)
class Geometry:
    """A viewpoint, in pixels of the analysis image (``size``), learned once and then kept.

    ``background`` is ``uint8 (h, w, 3)``, ``threshold`` ``uint8 (h, w)`` grey levels above which a
    pixel counts as foreground. The height of a person whose feet stand on row ``y`` is
    ``offset + slope * y`` (a pinhole camera over a plane: height is linear in the foot's row).
    """

    full: tuple[int, int]
    size: tuple[int, int]
    background: NDArray[np.uint8]
    threshold: NDArray[np.uint8]
    offset: float
    slope: float
    walk: float
    """Usual walking speed in heights per second: measured, or the prior."""
    people: bool
    """Whether the perspective was measured on people; otherwise it is a prior."""
    support: int = 0
    """Silhouettes the perspective rests on."""
    key: str = field(default="", compare=False)
    """Content hash, part of every cache key."""

    def __post_init__(self) -> None:
        digest = hashlib.sha256(self.background.tobytes() + self.threshold.tobytes())
        digest.update(repr((self.full, self.size, self.numbers())).encode())
        object.__setattr__(self, "key", digest.hexdigest()[:16])

    def numbers(self) -> tuple[float, float, float, bool, int]:
        return (
            round(self.offset, 4),
            round(self.slope, 5),
            round(self.walk, 4),
            self.people,
            self.support,
        )

    @property
    def scale(self) -> tuple[float, float]:
        """Full-size pixels per analysis pixel, (x, y)."""
        return self.full[0] / self.size[0], self.full[1] / self.size[1]

    def height(self, row: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Expected height of a person with feet on ``row``, analysis pixels; at least 4."""
        return np.maximum(self.offset + self.slope * np.asarray(row, np.float64), 4.0)

    def to_store(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and JSON-able meta of this geometry, for a scene profile."""
        meta = {
            "full": list(self.full),
            "size": list(self.size),
            "offset": self.offset,
            "slope": self.slope,
            "walk": self.walk,
            "people": self.people,
            "support": self.support,
        }
        return {"background": self.background, "threshold": self.threshold}, meta

    @classmethod
    def from_store(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Geometry:
        full, size = meta["full"], meta["size"]
        return cls(
            full=(int(full[0]), int(full[1])),
            size=(int(size[0]), int(size[1])),
            background=np.asarray(arrays["background"], np.uint8),
            threshold=np.asarray(arrays["threshold"], np.uint8),
            offset=float(meta["offset"]),
            slope=float(meta["slope"]),
            walk=float(meta["walk"]),
            people=bool(meta["people"]),
            support=int(meta["support"]),
        )
