"""Small chat models of random weights with tokenizers trained here: real code paths, no download.

Heads have 32 dimensions, the least that vLLM's engine takes. Saved with transformers, they are read
by transformers in this process and by a vLLM server alike. Layers are drawn widely, so that greedy
text does not run in circles, and the head narrowly, so that all answers are about as likely.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from prompts import load, names
from tools.models.chat import Picture

__all__ = ["CONTEXT", "SCHEMA", "picture", "text_model", "vision_model"]

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
ROLES = ["<|system|>", "<|user|>", "<|assistant|>"]
PICTURE = ["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]


def picture(shade: int) -> Picture:
    """A grey picture."""
    return Picture(cv2.imencode(".jpg", np.full((48, 64, 3), shade, np.uint8))[1].tobytes())


def text_model(folder: Path, *, seed: int = 0) -> Path:
    """A Qwen2 of about 100k parameters."""
    import torch
    import transformers

    torch.set_num_threads(1)  # so small a model only waits for a second thread
    tokenizer = _tokenizer([])
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
