"""Geometry and statistics as a scene profile, and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.attributes import ATTRIBUTES
from tools.backends.embedded.perception.calibration import (
    FALSE_ALARMS,
    LEAST_MOMENTS,
    FrameLimit,
)
from tools.backends.embedded.perception.describing import attribute
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.places import PLACE_CLIPS
from tools.backends.embedded.perception.statistics import Normal
from tools.backends.embedded.perception.ways import LEAST_TRACKS, WAY_CLIPS
from tools.ports import Clip, SceneProfile

__all__ = ["geometry_of", "make_profile"]


def geometry_of(profile: SceneProfile) -> Geometry:
    """The geometry a profile holds."""
    return Geometry.from_store(profile.arrays, profile.meta["geometry"])


def make_profile(
    scene: str,
    captioner: str,
    geometry: Geometry,
    normal: Normal,
    clips: Sequence[Clip],
    seconds: float,
    limits: Mapping[str, FrameLimit] | None = None,
) -> SceneProfile:
    """A profile of arrays and JSON-able meta, named by its content.

    ``limits``: how frames were calibrated, so that what was extrapolated is said.
    """
    arrays, geometry_meta = geometry.to_store()
    more, normal_meta = normal.to_store()
    arrays = {**arrays, **more}
    notes: list[str] = []
    if normal.place is None:
        notes.append(f"place is not judged: it needs {PLACE_CLIPS} normal clips or more")
    if normal.ways is None:
        notes.append(
            f"which way things go at each place is not judged: it needs {WAY_CLIPS} normal clips "
            f"or more with {LEAST_TRACKS} things that move"
        )
    stays = normal.objects.get("dwell")
    if stays is not None and stays.prior:
        notes.append(
            "how long people usually stay is not known: it needs normal clips twice as long as that"
        )
    if not geometry.people:
        notes.append("no people were measured: sizes rest on a general perspective")
    motion = (limits or {}).get("motion")
    if motion is not None and motion.extrapolated:
        notes.append(
            f"the frame threshold of {FALSE_ALARMS:.0%} false alarms is extrapolated: the clips "
            f"show about {motion.moments} different moments, {1 / FALSE_ALARMS:.0f} are needed"
        )
    if limits is not None and "other" not in limits:
        notes.append(
            "frames are judged by motion alone: for other attributes there are fewer than "
            f"{LEAST_MOMENTS} different moments of normal footage"
        )
    if limits is not None and motion is None:
        notes.append("frames are not calibrated: there is too little footage to hold any out")
    meta: dict[str, Any] = {"geometry": geometry_meta, "normal": normal_meta, "notes": notes}
    summary = {
        name: attribute(name, d.usual, d)
        for name, d in normal.objects.items()
        if name in ATTRIBUTES and not d.prior
    }
    names = tuple(c.source.info.id for c in clips)
    return SceneProfile(
        scene=scene,
        captioner=captioner,
        width=geometry.full[0],
        height=geometry.full[1],
        clips=names,
        seconds=round(seconds, 3),
        summary=summary,
        arrays=arrays,
        meta=meta,
        version=_version(scene, captioner, arrays, meta),
    )


def _version(
    scene: str, captioner: str, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]
) -> str:
    digest = hashlib.sha256(json.dumps([scene, captioner, meta], sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()[:16]
