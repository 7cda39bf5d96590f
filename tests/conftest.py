"""What every test shares: no network, the real clips where present, and small clips made here."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")

# Reading stops at the checkout: no telemetry, no hub, no tracing, whatever the machine has set.
for name, value in {
    "LANGSMITH_TRACING": "false",
    "LANGGRAPH_STRICT_MSGPACK": "true",
    "ANONYMIZED_TELEMETRY": "False",
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "Agg",
}.items():
    os.environ[name] = value
# Nor do the settings of whoever runs the tests reach them.
for name in [n for n in os.environ if n.startswith("VIDOCQ_") and n != "VIDOCQ_DATA"]:
    del os.environ[name]


class NetworkBlocked(AssertionError):
    """A test tried to leave the machine."""


def _local(address: Any) -> bool:
    """Loopback and UNIX sockets; anything else is outside."""
    if isinstance(address, (str, bytes)):
        return True
    return isinstance(address, tuple) and str(address[0]).startswith(LOOPBACK)


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse every connection and name look-up that is not loopback."""
    patch = pytest.MonkeyPatch()

    def guarded(method: str) -> None:
        original = getattr(socket.socket, method)

        def call(self: socket.socket, *args: Any) -> Any:
            # sendto's address is its last argument; the others' the only one.
            if self.family != socket.AF_UNIX and not _local(args[-1]):
                raise NetworkBlocked(f"{method} to {args[-1]!r}: tests use loopback only")
            return original(self, *args)

        patch.setattr(socket.socket, method, call)

    for method in ("connect", "connect_ex", "sendto"):
        guarded(method)
    lookup = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        if text is not None and not str(text).startswith(LOOPBACK):
            raise NetworkBlocked(f"look-up of {text!r}: tests use loopback only")
        return lookup(host, *args, **kwargs)

    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The real clips: ``VIDOCQ_DATA``, by default ``../shared/data`` beside the checkout."""
    path = Path(os.environ.get("VIDOCQ_DATA") or ROOT.parent / "shared" / "data")
    if not (path / "ucsd_ped2" / "labels.json").is_file():
        pytest.skip(f"no real clips at {path}: set VIDOCQ_DATA to the folder that holds ucsd_ped2/")
    return path


class WriteClip(Protocol):
    """Write BGR images to ``path`` as a video; gives the path."""

    def __call__(
        self,
        path: Path,
        images: Iterable[NDArray[np.uint8]],
        *,
        fps: float = 10.0,
        pts: Sequence[int] | None = None,
        codec: str = "libx264",
        gop: int = 12,
        b_frames: int = 2,
        options: dict[str, str] | None = None,
    ) -> Path: ...


def _write_clip(
    path: Path,
    images: Iterable[NDArray[np.uint8]],
    *,
    fps: float = 10.0,
    pts: Sequence[int] | None = None,
    codec: str = "libx264",
    gop: int = 12,
    b_frames: int = 2,
    options: dict[str, str] | None = None,
) -> Path:
    """``pts``: milliseconds of every frame, for a variable rate; else steady at ``fps``."""
    rate = Fraction(fps).limit_denominator(1001)
    base = 1 / rate if pts is None else Fraction(1, 1000)
    with av.open(str(path), "w") as container:
        stream = None
        for index, image in enumerate(images):
            if stream is None:
                # A rate of 1000 keeps the milliseconds of a variable-rate clip apart.
                stream = container.add_stream(codec, rate=rate if pts is None else 1000)
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
                stream.gop_size = gop
                stream.codec_context.max_b_frames = b_frames
                stream.codec_context.time_base = base
                stream.codec_context.thread_count = 1
                stream.options = {"bf": str(b_frames)} | (options or {})
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
            frame.pts = index if pts is None else pts[index]
            frame.time_base = base
            container.mux(stream.encode(frame))
        assert stream is not None, "no images"
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def write_clip() -> WriteClip:
    """A writer of small clips; see :class:`WriteClip`."""
    return _write_clip


CELL = 16
"""Side of the squares that spell a frame's number."""


def numbered_image(index: int, width: int = 160, height: int = 96) -> NDArray[np.uint8]:
    """A picture that carries its number as eight black or white squares, and a moving block."""
    image = np.full((height, width, 3), 96, dtype=np.uint8)
    for bit in range(8):
        image[:CELL, bit * CELL : (bit + 1) * CELL] = 235 if index >> bit & 1 else 20
    x = 4 * index % (width - 12)
    cv2.rectangle(image, (x, 50), (x + 11, 80), (40, 200, 60), -1)
    return image


def read_number(image: NDArray[np.uint8]) -> int:
    """The number that :func:`numbered_image` wrote, from an upright image of any scale."""
    cell = image.shape[1] / 160 * CELL
    middle = [image[int(cell / 2), int((bit + 0.5) * cell)].mean() for bit in range(8)]
    return sum(1 << bit for bit, value in enumerate(middle) if value > 128)


@pytest.fixture(scope="session")
def numbers() -> Callable[[NDArray[np.uint8]], int]:
    """Reads the frame number out of an image of ``numbered_clip`` or ``numbered_folder``."""
    return read_number


@pytest.fixture(scope="session")
def numbered_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 numbered frames, 160×96 at 10 fps, H.264 with B-frames and a key frame every 12."""
    path = tmp_path_factory.mktemp("clips") / "numbered.mp4"
    return _write_clip(path, (numbered_image(i) for i in range(60)))


@pytest.fixture(scope="session")
def numbered_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same 60 frames as images ``f0.png`` … ``f59.png``, whose order must be natural."""
    folder = tmp_path_factory.mktemp("frames")
    for index in range(60):
        cv2.imwrite(str(folder / f"f{index}.png"), numbered_image(index))
    return folder
