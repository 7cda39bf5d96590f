"""Bad input: one line that names the file and the remedy, the right exit code, never a score."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from filelock import FileLock

from agent import runtime
from tests.cli.conftest import Run
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.archive import Archive

Refused = Callable[..., str]


def sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 16_000), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 16_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def bad_video(kind: str, folder: Path, clip: Path) -> Path:
    path = folder / f"{kind}.mp4"
    match kind:
        case "empty":
            path.touch()
        case "truncated":
            path.write_bytes(clip.read_bytes()[:5000])
        case "text":
            path.write_text("this is no video")
        case "sound":
            sound_only(path)
        case "folder":
            path = folder / "folder"
            path.mkdir()
            (path / "notes.txt").write_text("no frames here")
    return path


BAD = {
    "missing": "no such file",
    "empty": "is empty",
    "truncated": "is truncated",
    "text": "is not a video",
    "sound": "sound",
    "folder": "is a folder without numbered images",
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("command", ["ask", "induce"])
def test_a_video_that_cannot_be_read(
    kind: str,
    command: str,
    refused: Refused,
    learned: Path,
    walkway: Walkway,
    tmp_path: Path,
) -> None:
    path = bad_video(kind, tmp_path, Path(walkway.calm))
    question = [ANYTHING] if command == "ask" else []
    said = refused(command, *question, str(path), "--scene", SCENE)
    assert said.startswith(f"{path}: ")
    assert BAD[kind] in said
    assert said.endswith(")")  # the remedy


@pytest.mark.data
@pytest.mark.parametrize("name", ["afconvert-aac-0.5s.mp4", "zero_empty_stsc.mp4"])
def test_a_real_file_that_trips_readers(
    name: str, refused: Refused, learned: Path, data_dir: Path
) -> None:
    path = data_dir / "videos" / "odd" / name
    assert refused("ask", ANYTHING, str(path), "--scene", SCENE).startswith(f"{path}: ")


def test_one_bad_file_is_listed_and_the_others_answered(
    vidocq: Run, learned: Path, walkway: Walkway, tmp_path: Path
) -> None:
    gone = str(tmp_path / "gone.mp4")
    done = vidocq("ask", ANYTHING, walkway.bike, gone, "--scene", SCENE)
    assert done.exit_code == 0
    assert done.stdout.startswith("Yes, out of the ordinary")
    assert f"vidocq: {gone}: no such file" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ask"], "no question"),
        (["ask", "  ", "{bike}"], "the question is blank"),
        (["ask", ANYTHING, "--scene", SCENE], "no video was named"),
        (
            ["ask", ANYTHING, "{bike}", "--scene", SCENE, "--max-looks", "0"],
            "a budget of zero cannot answer anything",
        ),
        (
            ["ask", ANYTHING, "{bike}", "--scene", SCENE, "--max-seconds", "0"],
            "a budget of zero cannot answer anything",
        ),
        (["ask", ANYTHING, "{bike}", "--scene", SCENE, "--max-looks", "-2"], "budget max_looks"),
        (["ask", ANYTHING, "{bike}", "--scene", SCENE, "--max-seconds", "nan"], "max_seconds"),
        (["ask", ANYTHING, "{bike}", "--scene", "gaet"], "did you mean “gate”?"),
        (["ask", ANYTHING, "{bike}"], "no scene was named"),
        (["ask", "--resume", "a/b"], "is not the name of a run"),
        (["ask", "--resume", "nobody"], "no run nobody in"),
        (["induce", "{bike}", "--scene", "a b"], "“a b” cannot name a scene"),
        (["trace", "show", "nobody"], "no run nobody in"),
        (["rules", "list", "--scene", "gaet"], "did you mean “gate”?"),
        (["rules", "history", "nobody"], "no rule “nobody”"),
        (["rules", "add", "No running."], "no scene was named (--scene NAME; known: gate)"),
        (
            ["rules", "add", "Fast.", "--scene", SCENE, "--when", "sped > 2"],
            "no attribute “sped” is measured here; did you mean “speed”?",
        ),
        (["rules", "add", "Fast.", "--scene", SCENE, "--when", "speed >"], "character 8"),
        (["rules", "add", "  ", "--scene", SCENE], "a rule needs a text"),
    ],
)
def test_a_request_that_makes_no_sense(
    arguments: list[str], message: str, refused: Refused, learned: Path, walkway: Walkway
) -> None:
    assert message in refused(*(a.replace("{bike}", walkway.bike) for a in arguments))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"VIDOCQ_BACTH": "3"}, "environment variable VIDOCQ_BACTH is not a setting"),
        ({"VIDOCQ_BATCH": "x"}, "batch (environment VIDOCQ_BATCH)"),
        (
            {"VIDOCQ_CAPTIONER": "gpt"},
            "captioner: there is no backend 'gpt' (available: embedded, openai:…)",
        ),
        ({"VIDOCQ_CONFIG": "gone.toml"}, "gone.toml: no such settings file"),
    ],
)
def test_a_setting_that_makes_no_sense(
    environment: dict[str, str], message: str, refused: Refused
) -> None:
    assert message in refused("rules", "list", **environment)


# ---------------------------------------------------------------- stores


@pytest.mark.parametrize(
    "arguments", [["rules", "list"], ["ask", ANYTHING, "x.mp4"], ["induce", "x.mp4", "-s", "x"]]
)
def test_a_damaged_record_is_named_and_left_alone(
    arguments: list[str], refused: Refused, home: Path
) -> None:
    home.mkdir()
    record = home / "record.db"
    record.write_bytes(b"no database at all " * 100)
    said = refused(*arguments, code=1)
    assert said.startswith(f"{record}: damaged or not a Vidocq record")
    assert "(restore it from a backup" in said
    assert record.read_bytes() == b"no database at all " * 100


def test_a_locked_record_is_named(
    refused: Refused, learned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "Archive", partial(Archive, busy_timeout_s=0.2))
    with closing(sqlite3.connect(learned / "record.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        said = refused("rules", "add", "No running.", "--scene", SCENE, code=1)
    assert said.startswith(f"{learned / 'record.db'}: locked by another process")
    assert "wait for the other vidocq to finish" in said


def test_a_damaged_checkpoint_file_is_named(
    refused: Refused, learned: Path, walkway: Walkway
) -> None:
    (learned / "checkpoints.db").write_bytes(b"no database" * 100)
    said = refused("ask", ANYTHING, walkway.calm, "--scene", SCENE, code=1)
    assert said.startswith(f"{learned / 'checkpoints.db'}: checkpoints cannot be opened")


def test_a_lost_profile_is_named(refused: Refused, learned: Path, walkway: Walkway) -> None:
    (profile,) = (learned / "scenes" / SCENE).glob("*.npz")
    profile.unlink()
    said = refused("ask", ANYTHING, walkway.calm, "--scene", SCENE, code=1)
    assert said == (
        f"{profile}: the profile of scene “gate” is missing "
        f"(vidocq induce NORMAL... --scene {SCENE})"
    )


def test_a_run_in_progress_elsewhere_is_named(refused: Refused, home: Path) -> None:
    folder = home / "runs" / "r1"
    folder.mkdir(parents=True)
    header = {"t": 0, "kind": "header", "schema": "vidocq-trace/1", "run": "r1", "query": "q"}
    more = {"videos": ["x.mp4"], "scene": None, "scene_free": False, "budget": {}}
    (folder / "trace.jsonl").write_text(json.dumps(header | more) + "\n")
    with FileLock(folder / "lock"):
        said = refused("ask", "--resume", "r1")
    assert said == "run r1 is in progress in another process (wait for it to end)"


@pytest.mark.parametrize("kib", [30, 60])
def test_a_full_disk_is_one_line_and_the_run_can_go_on(
    kib: int, vidocq: Run, learned: Path, walkway: Walkway
) -> None:
    """A limit on file size stands in for the disk; it hits the checkpoints or the trace."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (kib * 1024, kib * 1024))

    ask = ["ask", ANYTHING, walkway.bike, "--scene", SCENE]
    done = subprocess.run(
        [sys.executable, "-c", "from agent.cli import main; main()", *ask],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        env={**os.environ, "VIDOCQ_HOME": str(learned), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stdout) == (1, "")
    (said,) = [n for n in done.stderr.splitlines() if n.startswith("vidocq: ")]
    assert "cannot be" in said
    assert "--resume" in said
    assert "Traceback" not in done.stderr
    (run,) = [p.name for p in (learned / "runs").iterdir()]
    whole = vidocq("ask", "--resume", run)
    assert whole.exit_code == 0, whole.output
    assert whole.stdout.startswith("Yes, out of the ordinary")
