"""What ``vidocq`` says of itself, and how little it loads to say it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from agent.cli import app
from tests.cli.conftest import Run
from tests.snapshots import assert_snapshot

COMMANDS = [
    [],
    ["induce"],
    ["ask"],
    ["events"],
    ["look"],
    ["config"],
    ["doctor"],
    ["rules"],
    ["rules", "list"],
    ["rules", "add"],
    ["rules", "edit"],
    ["rules", "retire"],
    ["rules", "history"],
    ["rules", "diff"],
    ["rules", "revert"],
    ["rules", "search"],
    ["rules", "captions"],
    ["rules", "export"],
    ["rules", "import"],
    ["rules", "lint"],
    ["rules", "reindex"],
    ["rules", "zone"],
    ["rules", "zone", "add"],
    ["trace"],
    ["trace", "show"],
]


def test_help_of_every_command(vidocq: Run) -> None:
    pages = []
    for command in COMMANDS:
        done = vidocq(*command, "--help")
        assert done.exit_code == 0
        page = "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip("\n")
        pages.append(f"$ vidocq {' '.join([*command, '--help'])}\n{page}\n")
    assert_snapshot("help.txt", "\n".join(pages))


def test_every_command_is_in_the_snapshot() -> None:
    root = get_command(app)
    known = {name for command in COMMANDS for name in command[:1]}
    assert set(root.commands) == known  # type: ignore[attr-defined]


def test_the_version_is_that_of_the_package(vidocq: Run) -> None:
    from importlib.metadata import version

    assert vidocq("--version").stdout == f"vidocq {version('vidocq')}\n"


def test_no_command_shows_the_help(vidocq: Run) -> None:
    assert "Usage: " in vidocq().output


def test_help_loads_nothing_that_is_slow() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['vidocq', '--help']\n"
        "from agent.cli import main\n"
        "try:\n main()\n"
        "except SystemExit:\n pass\n"
        "slow = 'langgraph langchain_core pydantic numpy scipy cv2 av chromadb torch sklearn'\n"
        "print([m for m in slow.split() if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert "induce" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sing"], "no such command 'sing' (see vidocq --help)"),
        (["ask", "--max-looks", "many"], "invalid value for '--max-looks'"),
        (["--loud"], "no such option: --loud (see vidocq --help)"),
        (["induce", "x.mp4"], "missing option '--scene'"),
        (["rules", "history"], "missing argument"),
    ],
)
def test_a_wrong_command_line_is_one_line(vidocq: Run, arguments: list[str], said: str) -> None:
    done = vidocq(*arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"vidocq: {said}")
    assert done.stderr.endswith(" --help)\n")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
