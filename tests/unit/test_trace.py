"""Traces: taken up where they stopped, honest about damage, and never half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.story import tell
from agent.trace import SCHEMA, Trace, TraceStore, read_lines
from tests.builders import event_of, observation_of, seen_of, video_of
from tools.decision import Decision, Failure, Intent, Label
from tools.errors import StoreError, UserError
from tools.ledger import Look
from tools.types import VideoInfo

LOOK = Look(event=event_of(), detail="fine", description=seen_of(observation_of()))
DECISION = Decision(
    run_id="r1", query="Anything?", intent=Intent.ANOMALY, label=Label.NORMAL, score=0.1
)
HEADER = {"query": "Anything?", "vidocq": "0.1.0"}


def looked(trace: Trace) -> Look:
    return trace.call("look", {"event": "e1"}, Look, lambda: LOOK)


def begun(store: TraceStore, run: str = "r1") -> Trace:
    """A run with a video, a look and a failure."""
    trace = store.open(run, HEADER)
    trace.call("probe", {"path": "gate.mp4"}, VideoInfo, video_of)
    looked(trace)
    trace.note(Failure(item="b.mp4", reason="empty"))
    return trace


def kinds(path: Path) -> list[str]:
    return [line["kind"] for line, _ in read_lines(path)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TraceStore]:
    made = TraceStore(tmp_path / "runs", lambda: {"seed": 0})
    yield made
    made.close()


def test_a_run_is_written_as_it_happens(store: TraceStore) -> None:
    trace = begun(store)
    assert kinds(trace.path) == ["header", "call", "result", "call", "result", "note"]
    lines = [line for line, _ in read_lines(trace.path)]
    assert lines[0] | {"t": 0} == {
        "t": 0, "kind": "header", "schema": SCHEMA, "run": "r1", **HEADER, "seed": 0,
    }  # fmt: skip
    call, result = lines[3], lines[4]
    assert (call["tool"], call["request"]) == ("look", {"event": "e1"})
    assert call["hash"] == result["hash"]
    assert result["type"] == "Look"
    assert [line["t"] for line in lines] == sorted(line["t"] for line in lines)


def test_a_finished_run_ends_with_its_decision_and_answer(store: TraceStore) -> None:
    trace = begun(store)
    store.finish(trace, DECISION, "No, nothing.")
    assert kinds(trace.path)[-1] == "decision"
    read = store.read("r1")
    assert (read.decision, read.answer) == (DECISION, "No, nothing.")
    assert read.header["query"] == "Anything?"
    assert read.looks["e1"] == LOOK
    assert read.failures["b.mp4"].reason == "empty"


def test_a_run_is_taken_up_where_it_stopped(store: TraceStore) -> None:
    first = begun(store)
    before = first.path.read_bytes()
    store.close()
    again = store.open("r1", {"query": "another header"})
    assert looked(again) == LOOK
    again.note(Failure(item="b.mp4", reason="empty"))
    assert again.path.read_bytes() == before  # nothing was done, said or begun twice
    assert (again.count("look"), again.reused, again.header["query"]) == (1, 1, "Anything?")


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_line_that_was_cut_off_is_dropped_and_done_again(store: TraceStore, cut: int) -> None:
    trace = store.open("r1", HEADER)
    looked(trace)
    store.close()
    whole = trace.path.read_bytes()
    trace.path.write_bytes(whole[:-cut])
    again = store.open("r1")
    assert again.looks == {}
    assert kinds(again.path) == ["header", "call"]
    looked(again)
    assert kinds(again.path) == ["header", "call", "call", "result"]
    json.loads(again.path.read_bytes().splitlines()[-1])


def test_reading_a_run_does_not_touch_it(store: TraceStore) -> None:
    trace = begun(store)
    store.close()
    trace.path.write_bytes(trace.path.read_bytes()[:-5])
    before = trace.path.read_bytes()
    read = store.read("r1")
    read.note(Failure(item="c.mp4", reason="only in memory"))
    assert trace.path.read_bytes() == before


def test_a_damaged_line_in_the_middle_is_named(store: TraceStore) -> None:
    trace = begun(store)
    store.close()
    lines = trace.path.read_bytes().splitlines(keepends=True)
    before = b"".join([*lines[:2], b'{"kind": "res\x00\n', *lines[3:]])
    trace.path.write_bytes(before)
    offset = len(lines[0]) + len(lines[1])
    with pytest.raises(StoreError, match=rf"trace\.jsonl: damaged after byte {offset}: ") as caught:
        store.open("r1")
    assert caught.value.remedy == "ask the question again"
    assert "\n" not in str(caught.value)
    assert trace.path.read_bytes() == before


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ({"kind": "header", "schema": "vidocq-trace/9", "run": "r1"}, "unknown schema"),
        ({"kind": "result", "type": "Look", "hash": "x", "record": {}}, "Look"),
        ({"kind": "result", "type": "Nothing", "hash": "x", "record": {}}, "Nothing"),
        ({"kind": "song"}, "unknown kind 'song'"),
        ({"no": "kind"}, "kind"),
        ([1, 2], "trace line"),
        ("words", "trace line"),
    ],
)
def test_a_line_of_another_kind_is_named(store: TraceStore, line: object, what: str) -> None:
    path = store.path("r1") / "trace.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(StoreError, match=r"trace\.jsonl:1: not a trace line of schema") as caught:
        store.open("r1")
    assert what in str(caught.value)
    # The run is not left locked by the failed attempt.
    path.unlink()
    store.open("r1", HEADER)


@pytest.mark.parametrize("name", ["", "a/b", "..", ".", "a b", "x" * 65, "é"])
def test_a_name_that_is_none_is_refused(store: TraceStore, name: str) -> None:
    with pytest.raises(UserError, match="is not the name of a run"):
        store.open(name)
    assert not store.folder.exists()


def test_an_unknown_run_lists_the_last(store: TraceStore) -> None:
    with pytest.raises(UserError, match="the last runs are: none yet"):
        store.read("r9")
    begun(store)
    with pytest.raises(UserError, match=r"no run r9 in .*the last runs are: r1"):
        store.read("r9")


def test_two_processes_cannot_work_on_one_run(store: TraceStore) -> None:
    begun(store)
    code = (
        "import sys; from pathlib import Path; from agent.trace import TraceStore\n"
        "from tools.errors import UserError\n"
        "try:\n TraceStore(Path(sys.argv[1])).open('r1')\n"
        "except UserError as error:\n print(error)"
    )
    command = [sys.executable, "-c", code, str(store.folder)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout == ("run r1 is in progress in another process (wait for it to end)\n"), (
        said.stderr
    )
    store.close()
    freed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert freed.stdout == ""


def test_a_full_disk_is_one_line_and_leaves_whole_lines(tmp_path: Path) -> None:
    """The limit on file size stands in for the disk: the write that crosses it is cut short."""
    code = """
import resource, signal, sys
from pathlib import Path
from agent.trace import TraceStore
from tests.builders import event_of, seen_of
from tools.errors import StoreError
from tools.ledger import Look
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
store = TraceStore(Path(sys.argv[1]))
trace = store.open("r1", {"query": "q"})
try:
    for n in range(100):
        look = Look(event=event_of(f"e{n}"), detail="fine", description=seen_of())
        trace.call("look", {"n": n}, Look, lambda: look)
except StoreError as error:
    print(error)
    print(len(trace.calls))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    path = tmp_path / "r1" / "trace.jsonl"
    message, calls = done.stdout.splitlines()
    assert message == (
        f"{path}: cannot be written: File too large (free some space, then: vidocq ask --resume r1)"
    )
    assert 20_000 < path.stat().st_size < 30_000
    assert path.read_bytes().endswith(b"\n")
    # Opened again, with room: what was written is kept, and work goes on.
    with closing(TraceStore(tmp_path)) as store:
        trace = store.open("r1")
        assert int(calls) - 1 <= trace.count("look") <= int(calls)
        looked(trace)
        assert trace.looks["e1"]
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file stands here")
    with pytest.raises(StoreError, match=r"runs/r1: cannot be written: ") as caught:
        TraceStore(tmp_path / "runs").open("r1")
    assert caught.value.remedy == "free some space, then: vidocq ask --resume r1"


def test_a_run_reads_as_a_story(store: TraceStore) -> None:
    trace = begun(store)
    unfinished = list(tell(store.read("r1")))
    assert unfinished[:2] == ["Run r1 (vidocq 0.1.0)", "Asked: Anything?"]
    assert unfinished[2].startswith("- Opened clips/gate.mp4: 600 frames, 360×240, 60.0 s [0.")
    assert unfinished[3].startswith(
        "- Looked at 00:10.0–00:20.0 of gate.mp4 (fine): People walk. [0."
    )
    assert unfinished[4] == "- Could not: b.mp4: empty"
    assert unfinished[5] == "The run did not finish; go on with: vidocq ask --resume r1"
    store.finish(trace, DECISION, "No, nothing.")
    finished = list(tell(store.read("r1")))
    assert finished[-1] == "No, nothing."
    assert finished[-2].startswith("Decided after 0 rounds and 0 looks")
