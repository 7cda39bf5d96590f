"""The command line in this process, with a home of the test's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest
from click.testing import Result
from typer.testing import CliRunner

from agent.cli import app
from tests.walkway import Walkway, shared_walkway


class Run(Protocol):
    """Run ``vidocq ARGUMENTS``; settings of the environment by name."""

    def __call__(self, *arguments: str, **environment: str) -> Result: ...


@pytest.fixture(scope="session")
def walkway(tmp_path_factory: pytest.TempPathFactory) -> Walkway:
    return shared_walkway(tmp_path_factory)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Nothing learned yet."""
    return tmp_path / "home"


@pytest.fixture
def learned(walkway: Walkway, home: Path) -> Path:
    """The same home with the scene in it."""
    return walkway.copy_home(home)


@pytest.fixture
def vidocq(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("VIDOCQ_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str, **environment: str) -> Result:
        env = {"VIDOCQ_HOME": str(home), "COLUMNS": "100", "USER": "ada", **environment}
        return CliRunner().invoke(app, list(arguments), env=env, prog_name="vidocq")

    return run


@pytest.fixture
def refused(vidocq: Run) -> Callable[..., str]:
    """Run what must fail: the one line on stderr that is a complaint, checked for good manners."""

    def run(*arguments: str, code: int = 2, **environment: str) -> str:
        done = vidocq(*arguments, **environment)
        assert done.exit_code == code, done.output
        complaints = [n for n in done.stderr.splitlines() if n.startswith("vidocq: ")]
        assert len(complaints) == 1, done.stderr
        assert "Traceback" not in done.output
        assert "score 0." not in done.output
        assert not done.stdout.startswith(("Yes", "No,"))
        return complaints[0].removeprefix("vidocq: ")

    return run
