"""Real vLLM with a model that takes films: they are found to be taken, and read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.tinymodels import film_model, picture
from tests.vllm.conftest import PYTHON, running
from tests.vllm.server import NAME, VllmServer
from tools.backends.pictures import encode
from tools.backends.served.client import ServedModel, parse_address
from tools.backends.served.film import tiny_film
from tools.models.chat import ChatRequest, Film, Picture, user

MOST_PIXELS = 112 * 112
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def watches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedModel]:
    """A Qwen2.5-VL behind a server of its own, which ends with these tests."""
    folder = tmp_path_factory.mktemp("vllm-video")
    python = Path(PYTHON).absolute()
    server = VllmServer(
        python, film_model(folder / "watches"), folder / "watches.log",
        "--load-format", "dummy", "--skip-mm-profiling",
        "--limit-mm-per-prompt", '{"image": 8, "video": 1}',
        "--mm-processor-kwargs", json.dumps({"max_pixels": MOST_PIXELS}),
        path=(HERE / "vision", python.parents[1] / "vision"),
    )  # fmt: skip
    with running(server):
        _, url = parse_address(server.setting.removeprefix("openai:"))
        with closing(ServedModel(NAME, url, key="")) as model:
            yield model


def test_a_model_that_takes_films_is_found_to(watches: ServedModel) -> None:
    able = watches.capabilities
    assert able.video is True
    assert (able.images, able.choice, able.json_schema) == (8, True, True)


def test_a_picture_costs_what_the_server_lets_it(watches: ServedModel) -> None:
    large = Picture(encode(np.full((448, 448, 3), 128, np.uint8), 448))
    words, shown = (
        watches.chat(ChatRequest((user(*parts, "What is it?"),), 4)).usage.prompt
        for parts in ((), (large,))
    )
    tokens = MOST_PIXELS // 28**2  # of 256 that the picture would have
    assert tokens <= shown - words <= tokens + 4  # and where it begins and ends


def test_a_film_costs_fewer_tokens_than_its_frames(watches: ServedModel) -> None:
    def cost(*parts: Film | str) -> int:
        return watches.chat(ChatRequest((user(*parts, "What happens?"),), 4)).usage.prompt

    words, film = cost(), cost(Film(tiny_film()))
    frames = watches.chat(
        ChatRequest((user(*[picture(20 * n) for n in range(8)], "What happens?"),), 4)
    )
    assert words < film < frames.usage.prompt
