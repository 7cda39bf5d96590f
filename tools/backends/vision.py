"""BoundaryDetector from the image features of a vision model, by transformers and torch.

Any ``AutoModel`` will do that gives image features: DINOv2, SigLIP, CLIP, ViT … Samples are taken
in batches; how unlike the stretches before and after a sample are is the response of a
checkerboard on their self-similarity (after Foote, "Automatic audio segmentation using a measure of
audio novelty", 2000), which for features of unit length is half the squared distance of the two
means, so that no matrix of all pairs is needed.
"""

from __future__ import annotations

import math
from array import array
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.cuts import CutFinder
from tools.backends.embedded.planes import Planes, frames_of
from tools.backends.embedded.signals import with_cuts
from tools.errors import UserError
from tools.ports import BoundarySignal, FrameSource, Progress

if TYPE_CHECKING:
    import torch

__all__ = ["VisionBoundaryDetector"]

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

SCALES_S = (0.5, 1.0, 2.0)
BLOCK = 64
HALF = 4.0
"""Robust deviations at which confidence is one half."""
FLOORS = np.array([0.01, 0.03])
"""Smallest spread of a distance of unit features that is believed: of the whole, of places."""
PLACES = 6
"""Places across and down that a picture is divided into, where the model tells them apart."""
TOP = 3
"""Places that differ most, which may speak for all."""
STILL = 0.02
"""Distance of consecutive samples that counts as nothing going on."""
CUT_RATE = 30.0
REMEMBERED = 3000
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class VisionBoundaryDetector:
    """Boundary confidence from a vision model's features; cuts and fades by PySceneDetect.

    Args:
        model: a folder, or a name on the hub (downloaded there by transformers).
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` …
        samples_per_s: samples a second, at most.
        batch: images that the model sees at once.
        causal: what is usual is judged from earlier samples alone.

    Raises:
        UserError: no such model, one without image features, or no such device.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str = "auto",
        samples_per_s: float = 5.0,
        batch: int = 32,
        causal: bool = False,
    ) -> None:
        import torch

        self._model_name, self._rate, self._batch = model, samples_per_s, batch
        self._causal = causal
        chosen = device
        if device == "auto":
            chosen = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._device = torch.device(chosen)
            self._model = _loaded(model).to(self._device).eval()
        except (RuntimeError, AssertionError) as error:
            raise UserError(
                f"the model cannot run on {chosen}: {str(error).splitlines()[0]}",
                remedy="set detector_device = cpu",
            ) from None
        self._side, self._mean, self._std = _preparation(model, self._model.config)
        self._features = partial(_features, self._model)
        try:
            self._seen([np.zeros((self._side, self._side, 3), np.uint8)])
        except (TypeError, ValueError) as error:  # a model of texts, of sounds …
            raise UserError(
                f"{model}: {type(self._model).__name__} takes no images: {error}",
                remedy="set detector_model to a vision model such as DINOv2 or SigLIP",
            ) from None

    @property
    def name(self) -> str:
        kind = type(self._model).__name__
        parts = f"{self._model_name}, {kind}, {self._side} px, {self._rate:g}/s"
        return f"transformers/1 ({parts}{', causal' if self._causal else ''})"

    def signal(self, source: FrameSource, progress: Progress | None = None) -> BoundarySignal:
        """Decode once; the model sees every sampled frame. Raises MediaError, UserError."""
        info = source.info
        dense = max(1, math.floor(info.fps / CUT_RATE))
        every = max(1, math.ceil(info.fps / self._rate / dense - 1e-6))
        rate = info.fps / dense / every
        cuts, novelty = CutFinder(info.fps / dense), _Novelty(rate)
        fed, frames, pts = array("q"), array("q"), array("q")
        waiting: list[Image] = []
        total = (len(source.pts) - 1) // dense + 1
        for done, planes in enumerate(frames_of(source, dense), start=1):
            cuts.feed(planes)
            fed.append(planes.pts)
            if (done - 1) % every == 0:
                frames.append(planes.index)
                pts.append(planes.pts)
                waiting.append(self._prepared(planes))
                if len(waiting) == self._batch:
                    novelty.add(self._seen(waiting))
                    waiting = []
            if progress is not None:
                progress("finding events", done, total)
        if waiting:
            novelty.add(self._seen(waiting))
        found = [i for i in cuts.found() if 0 < i < len(fed)]
        at_cuts = [cuts.frames[i] for i in found]
        confidence, lively = novelty.end(self._causal)
        return with_cuts(
            BoundarySignal(
                info.id,
                np.array(frames, dtype=np.int64),
                np.array(pts, dtype=np.int64),
                confidence,
                lively,
                self.name,
            ),
            np.array(at_cuts, dtype=np.int64),
            np.array([fed[i] for i in found], dtype=np.int64),
        )

    def _prepared(self, planes: Planes) -> Image:
        """The whole frame at the model's size, as RGB."""
        shortest = min(planes.luma.shape)
        image = planes.small_image(max(1, shortest // (2 * self._side)))
        small = cv2.resize(image, (self._side, self._side), interpolation=cv2.INTER_AREA)
        if planes.turn is not None:
            small = cv2.rotate(small, planes.turn)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def _seen(self, images: list[Image]) -> torch.Tensor:
        """Unit features of a batch, of the whole and of places: ``(n, 1 + places, d)``, on CPU."""
        import torch

        stack = torch.from_numpy(np.stack(images)).to(self._device)
        pixels = stack.permute(0, 3, 1, 2).float() / 255
        mean = torch.tensor(self._mean, device=self._device).view(1, 3, 1, 1)
        std = torch.tensor(self._std, device=self._device).view(1, 3, 1, 1)
        with torch.inference_mode():
            features = self._features((pixels - mean) / std).float()
        return torch.nn.functional.normalize(features, dim=2).cpu()


class _Novelty:
    """Checkerboard novelty of features as they come; keeps those of some seconds only."""

    def __init__(self, rate: float) -> None:
        self._widths = [max(1, round(s * rate)) for s in SCALES_S]
        self._recent: torch.Tensor | None = None
        self._base = 0
        """Sample of the first feature that is kept."""
        self._count = 0
        self._done = 0
        self._made: list[NDArray[np.float32]] = []
        self._steps = array("f")
        self._edge = max(1, self._widths[0] // 2)

    def add(self, features: torch.Tensor) -> None:
        """The next features, of unit length, shape ``(n, 1 + places, d)``."""
        import torch

        joined = features if self._recent is None else torch.cat([self._recent, features])
        begin = 0 if self._recent is None else len(self._recent) - 1
        steps = _apart(joined[begin + 1 :] - joined[begin:-1]).amax(dim=1).tolist()
        self._steps.extend(([steps[0] if steps else 0.0] if self._recent is None else []) + steps)
        self._recent, self._count = joined, self._count + len(features)
        reach = max(self._widths)
        if self._count - reach - self._done >= BLOCK:
            self._block(self._count - reach)

    def end(self, causal: bool) -> tuple[Array, Array]:
        """Confidence and liveliness of every sample."""
        if self._count > self._done:
            self._block(self._count)
        if not self._made:
            return np.zeros(0), np.zeros(0)
        made = np.concatenate(self._made)
        if causal:
            blocks = range(0, len(made), BLOCK)
            parts = [
                _unusual(made[b : b + BLOCK], made[max(0, b - REMEMBERED) : b]) for b in blocks
            ]
            deviation = np.concatenate(parts)
        else:
            deviation = _unusual(made, made)
        surprise = deviation.max(axis=(1, 2)).astype(np.float64)
        surprise[: self._edge] = surprise[len(surprise) - self._edge :] = 0.0
        if len(made) < 3:
            surprise[:] = 0.0
        steps = np.array(self._steps, dtype=np.float64)
        usual = max(float(np.median(steps)), STILL)
        return surprise / (surprise + HALF), steps / usual

    def _block(self, end: int) -> None:
        import torch

        assert self._recent is not None
        sums = torch.cat(
            [torch.zeros_like(self._recent[:1]).double(), self._recent.double().cumsum(0)]
        )
        at = torch.arange(self._done, end) - self._base
        last = len(self._recent)
        out = np.zeros((len(at), len(self._widths), len(FLOORS)), np.float32)
        for k, width in enumerate(self._widths):
            low, high = (at - width).clamp(min=0), (at + width).clamp(max=last)
            size_before, size_after = (at - low).clamp(min=1), (high - at).clamp(min=1)
            before = (sums[at] - sums[low]) / size_before[:, None, None]
            after = (sums[high] - sums[at]) / size_after[:, None, None]
            weight = (torch.minimum(at - low, high - at) / width).sqrt()
            out[:, k] = (weight[:, None] * _apart(after - before)).numpy()
        self._made.append(out)
        self._done = end
        keep = max(0, end - max(self._widths) - self._base)
        self._recent = self._recent[keep:]
        self._base += keep


def _loaded(model: str) -> Any:
    from transformers import AutoModel

    try:
        return AutoModel.from_pretrained(model)
    except (OSError, ValueError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "")
        raise UserError(
            f"{model}: no vision model can be loaded from there: {reason.strip()}",
            remedy="set detector_model to a folder with config.json and weights",
        ) from None


def _preparation(model: str, config: Any) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """Side in pixels, mean and spread of the channels that a model was trained with."""
    from transformers import ImageProcessingMixin

    vision = getattr(config, "vision_config", config)
    try:
        told, _ = ImageProcessingMixin.get_image_processor_dict(model)
    except OSError:  # none was saved with it
        told = {}
    side = getattr(vision, "image_size", None) or 224
    side = side if isinstance(side, int) else int(side[0])
    size = told.get("crop_size") or told.get("size")
    if isinstance(size, dict):
        side = int(size.get("height") or size.get("shortest_edge") or side)
    mean, std = told.get("image_mean") or _MEAN, told.get("image_std") or _STD
    return side, tuple(float(m) for m in mean), tuple(float(s) for s in std)


def _unusual(values: NDArray[np.float32], usual: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values in spreads above what is usual, not below 0.

    Half of a video may be lively: its quieter part, the tenth to the fortieth percentile, tells
    middle and spread as of a normal distribution.
    """
    if not len(usual):
        return np.asarray(values / FLOORS, dtype=np.float32)
    low, high = np.percentile(usual, [10, 40], axis=0)
    spread = (high - low) / 1.03
    deviation = (values - (high + 0.25 * spread)) / np.maximum(spread, FLOORS)
    return np.asarray(np.maximum(0.0, deviation), dtype=np.float32)


def _apart(difference: torch.Tensor) -> torch.Tensor:
    """Length of differences of the whole and of the places that differ most, shape ``(n, 2)``."""
    import torch

    length = difference.norm(dim=2)
    if length.shape[1] == 1:
        return torch.stack([length[:, 0], torch.zeros_like(length[:, 0])], dim=1)
    top = length[:, 1:].topk(min(TOP, length.shape[1] - 1), dim=1).values.mean(dim=1)
    return torch.stack([length[:, 0], top], dim=1)


def _features(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Features of whole images and of places in them, shape ``(n, 1 + places, d)``.

    The whole is the model's pooled output, or the mean of all there is; places are means over a
    grid of its patches, left out where it tells no patches apart.
    """
    import torch

    seeing = getattr(model, "vision_model", model)
    if hasattr(model, "get_image_features") and seeing is model:
        made = model.get_image_features(pixel_values=pixels)
    else:
        made = seeing(pixel_values=pixels)
    if isinstance(made, torch.Tensor):
        return made[:, None]
    patches, pooled = getattr(made, "last_hidden_state", None), getattr(made, "pooler_output", None)
    if patches is None and pooled is None:
        raise UserError(
            f"{type(model).__name__} gives no image features",
            remedy="set detector_model to a vision model such as DINOv2 or SigLIP",
        )
    places = None if patches is None else _grid(patches)
    if patches is not None and pooled is None:
        pooled = patches.mean(dim=(2, 3)) if patches.ndim == 4 else patches.mean(dim=1)
    whole = cast("torch.Tensor", pooled).flatten(1)[:, None]
    if places is None or places.shape[2] != whole.shape[2]:
        return whole
    return torch.cat([whole, places], dim=1)


def _grid(patches: torch.Tensor) -> torch.Tensor | None:
    """Means over a grid of places, shape ``(n, places, d)``; None where patches form no square."""
    import torch

    if patches.ndim == 3:
        side = math.isqrt(patches.shape[1])
        # Tokens that stand for no patch (class, registers) come first.
        spare = patches.shape[1] - side * side
        if side < 2 or spare > 8:
            return None
        patches = patches[:, spare:].transpose(1, 2).reshape(len(patches), -1, side, side)
    count = min(PLACES, *patches.shape[2:])
    return torch.nn.functional.adaptive_avg_pool2d(patches, count).flatten(2).transpose(1, 2)
