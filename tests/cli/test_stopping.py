"""Progress is told, Ctrl-C stops soon, what was done is kept."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.console import _lines
from evals.bench.clips import looped
from tests.cli.conftest import Run
from tests.walkway import ANYTHING, SCENE, Walkway


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_stops_and_the_run_can_go_on(
    workers: int, vidocq: Run, learned: Path, walkway: Walkway, tmp_path: Path
) -> None:
    clips = [
        str(looped(Path(c), 15 / workers, tmp_path / Path(c).name))
        for c in walkway.normal[:workers]
    ]
    words = ["ask", ANYTHING, *clips, "--scene", SCENE, "--workers", str(workers)]
    with subprocess.Popen(
        [sys.executable, "-c", "from agent.cli import main; main()", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "VIDOCQ_HOME": str(learned), "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        assert process.stderr.readline().startswith("ask: finding events")
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        said, answer = process.stderr.read(), process.stdout.read()
    assert (process.returncode, answer) == (130, "")
    told = re.search(r"vidocq: stopped; go on with: vidocq ask --resume (\w+)", said)
    assert told is not None, said
    assert "Traceback" not in said
    whole = vidocq("ask", "--resume", told.group(1))
    assert whole.exit_code == 0, whole.output
    assert whole.stdout.startswith(("No, ", "Yes, ", "I cannot tell"))


def test_lines_of_progress_tell_speed_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    report = _lines("ask", every_s=0.05)
    report("finding events gate.mp4", 0, 1000)
    report("finding events gate.mp4", 1, 1000)
    time.sleep(0.1)
    report("finding events gate.mp4", 100, 1000)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "ask: finding events gate.mp4"
    assert re.fullmatch(
        r"ask: finding events gate.mp4: 100 of 1000 frames, \d+ frames/s, 00:0\d\.\d left", second
    )
