"""The rendered scene, and an agent over it with real embedded backends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent import Agent, build_agent
from tests.walkway import Walkway, shared_walkway


@pytest.fixture(scope="session")
def walkway(tmp_path_factory: pytest.TempPathFactory) -> Walkway:
    return shared_walkway(tmp_path_factory)


@pytest.fixture
def home(walkway: Walkway, tmp_path: Path) -> Path:
    """A home of this test's own, with the scene learned."""
    return walkway.copy_home(tmp_path / "home")


@pytest.fixture
def agent(home: Path) -> Iterator[Agent]:
    with closing(build_agent(home=home)) as made:
        yield made


@pytest.fixture(scope="module")
def shared_agent(walkway: Walkway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """One agent for the tests of a module that change nothing."""
    home = walkway.copy_home(tmp_path_factory.mktemp("shared") / "home")
    with closing(build_agent(home=home)) as made:
        yield made
