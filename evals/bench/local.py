"""Speed of models of published sizes, with random weights, in this process.

How fast a model is does not depend on what its weights say, so they are drawn and nothing is
downloaded: looks (pictures and words in, a fixed number of tokens out) of a vision-language model
and one-token verdicts of a judge, over batch sizes. On a GPU the cache is static, which has
transformers compile the decoding; the pictures of a batch go through the vision tower together.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tools.errors import UserError

__all__ = ["EVENT_S", "SIZES", "Pace", "built", "paces"]

EVENT_S = 10.0
"""Length of an event by which looks a second become hours of video an hour: a stated assumption."""
PICTURES = 8
PATCHES = (18, 32)
"""Patches down and across of a picture of 448 × 252 pixels; four of them are one token."""
WORDS, LOOK_TOKENS, PROMPT = 300, 100, 700
"""Tokens of a look's words, tokens it writes, tokens of a verdict's prompt."""
VISION, VIDEO, BEGIN, END = 1, 2, 3, 4
"""Token ids of pictures; which ones does not matter here."""

_VISION_TOWER: dict[str, Any] = {"patch_size": 14, "spatial_merge_size": 2, "window_size": 112}
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": 512,
        "vision": {
            "depth": 2, "hidden_size": 64, "num_heads": 2, "intermediate_size": 128,
            "out_hidden_size": 64, "fullatt_block_indexes": [1],
        },
        "sections": [4, 6, 6],
    },
    "qwen2.5-vl-7b": {
        "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
        "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064,
        "vision": {
            "depth": 32, "hidden_size": 1280, "num_heads": 16, "intermediate_size": 3420,
            "out_hidden_size": 3584, "fullatt_block_indexes": [7, 15, 23, 31],
        },
        "sections": [16, 24, 24],
    },
    "qwen2.5-14b": {
        "hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 48,
        "num_attention_heads": 40, "num_key_value_heads": 8, "vocab_size": 152064,
    },
}  # fmt: skip
"""Published configurations by name; those with ``vision`` can look."""


@dataclass(frozen=True)
class Pace:
    """What one batch size gave; the best of the measured rounds."""

    what: Literal["looks", "verdicts"]
    batch: int
    seconds: float
    peak_gb: float
    """Most memory of the GPU that was taken; 0 on a CPU."""

    @property
    def per_s(self) -> float:
        return self.batch / self.seconds


def built(size: str, *, device: str) -> Any:
    """A model of a published size with random weights: bfloat16 on a GPU, float32 elsewhere.

    Raises UserError for a size that is none.
    """
    if size not in SIZES:
        raise UserError(f"there is no size {size!r}", remedy=f"one of {', '.join(SIZES)}")
    import torch
    import transformers

    causal: Any = transformers.AutoModelForCausalLM
    seeing: Any = transformers.AutoModelForImageTextToText
    told = dict(SIZES[size])
    vision, sections = told.pop("vision", None), told.pop("sections", None)
    told |= {"max_position_embeddings": 32768, "bos_token_id": None, "eos_token_id": None}
    told["pad_token_id"] = 0
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    with torch.device(device):
        if vision is None:
            config: Any = transformers.Qwen2Config(**told)
            return causal.from_config(config, dtype=dtype).eval()
        rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections}
        config = transformers.Qwen2_5_VLConfig(
            text_config={**told, "rope_parameters": rope},
            vision_config={**_VISION_TOWER, **vision},
            image_token_id=VISION, video_token_id=VIDEO,
            vision_start_token_id=BEGIN, vision_end_token_id=END,
        )  # fmt: skip
        return seeing.from_config(config, dtype=dtype).eval()


def paces(
    size: str,
    batches: Sequence[int],
    *,
    device: str = "auto",
    rounds: int = 3,
    tokens: int = LOOK_TOKENS,
) -> Iterator[Pace]:
    """Looks (of a model that sees) or verdicts a second, one figure a batch size.

    ``tokens`` are what a look writes. A batch that memory does not hold ends the series.

    Raises UserError for a size that is none.
    """
    import torch

    chosen = device
    if device == "auto":
        chosen = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    model = built(size, device=chosen)
    what: Literal["looks", "verdicts"] = "looks" if "vision" in SIZES[size] else "verdicts"
    for batch in batches:
        try:
            yield _measured(model, what, batch, rounds, tokens if what == "looks" else 1)
        except torch.OutOfMemoryError:
            return


def _measured(
    model: Any, what: Literal["looks", "verdicts"], batch: int, rounds: int, count: int
) -> Pace:
    import torch

    cuda = model.device.type == "cuda"
    given = _inputs(model, what, batch)
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    best = float("inf")
    for n in range(rounds + 1):  # the first one warms up, and compiles
        begun = time.perf_counter()
        with torch.inference_mode():
            model.generate(
                **given, max_new_tokens=count, min_new_tokens=count, do_sample=False,
                cache_implementation="static" if cuda and count > 1 else None,
            )  # fmt: skip
        if cuda:
            torch.cuda.synchronize()
        if n:
            best = min(best, time.perf_counter() - begun)
    return Pace(what, batch, best, torch.cuda.max_memory_allocated() / 1e9 if cuda else 0.0)


def _inputs(model: Any, what: str, batch: int) -> dict[str, Any]:
    """What goes into the model."""
    import torch

    vocabulary = model.config.get_text_config().vocab_size
    words = torch.randint(8, vocabulary, (batch, PROMPT if what == "verdicts" else WORDS))
    given: dict[str, Any] = {}
    if what == "looks":
        down, across = PATCHES
        shown = torch.tensor(([BEGIN] + [VISION] * (down * across // 4) + [END]) * PICTURES)
        words = torch.cat([words, shown.expand(batch, -1)], dim=1)
        tower = model.config.vision_config
        values = 3 * tower.temporal_patch_size * tower.patch_size**2
        patches = torch.randn(batch * PICTURES * down * across, values, dtype=model.dtype)
        given["pixel_values"] = patches
        given["image_grid_thw"] = torch.tensor([[1, down, across]] * (batch * PICTURES))
        given["mm_token_type_ids"] = (words == VISION).int()
    given |= {"input_ids": words, "attention_mask": torch.ones_like(words)}
    return {name: value.to(model.device) for name, value in given.items()}
