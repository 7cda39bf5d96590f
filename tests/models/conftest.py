"""A loopback server with a brain of fixed words, and models that talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from evals.bench.modelserver import ModelServer
from tests.brain import Brain
from tools.backends.served.client import ServedModel
from tools.backends.served.patience import Patience

QUICK = Patience(
    connect_s=20.0, read_s=30.0, tries=3, first_wait_s=0.01, longest_wait_s=0.5, pause_s=0.2
)


@pytest.fixture
def brain() -> Brain:
    return Brain()


@pytest.fixture
def server(brain: Brain) -> Iterator[ModelServer]:
    with ModelServer(brain) as running:
        yield running


@pytest.fixture
def connect(server: ModelServer) -> Iterator[Callable[..., ServedModel]]:
    """Makes clients of the server, closed after the test."""
    made: list[ServedModel] = []

    def one(**changes: object) -> ServedModel:
        given = {"patience": QUICK, "key": "", **changes}
        model = ServedModel("tiny", server.url, **given)  # type: ignore[arg-type]
        made.append(model)
        return model

    yield one
    for model in made:
        model.close()


@pytest.fixture
def model(connect: Callable[..., ServedModel]) -> ServedModel:
    return connect()
