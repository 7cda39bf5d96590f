"""Clips to measure on: rendered ones, and one of them looped into hours without encoding again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from evals.scenes import render

__all__ = ["looped", "rendered"]


def rendered(
    folder: Path,
    size: tuple[int, int],
    *,
    seconds: float,
    fps: int,
    normals: int = 1,
    noise: float = 2.0,
) -> tuple[Path, list[Path]]:
    """A clip with a cyclist and normal ones of the same scene, all of one size."""
    name = f"{size[0]}x{size[1]}-{fps}"
    clip = folder / f"cyclist-{name}.mp4"
    render(clip, kind="cyclist", seconds=seconds, size=size, fps=fps, seed=410, noise=noise)
    normal = [folder / f"normal{i}-{name}.mp4" for i in range(normals)]
    for i, path in enumerate(normal):
        render(path, seconds=seconds, size=size, fps=fps, seed=401 + i, noise=noise)
    return clip, normal


def looped(clip: Path, seconds: float, path: Path) -> Path:
    """The clip again and again until ``seconds`` are reached: its packets, with later times."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        packets = [(bytes(p), p.pts, p.dts, p.is_keyframe) for p in source.demux(stream) if p.size]
        base = stream.time_base or Fraction(1, 1000)
        tick = round(1 / ((stream.average_rate or Fraction(10)) * base))
        length = len(packets) * tick
        first = min(pts or 0 for _, pts, _, _ in packets)
        for turn in range(max(1, round(seconds / float(length * base)))):
            for data, pts, dts, key in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = copy, base, key
                packet.pts = (pts or 0) - first + turn * length
                packet.dts = (dts or 0) - first + turn * length
                packet.duration = tick
                target.mux(packet)
    return path
