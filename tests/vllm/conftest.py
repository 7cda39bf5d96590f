"""Two real vLLM servers with small random models. Only ``make test-vllm`` provides them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tinymodels import text_model, vision_model
from tests.vllm.server import NAME, VllmServer
from tests.walkway import Walkway, shared_walkway
from tools.backends.served.client import ServedModel, parse_address

PYTHON = os.environ.get("TEST_VLLM_PYTHON", "")


@pytest.fixture(scope="session", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, VllmServer]]:
    """``reads``: a Qwen2 that would think aloud; ``sees``: an Idefics3. They start side by side."""
    if not PYTHON:
        pytest.skip("needs real vLLM: run make test-vllm")
    folder = tmp_path_factory.mktemp("vllm")
    models = {
        "reads": text_model(folder / "reads", thinks=True),
        "sees": vision_model(folder / "sees"),
    }
    more = {
        "reads": ("--reasoning-parser", "qwen3"),
        "sees": ("--limit-mm-per-prompt", '{"image": 8}'),
    }
    made = {
        name: VllmServer(Path(PYTHON).absolute(), model, folder / f"{name}.log", *more[name])
        for name, model in models.items()
    }
    with running(*made.values()):
        yield made


@contextmanager
def running(*servers: VllmServer) -> Iterator[None]:
    """Servers that have started, and that end with the block whatever happens."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # leave no server behind
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.wait()
        yield
    finally:
        for server in servers:
            server.kill()
        signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def connect(servers: dict[str, VllmServer]) -> Iterator[Callable[..., ServedModel]]:
    """Makes clients of a server by name, closed at the end."""
    opened: list[ServedModel] = []

    def one(name: str) -> ServedModel:
        model, url = parse_address(servers[name].setting.removeprefix("openai:"))
        assert model == NAME
        opened.append(ServedModel(model, url, key=""))
        return opened[-1]

    yield one
    for model in opened:
        model.close()


@pytest.fixture(scope="session")
def reads(connect: Callable[..., ServedModel]) -> ServedModel:
    return connect("reads")


@pytest.fixture(scope="session")
def sees(connect: Callable[..., ServedModel]) -> ServedModel:
    return connect("sees")


@pytest.fixture(scope="session")
def walkway(tmp_path_factory: pytest.TempPathFactory) -> Walkway:
    return shared_walkway(tmp_path_factory)
