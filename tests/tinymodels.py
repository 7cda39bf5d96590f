"""Small chat models of random weights with tokenizers trained here: real code paths, no download.

Heads have 32 dimensions, the least that vLLM's engine takes. Saved with transformers, they are read
by transformers in this process and by a vLLM server alike. Layers are drawn widely, so that greedy
text does not run in circles, and the head narrowly, so that all answers are about as likely.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from prompts import load, names
from tools.models.chat import Picture

__all__ = ["CONTEXT", "SCHEMA", "film_model", "picture", "text_model", "vision_model"]

CONTEXT = 2048
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["seen", "count", "sure"],
    "properties": {
        "seen": {"type": "string", "maxLength": 30},
        "count": {"type": "integer", "minimum": 0, "maximum": 9},
        "sure": {"enum": ["yes", "no"]},
    },
}
"""Every kind of value, so bounded that a model of random weights comes to an end."""
VOCABULARY = 2048
LAYERS_STD, HEAD_STD = 0.3, 0.02
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
THOUGHTLESS = (
    "{% if add_generation_prompt and enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% endif %}"
)
"""How the templates of models that think aloud tell them not to, as Qwen3's does."""
ROLES = ["<|system|>", "<|user|>", "<|assistant|>"]
THOUGHTS = ["<think>", "</think>"]
FILM = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
PICTURE = ["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]


def picture(shade: int) -> Picture:
    """A grey picture."""
    return Picture(cv2.imencode(".jpg", np.full((48, 64, 3), shade, np.uint8))[1].tobytes())


def text_model(folder: Path, *, seed: int = 0, thinks: bool = False) -> Path:
    """A Qwen2 of about 100k parameters; ``thinks``: with a template that can tell it not to."""
    import torch
    import transformers

    torch.set_num_threads(1)  # so small a model only waits for a second thread
    tokenizer = _tokenizer(THOUGHTS if thinks else [])
    if thinks:
        tokenizer.chat_template += THOUGHTLESS
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=LAYERS_STD,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return _saved(transformers.Qwen2ForCausalLM(config), tokenizer, folder)


def vision_model(folder: Path, *, seed: int = 0) -> Path:
    """An Idefics3: pictures of 64 × 64 pixels in 4 tokens each, and text."""
    import torch
    import transformers

    torch.set_num_threads(1)
    tokenizer = _tokenizer(PICTURE)
    pictures = _picture_processor()
    processor = transformers.Idefics3Processor(
        pictures, tokenizer, image_seq_len=4, chat_template=TEMPLATE
    )
    processor.save_pretrained(folder)
    torch.manual_seed(seed)
    config = transformers.Idefics3Config(
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 16,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": CONTEXT,
            "initializer_range": LAYERS_STD,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
    )
    return _saved(transformers.Idefics3ForConditionalGeneration(config), tokenizer, folder)


def film_model(folder: Path) -> Path:
    """A Qwen2.5-VL for pictures and films, without weights: a server makes up its own.

    Written by hand where transformers would want torchvision.
    """
    import transformers

    folder.mkdir()
    tokenizer = _tokenizer(FILM)
    shown = "<|vision_start|><|{}_pad|><|vision_end|>"
    tokenizer.chat_template = TEMPLATE.replace(
        "<image>{% else %}",
        f"{shown.format('image')}{{% elif part['type'] == 'video' %}}{shown.format('video')}"
        "{% else %}",
    )
    tokenizer.save_pretrained(folder)
    names = ("vision_start_token_id", "vision_end_token_id", "image_token_id", "video_token_id")
    transformers.Qwen2_5_VLConfig(
        architectures=["Qwen2_5_VLForConditionalGeneration"],
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": CONTEXT,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [4, 6, 6],
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 2,
            "out_hidden_size": 64,
            "fullatt_block_indexes": [1],
        },
        **dict(zip(names, tokenizer.convert_tokens_to_ids(FILM), strict=True)),
    ).save_pretrained(folder)
    cut = {
        "size": {"shortest_edge": 56 * 56, "longest_edge": 448 * 448},
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "processor_class": "Qwen2_5_VLProcessor",
    }
    for file, kind in (
        ("preprocessor_config.json", {"image_processor_type": "Qwen2VLImageProcessor"}),
        ("video_preprocessor_config.json", {"video_processor_type": "Qwen2VLVideoProcessor"}),
    ):
        (folder / file).write_text(json.dumps(cut | kind))
    return folder


def _saved(model: Any, tokenizer: Any, folder: Path) -> Path:
    import torch

    with torch.no_grad():
        model.lm_head.weight.normal_(std=HEAD_STD)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    return folder


def _tokenizer(more: list[str]) -> Any:
    """Byte-level BPE: any text has tokens, and the digits are one token each."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|end|>", *ROLES, *more]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([load(name).text for name in names()], trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="<|end|>",
        pad_token="<|pad|>",
        extra_special_tokens=[*ROLES, *more],
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _picture_processor() -> Any:
    import transformers

    kind = getattr(transformers, "Idefics3ImageProcessorPil", None)
    kind = kind or transformers.Idefics3ImageProcessor
    return kind(
        size={"longest_edge": 64},
        max_image_size={"longest_edge": 64},
        do_image_splitting=False,
    )
