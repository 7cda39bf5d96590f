"""Saved traces scored again: the same bytes, damage named, the rest scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evals.model import Choice, Found, Outcome, Sample, Told, ToolCall
from evals.plan import read_plan, trace_path, write_plan
from evals.saved import Damaged, load_saved, save, saved_key
from evals.scoring import load_run, report_dir, results_of, score_dir
from tests.evalruns import make_run, sample_of, suite_of
from tools.decision import Label
from tools.errors import StoreError, UserError
from tools.types import Box


def saved(folder: Path, name: str) -> Path:
    item = next(i for i in read_plan(folder).items if i.name == name)
    return trace_path(folder, item)


def reasons(folder: Path) -> dict[str, str]:
    return {row["name"]: row["reason"] for row in load_run(folder).unscored}


def test_figures_by_hand(tmp_path: Path) -> None:
    # Abnormal .9 ×20 and .7 ×20 against .1–.2 ×80 of the two, and .3 ×20 and .1–.2 ×40 of the
    # normal one: every abnormal frame above every normal one.
    results = score_dir(make_run(tmp_path))
    metrics = results["metrics"]
    assert metrics["micro_auroc"] == 1.0
    assert metrics["coverage"] == 1.0
    assert metrics["interval_recall"] == 1.0
    assert metrics["flagged_precision"] == 1.0
    assert metrics["citation_precision"] == 1.0
    assert (metrics["items"], metrics["anomalous"], metrics["failed"]) == (3, 2, 0)
    assert metrics["unscored"] == 0
    assert results["by_kind"]["cyclist"]["auroc"] == 1.0
    assert results["items"][0]["flagged"][0]["frames"] == [20, 40]
    assert json.loads((tmp_path / "results.json").read_text()) == json.loads(json.dumps(results))


def test_the_same_traces_give_the_same_bytes(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    score_dir(folder)
    first = (folder / "results.json").read_bytes()
    (folder / "results.json").unlink()
    score_dir(folder)
    assert (folder / "results.json").read_bytes() == first


def test_the_losses_of_the_items_add_up_to_what_auroc_lacks(tmp_path: Path) -> None:
    results = score_dir(make_run(tmp_path, peaks={"a": 0.9, "b": 0.15, "normal": 0.95}))
    assert results["metrics"]["micro_auroc"] < 0.9
    lost = sum(row["loss"] for row in results["items"])
    assert lost == pytest.approx(1 - results["metrics"]["micro_auroc"], abs=1e-5)


def test_a_failed_item_stays_in_the_figures_as_neutral(tmp_path: Path) -> None:
    results = score_dir(make_run(tmp_path, errors=["b.mp4"]))
    metrics = results["metrics"]
    # Abnormal .9 ×20 and .5 ×20; normal 40 + 60 below .5 and 40 at .5.
    wins = 20 * 140 + 20 * (100 + 0.5 * 40)
    assert metrics["micro_auroc"] == pytest.approx(wins / (40 * 140), abs=1e-6)
    assert metrics["failed"] == 1
    assert metrics["coverage"] == pytest.approx(2 / 3, abs=1e-6)
    assert results["items"][1]["error"] == "b.mp4: cannot be read"
    assert results["items"][1]["label"] is None


# ---------------------------------------------------------------- damage


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_end(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def without_a_line(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[4:]))


def swapped(old: str, new: str):
    def change(path: Path) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut, "cut in line"),
        (without_end, "without an end line"),
        (without_a_line, "cut: 8 lines of 9"),
        (swapped("vidocq-item/1", "vidocq-item/9"), "unknown schema 'vidocq-item/9'"),
        (swapped("vidocq-trace/1", "vidocq-trace/9"), "unknown schema 'vidocq-trace/9'"),
        (swapped('"key":"key-b.mp4"', '"key":"other"'), "of another run"),
        (swapped('"type":"Look"', '"type":"Glance"'), "line 6 is not of schema"),
        (swapped('"frames":60,"fps"', '"frames":6,"fps"'), "does not fit"),
        (swapped('"kind":"when"', '"kind":"whence"'), "is not of schema"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(b"[]\n"), "not an object"),
        (lambda path: path.write_bytes(b"\xff\xfe\n"), "damaged in line 1"),
        (lambda path: path.unlink(), "no saved trace"),
    ],
)
def test_a_damaged_trace_is_named_and_the_rest_scored(tmp_path: Path, damage, reason: str) -> None:
    folder = make_run(tmp_path)
    damage(saved(folder, "b.mp4"))
    results = score_dir(folder)
    [row] = results["unscored"]
    assert row["name"] == "b.mp4"
    assert row["file"] == "traces/test/b.mp4.jsonl"
    assert reason in row["reason"]
    assert "\n" not in row["reason"]
    assert results["metrics"]["items"] == 2
    assert results["metrics"]["unscored"] == 1
    assert results["metrics"]["micro_auroc"] == 1.0


def test_evidence_that_does_not_exist_is_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path, cite={"a.mp4": "obs:invented"})
    assert reasons(folder) == {"a.mp4": "cites evidence that does not exist: obs:invented"}
    assert results_of(load_run(folder))["metrics"]["items"] == 2


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"suite\.json is missing"):
        score_dir(tmp_path)
    (tmp_path / "suite.json").write_text('{"schema_version": "vidocq-run/7"}')
    with pytest.raises(StoreError, match="schema_version"):
        score_dir(tmp_path)


# ---------------------------------------------------------------- the file


def test_an_outcome_without_an_agent_comes_back_as_it_was(tmp_path: Path) -> None:
    box = Box(x0=1, y0=2, x1=3, y1=4)
    sample = Sample(
        id="x/ü 1",
        source="recorded:x",
        frames=5,
        fps=2.0,
        truth=(((1, 3),), ()),
        boxes={1: (box,)},
        tracks={"t": {1: box, 2: box}},
        references=("a man falls",),
        choice=Choice({"A": "Anomaly, since …"}, "A", {"A": Label.ANOMALOUS}),
        expected=("look",),
    )
    outcome = Outcome(
        sample=sample.id,
        scores=np.array([0.1, 0.1, 0.7, 0.7, 1 / 3]),
        answered=np.array([True, True, True, True, False]),
        label=Label.ANOMALOUS,
        score=0.7,
        events=(Found(2, 4, 0.7, Label.ANOMALOUS, box, 2, {2: box}),),
        steps=(Told("what", "it falls", ("frame:x:2",), spans=((2, 3),)),),
        chosen="A",
        rules_known=frozenset({"rule:a@1"}),
        trajectory=(ToolCall("look", "h", seconds=0.5),),
        rounds=(np.array([0.0, 0.0, 1.0, 1.0, 0.5]),),
        seconds=1.5,
    )
    path = tmp_path / "x.jsonl"
    save(path, sample=sample, section="test", key="k", seconds=1.5, outcome=outcome)
    back = load_saved(path)
    assert back.outcome is not None
    assert repr(back.sample) == repr(sample)
    assert back.outcome.scores.tolist() == outcome.scores.tolist()
    assert back.outcome.answered.tolist() == outcome.answered.tolist()
    assert back.outcome.rounds[0].tolist() == outcome.rounds[0].tolist()
    assert back.outcome.events == outcome.events
    assert back.outcome.steps == outcome.steps
    assert back.outcome.trajectory == outcome.trajectory
    assert back.outcome.rules_known == outcome.rules_known
    assert saved_key(path) == "k"


def test_a_trace_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        save(tmp_path / "file" / "x.jsonl", sample=sample_of("x"), section="t", key="k", seconds=0)
    with pytest.raises(StoreError, match="cannot write"):
        save(
            tmp_path / "x.jsonl",
            sample=sample_of("x"),
            section="t",
            key="k",
            seconds=0,
            trace=tmp_path / "none.jsonl",
        )
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_has_to_be_asked_again(tmp_path: Path) -> None:
    folder = make_run(tmp_path, errors=["b.mp4"])
    assert saved_key(saved(folder, "a.mp4")) == "key-a.mp4"
    assert saved_key(saved(folder, "b.mp4")) is None
    cut(saved(folder, "a.mp4"))
    assert saved_key(saved(folder, "a.mp4")) is None
    assert saved_key(tmp_path / "none") is None


def test_neither_decision_nor_error_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    save(path, sample=sample_of("x"), section="test", key="k", seconds=0)
    with pytest.raises(Damaged, match="no decision and no error"):
        load_saved(path)


@pytest.mark.parametrize(
    ("of", "becomes", "reason"),
    [
        ('"frames":1,', '"frames":2,', "1 scores for 2 frames"),
        ('"score":0.9,', '"score":9.0,', "the score 9.0 of the answer is not in [0, 1]"),
        ('"chosen":"A"', '"chosen":"Q"', "it chose 'Q', which is no option of the question"),
        ('"start":0,"end":1,', '"start":0,"end":3,', "the event [0, 3) is not in the video"),
        ("[[0.9,1]]", "[[NaN,1]]", "a score is not a finite number"),
    ],
)
def test_an_outcome_that_does_not_fit_its_sample_is_damage(
    tmp_path: Path, of: str, becomes: str, reason: str
) -> None:
    sample = Sample(
        id="q",
        source="q",
        frames=1,
        fps=1.0,
        truth=(((0, 1),),),
        choice=Choice(options={"A": "Anomaly, since …", "B": "Normal"}, right="A"),
    )
    outcome = Outcome(
        sample="q",
        scores=np.array([0.9]),
        answered=np.ones(1, bool),
        label=Label.ANOMALOUS,
        score=0.9,
        events=(Found(start=0, end=1, score=0.9, label=Label.ANOMALOUS),),
        chosen="A",
    )
    path = tmp_path / "q.jsonl"
    save(path, sample=sample, section="test", key="k", seconds=1.0, outcome=outcome)
    assert load_saved(path).outcome is not None
    text = path.read_text()
    assert of in text
    path.write_text(text.replace(of, becomes, 1))
    with pytest.raises(Damaged) as damaged:
        load_saved(path)
    assert reason in damaged.value.why


def test_a_control_lacks_what_the_run_lacks_and_says_what_it_lacks_itself(tmp_path: Path) -> None:
    suite = suite_of(controls=["no_rules"])
    folder = make_run(tmp_path, suite=suite)
    plan = read_plan(folder)
    others = [i.model_copy(update={"section": "control:no_rules"}) for i in plan.items]
    for item, other in zip(plan.items, others, strict=True):
        target = trace_path(folder, other)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = trace_path(folder, item).read_text()
        target.write_text(text.replace('"section":"test"', '"section":"control:no_rules"', 1))
    write_plan(folder, suite, None, [*plan.items, *others])
    assert score_dir(folder)["controls"]["no_rules"]["items"] == 3
    trace_path(folder, plan.items[0]).unlink()
    assert score_dir(folder)["controls"]["no_rules"]["items"] == 2
    trace_path(folder, others[1]).unlink()
    assert score_dir(folder)["controls"]["no_rules"]["items"] == 1
    assert "No rules: on 1 of 2 items" in report_dir(folder).read_text()
