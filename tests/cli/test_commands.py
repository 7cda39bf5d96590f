"""The commands on a rendered scene: answers on stdout, all else on stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.conftest import Run
from tests.conftest import WriteClip
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.video import open_video


def read(output: str) -> Any:
    """Stdout is JSON and nothing else."""
    return json.loads(output)


# ---------------------------------------------------------------- induce and ask


def test_a_scene_is_learned_asked_about_and_told(
    vidocq: Run, walkway: Walkway, tmp_path: Path
) -> None:
    learned = vidocq("induce", *walkway.normal, "--scene", "gate")
    assert learned.exit_code == 0, learned.output
    assert learned.stdout.startswith("Scene gate: ")
    assert "rules from 3 clips (18 s of normal footage)" in learned.stdout
    assert "induce: " in learned.stderr

    report = tmp_path / "report"
    asked = vidocq("ask", ANYTHING, walkway.bike, "--scene", "gate", "--report", str(report))
    assert asked.exit_code == 0
    assert asked.stdout.startswith("Yes, out of the ordinary (score 0.")
    assert "ask: " in asked.stderr
    written = {str(p.relative_to(report)) for p in report.rglob("*") if p.is_file()}
    pictures = {n for n in written if n.startswith(("frames/", "crops/"))}
    assert written - pictures == {
        "answer.txt", "decision.json", "timeline.png", "contact_sheet.png", "pictures.json",
    }  # fmt: skip
    assert all(f"wrote {report / name}" in asked.stderr for name in written)
    shown = read((report / "pictures.json").read_text())
    assert {f for e in shown for f in (e["frame_file"], e["crop_file"])} == pictures
    assert any(name.startswith("crops/01_bike_00-0") for name in pictures)
    answer, _, listed = (report / "answer.txt").read_text().partition("\n\nPictures:\n")
    assert all(name in listed for name in pictures)
    assert answer.splitlines()[0] == asked.stdout.splitlines()[0]
    for name in ("timeline.png", "contact_sheet.png"):
        assert (report / name).read_bytes().startswith(b"\x89PNG")
    assert read((report / "decision.json").read_text())["label"] == "anomalous"

    run = asked.stderr.split("run ")[1].split(";")[0]
    story = vidocq("trace", "show", run).stdout.splitlines()
    assert story[:2] == [f"Run {run} (vidocq 0.1.0)", f"Asked: {ANYTHING}"]
    told = [line.removeprefix("- ").split()[0] for line in story]
    first = {word: told.index(word) for word in ("Planned:", "Opened", "Scene", "Found", "Looked")}
    assert list(first.values()) == sorted(first.values())
    assert {"Recalled", "Judged:", "Decided"} <= set(told)
    assert "\n".join(story).endswith(answer.strip())


def test_a_report_about_the_camera_has_a_picture_of_the_fault(
    vidocq: Run, learned: Path, walkway: Walkway, tmp_path: Path, write_clip: WriteClip
) -> None:
    with open_video(walkway.calm) as source:
        frames = [f.image // (50 if 20 <= f.index < 32 else 1) for f in source.frames()]
    clip, report = write_clip(tmp_path / "dark.mp4", frames), tmp_path / "report"
    ask = ("ask", "Was the camera covered?", str(clip), "--scene", SCENE, "--report", str(report))
    done = vidocq(*ask)
    assert done.stdout.startswith("Yes, the camera was at fault: dark.mp4 00:02.0 to 00:03.2")
    (shown,) = read((report / "pictures.json").read_text())
    assert shown["frame_file"] == "frames/01_dark_00-02.6.jpg"
    assert shown["frame_file"] in (report / "answer.txt").read_text()
    assert (report / shown["frame_file"]).is_file()
    assert (report / "contact_sheet.png").is_file()


def test_a_denial_and_two_questions_in_one_are_answered_as_they_were_put(
    vidocq: Run, learned: Path, walkway: Walkway
) -> None:
    def first_line(question: str) -> str:
        done = vidocq("ask", question, walkway.bike, "--scene", SCENE)
        return done.stdout.splitlines()[0]

    assert first_line("Did nobody ride?").startswith("No, it was found (score 0.")
    assert first_line("Did nobody run?").startswith("Yes, nothing of the kind was found")
    told = first_line("Did anybody ride, and was a bag left behind?")
    assert told.startswith("Yes, found (score 0.")
    assert "Of what was asked for: “ride” at bike.mp4 00:0" in told
    assert told.endswith("“bag left behind” was not found.")


def test_json_is_all_there_is_on_stdout(vidocq: Run, learned: Path, walkway: Walkway) -> None:
    done = vidocq("ask", ANYTHING, walkway.bike, "--scene", SCENE, "--json")
    out = read(done.stdout)
    assert set(out) == {"run", "answer", "decision", "trace", "report"}
    assert out["decision"]["label"] == "anomalous"
    assert out["decision"]["run_id"] == out["run"]
    assert Path(out["trace"]).is_file()
    assert "ask: " in done.stderr


def test_json_of_what_failed_has_no_score(vidocq: Run, learned: Path, tmp_path: Path) -> None:
    done = vidocq("ask", ANYTHING, str(tmp_path / "gone.mp4"), "--scene", SCENE, "--json")
    assert done.exit_code == 2
    decision = read(done.stdout)["decision"]
    assert (decision["label"], decision["score"], decision["events"]) == ("uncertain", None, [])
    assert decision["failures"][0]["reason"] == "no such file"


def test_induce_as_json(vidocq: Run, walkway: Walkway) -> None:
    out = read(vidocq("induce", walkway.normal[0], "--scene", "gate", "--json").stdout)
    assert out["scene"]["name"] == "gate"
    assert {r["kind"] for r in out["rules"]} == {"normal", "anomalous"}


def test_a_thread_goes_on_in_the_next_process(vidocq: Run, learned: Path, walkway: Walkway) -> None:
    vidocq("ask", ANYTHING, walkway.bike, "--scene", SCENE, "--thread", "t1")
    sure = vidocq("ask", "How sure are you, and what did you not look at?", "--thread", "t1")
    assert sure.exit_code == 0, sure.output
    assert "held-out normal events" in sure.stdout
    why = vidocq("ask", "Why was 00:04 flagged?", "--thread", "t1", "--json")
    assert "was flagged because:" in read(why.stdout)["answer"]


def test_what_it_cannot_tell_is_an_answer_not_an_error(
    vidocq: Run, learned: Path, walkway: Walkway
) -> None:
    done = vidocq("ask", "Who is that?", walkway.bike, "--scene", SCENE)
    assert done.exit_code == 0
    assert "outside what the embedded backends can tell" in done.stdout


# ---------------------------------------------------------------- rules


def test_a_rule_written_changed_retired_and_brought_back(vidocq: Run, learned: Path) -> None:
    add = vidocq(
        "rules", "add", "Nobody may run.", "--scene", SCENE, "--when", "speed > 2", "--json"
    )
    (rule,) = read(add.stdout)
    assert (rule["text"], rule["kind"], rule["source"], rule["author"], rule["version"]) == (
        "Nobody may run.",
        "anomalous",
        "user",
        "ada",
        1,
    )
    name = rule["id"]

    def listed(*more: str) -> dict[str, str]:
        rows = read(vidocq("rules", "list", "--scene", SCENE, "--json", *more).stdout)
        return {r["id"]: r["status"] for r in rows}

    assert listed()[name] == "active"
    edit = vidocq("rules", "edit", name, "--when", "speed > 2.5", "--author", "bob", "--json")
    assert read(edit.stdout)[0]["predicate"]["all"][0]["value"] == 2.5
    assert vidocq("rules", "retire", name).exit_code == 0
    assert name not in listed()
    assert listed("--all")[name] == "retired"
    vidocq("rules", "edit", name, "--restore", "--no-test")
    assert listed()[name] == "active"
    history = read(vidocq("rules", "history", name, "--json").stdout)
    assert [(r["version"], r["status"], r["author"]) for r in history] == [
        (1, "active", "ada"),
        (2, "active", "bob"),
        (3, "retired", "ada"),
        (4, "active", "ada"),
    ]
    assert history[3]["predicate"] is None
    table = vidocq("rules", "history", name).stdout
    assert [f"{name}@{n}" in table for n in (1, 2, 3, 4)] == [True] * 4


def test_a_rule_that_cannot_be_tested_is_said_to_be_so(vidocq: Run, learned: Path) -> None:
    done = vidocq("rules", "add", "No umbrellas.", "-y", "--scene", SCENE)
    assert "nothing of this rule can be checked by code" in done.stderr
    assert "nothing of this" not in vidocq("rules", "add", "No riding.", "-y", "-s", SCENE).stderr


def test_scenes_are_listed(vidocq: Run, learned: Path) -> None:
    assert SCENE in vidocq("rules", "list").stdout
    assert [s["name"] for s in read(vidocq("rules", "list", "--json").stdout)] == [SCENE]


def test_an_empty_home_lists_nothing(vidocq: Run) -> None:
    assert vidocq("rules", "list").stdout == (
        "No scenes yet: vidocq induce NORMAL... --scene NAME\n"
    )


# ---------------------------------------------------------------- settings, colour


def test_settings_say_where_they_come_from(vidocq: Run, home: Path) -> None:
    Path("vidocq.toml").write_text("batch = 3\n")
    out = read(vidocq("config", "--json", VIDOCQ_PARALLEL="5").stdout)
    assert out["batch"] == {"value": 3, "from": "vidocq.toml"}
    assert out["parallel"] == {"value": 5, "from": "environment VIDOCQ_PARALLEL"}
    assert out["smoothing"]["from"] == "default"
    assert out["home"]["value"] == str(home)
    table = vidocq("config").stdout
    assert "false_alarm_rate" in table
    assert "sqlite" in table


def test_pipes_get_no_colour_and_no_color_is_heeded(learned: Path) -> None:
    def shown(**environment: str) -> str:
        env = {**os.environ, "VIDOCQ_HOME": str(learned), "COLUMNS": "100", **environment}
        code = "from agent.cli import main; main()"
        command = [sys.executable, "-c", code, "rules", "list", "--scene", SCENE]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout

    plain = shown()
    assert "\x1b" not in plain
    assert "speed" in plain
    assert "\x1b[3" not in shown(NO_COLOR="1", FORCE_COLOR="1")
