"""A wrong command line of the measuring programs: one line, exit code 2."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from evals.__main__ import app
from evals.bench.__main__ import app as bench


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "missing argument 'suite' (see evals run --help)"),
        (["runn"], "no such command 'runn'. Did you mean 'run'? (see evals --help)"),
        (["score", "--loud"], "no such option: --loud"),
        (["run", "x.yaml", "--limit", "0"], "invalid value for '--limit'"),
        (["scenes", "out", "--seeds", "a"], "invalid value for --seeds: not whole numbers: 'a'"),
    ],
)
def test_one_line(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, arguments, prog_name="evals")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {said}")
    assert done.stderr.endswith("--help)\n")
    assert done.stderr.count("\n") == 1


def test_the_bench_too() -> None:
    done = CliRunner().invoke(bench, ["scorin"], prog_name="bench")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: no such command 'scorin'")


def test_no_arguments_show_the_help() -> None:
    done = CliRunner().invoke(app, [], prog_name="evals")
    assert "Usage: evals" in done.output
    assert "error" not in done.output


def test_an_expected_error_of_the_program_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "evals", "score", "nowhere"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: no run in nowhere")
    assert done.stderr.count("\n") == 1
