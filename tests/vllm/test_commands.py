"""The documented command lines, read by the parser of the vLLM that is installed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.commands import SHARE, options_of, serve_lines
from tests.vllm.conftest import PYTHON

HERE = Path(__file__).parent
MISSPELT = [
    ["a/model", "--max-model-length", "8192"],
    ["a/model", "--limit-mm-per-prompt", "eight"],
    ["a/model", "--max-num-seqs", "many"],
]


@pytest.fixture(scope="module")
def parsed() -> list[dict[str, Any] | None]:
    """What vLLM makes of each documented line, then of each misspelt one."""
    asked = [arguments for _, arguments in serve_lines()] + MISSPELT
    done = subprocess.run(
        [PYTHON, str(HERE / "parsing.py")], input=json.dumps(asked), capture_output=True,
        text=True, timeout=300, env=os.environ | {"VLLM_NO_USAGE_STATS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any] | None] = json.loads(done.stdout.strip().splitlines()[-1])
    assert len(told) == len(asked)
    return told


def test_every_documented_line_is_understood(parsed: list[dict[str, Any] | None]) -> None:
    lines = serve_lines()
    assert len(lines) >= 6
    for (page, arguments), told in zip(lines, parsed, strict=False):
        assert told is not None, f"{page}: vllm serve {' '.join(arguments)}"
        given = options_of(arguments)
        assert told["model_tag"] == given[""]
        assert str(told["max_model_len"]) == given["--max-model-len"]
        assert told["max_num_seqs"] == int(given["--max-num-seqs"])
        share = float(given.get("--gpu-memory-utilization", SHARE))
        assert told["gpu_memory_utilization"] == share
        if "--limit-mm-per-prompt" in given:
            assert told["limit_mm_per_prompt"] == json.loads(given["--limit-mm-per-prompt"])
        assert told["enable_prompt_tokens_details"] is (
            "--enable-prompt-tokens-details" in arguments
        )


def test_what_is_misspelt_is_not(parsed: list[dict[str, Any] | None]) -> None:
    assert parsed[-len(MISSPELT) :] == [None] * len(MISSPELT)
