"""The optional judge, against a real server on the loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from evals.__main__ import app, main
from evals.figures import figures
from evals.judged import judge_dir, judge_of
from evals.judgements import FILE, load_judgements, load_labelled, reference_of
from evals.judging import RUBRIC, ServedJudge, rubric_id
from evals.model import Choice, Outcome, Pair, Sample
from evals.runner import run_suite
from evals.scoring import score_dir
from evals.suite import JudgeSpec
from tests.evalruns import make_run, sample_of, suite_of
from tests.recordings import write_recorded
from tools.backends.served.patience import Patience
from tools.decision import Label
from tools.errors import BackendError, StoreError, UserError

RIGHT, WRONG = '{"reason": "right"}', '{"reason": "wrong"}'


class Server(HTTPServer):
    """Answers what ``said`` holds or makes of the question, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.said: str | Callable[[str], str] = ""
        self.model = "tiny"
        self.broken: list[tuple[int, bytes]] = []
        """Statuses and bodies of the next replies, instead."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        made = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        made.asked.append(body)
        made.keys.append(self.headers["Authorization"])
        question = body["messages"][1]["content"]
        said = made.said if isinstance(made.said, str) else made.said(question)
        reply = {
            "model": made.model,
            "choices": [{"message": {"role": "assistant", "content": said}}],
        }
        status, data = made.broken.pop(0) if made.broken else (200, json.dumps(reply).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


Ask = Callable[..., ServedJudge]


@pytest.fixture
def judge(server: Server) -> Iterator[Ask]:
    """Makes judges at the server, or elsewhere, that are closed after the test."""
    with ExitStack() as opened:

        def one(url: str = "", key: str = "") -> ServedJudge:
            patience = Patience(read_s=5, tries=3, first_wait_s=0)
            made = ServedJudge(url or server.url, "tiny", key=key, patience=patience)
            return opened.enter_context(closing(made))

        yield one


# ---------------------------------------------------------------- one question


@pytest.mark.parametrize(
    ("said", "right"),
    [
        (RIGHT, True),
        (WRONG, False),
        (f"```json\n{RIGHT}\n```", True),
        ("I think it is right.", None),
        ('{"reason": "maybe"}', None),
        ('{"reason": ["right"]}', None),
        ("", None),
    ],
)
def test_only_a_readable_answer_counts(
    server: Server, judge: Ask, said: str, right: bool | None
) -> None:
    server.said = said
    opinion = judge().opinion("a fight", "two men fight")
    assert (opinion.right, opinion.reply) == (right, said or "the model answered nothing")
    asked = server.asked[0]
    assert (asked["model"], asked["temperature"]) == ("tiny", 0)
    assert asked["messages"][0]["content"] == RUBRIC


def test_another_model_or_none_is_an_error(server: Server, judge: Ask) -> None:
    server.said, server.model = RIGHT, "other"
    with pytest.raises(BackendError, match="'other', not as 'tiny'"):
        judge().opinion("a", "b")
    with pytest.raises(BackendError, match="cannot be reached"):
        judge("http://127.0.0.1:9").opinion("a", "b")


def test_a_bad_moment_is_waited_out_and_a_bad_request_is_not(server: Server, judge: Ask) -> None:
    server.said = RIGHT
    server.broken = [(500, b"oops"), (429, b"slow down")]
    assert judge().opinion("a", "b").right is True
    assert len(server.asked) == 3
    server.broken = [(500, b"oops")] * 3
    with pytest.raises(BackendError, match="answers 500: oops"):
        judge().opinion("a", "b")
    server.broken = [(401, b"no key")]
    with pytest.raises(BackendError, match="answers 401: no key"):
        judge().opinion("a", "b")
    assert len(server.asked) == 7


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "no chat completion: '<html>'"),
        (b"[1]", "no chat completion"),
        (b'{"model": "tiny"}', "no chat completion"),
    ],
)
def test_garbage_is_an_error(server: Server, judge: Ask, body: bytes, message: str) -> None:
    server.broken = [(200, body)]
    with pytest.raises(BackendError, match=message):
        judge().opinion("a", "b")


@pytest.mark.parametrize(
    ("choices", "why"),
    [
        ([], "without any choice"),
        ([{"message": {"content": None, "refusal": "No."}}], "refused: No."),
        (
            [{"message": {"content": None, "reasoning": "Hm"}, "finish_reason": "length"}],
            "still thinking",
        ),
    ],
)
def test_a_judge_without_an_answer_is_unanswered(
    server: Server, judge: Ask, choices: list[Any], why: str
) -> None:
    server.broken = [(200, json.dumps({"model": "tiny", "choices": choices}).encode())]
    opinion = judge().opinion("a", "b")
    assert opinion.right is None
    assert why in opinion.reply


def test_a_key_is_sent_and_shown_nowhere(server: Server, judge: Ask) -> None:
    made = judge(key="secret-7")
    assert "secret-7" not in f"{made!r} {vars(made)!r}"
    made.opinion("a", "b")
    assert server.keys == ["Bearer secret-7"]


# ---------------------------------------------------------------- a run


def spec(server: Server, **more: Any) -> JudgeSpec:
    return JudgeSpec.model_validate({"model": "tiny", "url": server.url, **more})


def labelled(folder: Path) -> Path:
    rows = [
        {"reference": "A man rides.", "reason": "Somebody rides.", "label": "right"},
        {"reference": "A man rides.", "reason": "Somebody fights.", "label": "wrong"},
        {"reference": "A man rides.", "reason": "Somebody runs.", "label": "wrong"},
        {
            "id": 1,
            "caption": "A man rides.",
            "choices": {"A": "Normal.", "B": "Anomaly, since he rides."},
            "answer": "B",
        },
        {"id": 2, "caption": "A tree.", "choices": {"A": "Anomaly."}, "answer": "X"},
    ]
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_reasons_of_a_run_are_judged_once_and_scored_without_the_judge(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDOCQ_JUDGE_KEY", "secret-7")
    folder = make_run(tmp_path / "run", peaks={"a.mp4": 0.9, "b.mp4": 0.3, "normal.mp4": 0.2})
    score_dir(folder)
    server.said = lambda asked: (
        RIGHT if asked.count("ride") > 1 and "Nothing" not in asked else WRONG
    )
    chosen = spec(server, labels=str(labelled(tmp_path)))
    results = judge_dir(folder, chosen)
    metrics = results["metrics"]
    # a: found, for the right reason; b: missed, and told of the rider all the same; the normal
    # clip: right verdict, but its steps tell of a rider too.
    assert [metrics[f"free_{c}"] for c in ("rr", "rw", "wr", "ww", "unanswered")] == [
        pytest.approx(x, abs=1e-6) for x in (1 / 3, 1 / 3, 1 / 3, 0, 0)
    ]
    assert metrics["judge_labels"] == 5
    assert metrics["judge_agreement"] == 1.0
    assert metrics["judge_kappa"] == 1.0
    assert results["judge"] == {
        "model": "tiny",
        "rubric": rubric_id(),
        "judged": 8,
        "labelled": 5,
        "unreadable": 0,
    }
    assert len(server.asked) == 8
    page = (folder / "report.html").read_text()
    assert f"judged by tiny, rubric {rubric_id()}" in page

    before = (folder / "results.json").read_bytes()
    server.model = "gone"
    score_dir(folder)
    assert (folder / "results.json").read_bytes() == before
    assert "secret-7" not in "".join(p.read_text() for p in folder.rglob("*") if p.is_file())


def test_judging_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    server.said = RIGHT
    chosen = spec(server, timeout_s=5)
    server.broken = [(200, json.dumps(completion(WRONG)).encode()), (400, b"")]
    with pytest.raises(BackendError, match=r"answers 400.*python -m evals judge"):
        judge_dir(folder, chosen)
    found = load_judgements(folder)
    assert found is not None
    assert [row.verdict for row in found.rows] == ["wrong"]
    path = folder / FILE
    path.write_bytes(path.read_bytes() + b'{"kind": "judgem')  # the process died here
    said: list[str] = []
    results = judge_dir(folder, chosen, say=said.append)
    assert said[0] == "judge: 1 judgements kept from an earlier time"
    assert results["judge"]["judged"] == 2  # a and b give the same reason
    assert results["metrics"]["judge_kappa"] is None
    assert results["undefined"]["judge_kappa"] == "no judgements"

    with pytest.raises(UserError, match="judgements of tiny with rubric"):
        judge_dir(folder, spec(server, model="tinier"))
    path.write_text("nonsense\n")
    with pytest.raises(StoreError, match=r"judgements\.jsonl:1"):
        score_dir(folder)


def completion(said: str) -> dict[str, Any]:
    return {"model": "tiny", "choices": [{"message": {"content": said}}]}


def test_what_cannot_be_read_is_unanswered_and_no_agreement(server: Server, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    server.said = lambda asked: "hm" if "fights" in asked or "Normal." in asked else RIGHT
    metrics = judge_dir(folder, spec(server, labels=str(labelled(tmp_path))))["metrics"]
    # Of five labels it hits two right ones; one wrong one is called right, two are not read.
    assert (metrics["judge_unreadable"], metrics["judge_agreement"]) == (2, 0.4)
    server.said = "hm"
    other = make_run(tmp_path / "other")
    metrics = judge_dir(other, spec(server))["metrics"]
    assert (metrics["free_unanswered"], metrics["free_rr"]) == (1.0, 0.0)


def test_a_changed_reason_is_judged_anew(server: Server, tmp_path: Path) -> None:
    server.said = RIGHT
    judge_dir(make_run(tmp_path / "a"), spec(server))
    asked = len(server.asked)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / FILE).write_bytes((tmp_path / "a" / FILE).read_bytes())
    peaks = {"a.mp4": 0.1, "b.mp4": 0.7, "normal.mp4": 0.3}  # a is no longer found
    results = score_dir(make_run(tmp_path / "b", peaks=peaks))
    cells = {c: results["metrics"][f"free_{c}"] for c in ("rr", "wr")}
    assert cells == {"rr": 1.0, "wr": 0.0}  # over the two that were judged
    judge_dir(tmp_path / "b", spec(server))
    assert len(server.asked) == asked + 1


def test_references_come_from_the_labels_or_the_kind() -> None:
    assert reference_of(sample_of("a", kind="stopped_rider")) == "The video shows: stopped rider."
    assert reference_of(sample_of("a")) is None
    assert reference_of(sample_of("a", normal=True)) == "Nothing out of the ordinary happens."
    told = Sample("a", "a", 4, 1.0, truth=(((0, 2),),), references=("A fight.", "Two men fight."))
    assert reference_of(told) == "A fight. / Two men fight."
    choice = Choice({"A": "x"}, "A", {"A": Label.NORMAL})
    assert reference_of(Sample("a", "a", 1, 1.0, truth=((),), choice=choice)) is None
    assert reference_of(Sample("a", "a", 1, 1.0, references=("A fight.",))) is None


def test_a_suite_has_its_run_judged_and_keeps_the_run_without_a_judge(
    server: Server, tmp_path: Path
) -> None:
    write_recorded(tmp_path / "data")
    chosen = suite_of(
        dataset={"layout": "recorded", "folder": "x"},
        question="Did anything out of the ordinary happen?",
        judge={"model": "tiny", "url": server.url},
    )
    server.broken = [(400, b"")]
    with pytest.raises(BackendError, match="answers 400"):
        run_suite(chosen, data=tmp_path / "data", out=tmp_path / "out")
    kept = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (kept["metrics"]["items"], kept["metrics"]["free_rr"]) == (2, None)
    server.said = lambda asked: RIGHT if "Nothing" in asked else WRONG
    results = run_suite(chosen, data=tmp_path / "data", out=tmp_path / "out")
    assert results["judge"]["judged"] == 2
    assert [results["metrics"][f"free_{c}"] for c in ("rr", "rw")] == [0.5, 0.5]
    asked = [a["messages"][1]["content"] for a in server.asked]
    assert any(a.startswith("Reference: The video shows: Fire.") for a in asked)


def test_what_stands_in_the_way_is_one_line(server: Server, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    with pytest.raises(UserError, match="pins rubric 123, this version has"):
        judge_dir(folder, spec(server, rubric="123"))
    with pytest.raises(UserError, match="names no judge"):
        judge_of(suite_of())
    with pytest.raises(UserError, match="--url: not an http address"):
        judge_of(suite_of(), model="m", url="ftp://x")
    named = judge_of(suite_of(judge={"model": "m", "url": "http://a/v1"}), model="other")
    assert (named.model, named.url) == ("other", "http://a/v1")
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"reference": "a", "reason": "b", "label": "so-so"}\n')
    with pytest.raises(UserError, match=r"bad\.jsonl:1: label 'so-so'"):
        load_labelled(bad)
    bad.write_text("")
    with pytest.raises(UserError, match="no labelled reasons"):
        load_labelled(bad)


@pytest.mark.parametrize(
    "url", ["http://user:key@host/v1", "http://host/v1?key=7", "host:8000", "http://"]
)
def test_an_address_that_holds_a_key_or_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        JudgeSpec(model="m", url=url)


def test_the_command_line_judges(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    folder = make_run(tmp_path / "run")
    server.said = RIGHT
    arguments = ["judge", str(folder), "--labels", str(labelled(tmp_path))]
    done = CliRunner().invoke(app, [*arguments, "--model", "tiny", "--url", server.url])
    assert done.exit_code == 0
    assert f"judge tiny, rubric {rubric_id()}: 7 judged, 0 unreadable, agreement 0.4" in done.output
    monkeypatch.setattr("sys.argv", ["evals", "judge", str(folder)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("error: suite tiny names no judge")
    assert told.count("\n") == 1


# ---------------------------------------------------------------- figures


def test_judged_reasons_make_four_cells_kept_apart_from_choices() -> None:
    def pair(name: str, label: Label) -> Pair:
        sample = Sample(name, name, 4, 1.0, truth=(((0, 2),),))
        return Pair(sample, Outcome(name, np.zeros(4), np.ones(4, bool), label=label))

    pairs = [
        pair("a", Label.ANOMALOUS),
        pair("b", Label.ANOMALOUS),
        pair("c", Label.NORMAL),
        pair("d", Label.UNCERTAIN),
    ]
    judged = {"a": True, "b": False, "c": False, "d": True}
    made = figures(pairs, samples=5, judged=judged).metrics
    cells = [made[f"free_{c}"] for c in ("rr", "rw", "wr", "ww", "unanswered")]
    assert cells == [0.25, 0.25, 0.0, 0.25, 0.25]
    assert made["choice_rr"] is None
