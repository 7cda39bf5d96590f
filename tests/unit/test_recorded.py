"""Recorded runs: reading, misfits named with their line, and replay through the state machine."""

import gzip
import json

import numpy as np
import pytest

from agent.trace import Trace, read_lines
from evals.datasets.recorded import (
    frame_scores,
    load_labels,
    load_recorded,
    reference_pairs,
)
from evals.figures import figures
from evals.injecting import INJECTED, Fault
from evals.model import Pair
from evals.outcomes import outcome_of
from evals.replay import Replay
from evals.rounds import held_scores, round_scores
from evals.saved import load_saved, save
from evals.scrutiny import put_recovery
from evals.tally import Figures
from tools.decision import Label
from tools.errors import UserError
from tools.types import Caption

QUESTION = "Did anything out of the ordinary happen?"


def node(name, level, start, end, score, parent=None, caption="People walk."):
    return {
        "id": name,
        "level": level,
        "start": start,
        "end": end,
        "caption": caption,
        "score": score,
        "verdict_text": f"I think so.\n</think>\n\n[{score}]",
        "parent": parent,
    }


def trace(video_id="m1", **changes):
    """100 frames at 10 a second: calm, then a fight in its second half's second half."""
    return {
        "schema": "vad-trace/1",
        "dataset": "msad",
        "video_id": video_id,
        "fps": 10.0,
        "n_frames": 100,
        "tree_frames": 100,
        "covered_frames": 100,
        "coverage_ok": True,
        "gebd": {"conf": [0.1] * 25},
        "nodes": [
            node("c0", "coarse", 0, 40, 0.1),
            node("c1", "coarse", 40, 99, 0.8, caption="Two men fight."),
            node("f0", "fine", 0, 40, 0.1, "c0"),
            node("f1", "fine", 40, 70, 0.2, "c1"),
            node("f2", "fine", 70, 99, 0.9, "c1", caption="Two men fight."),
        ],
    } | changes


LABEL = {"video_id": "m1", "category": "Fighting", "anomalies": [[70, 100]]}
REFERENCE = {
    "video_id": "m1",
    "refined": {"c0": 0.0, "c1": 0.4, "f0": 0.2, "f1": 0.2, "f2": 0.8},
    "frame_scores_rle": None,
}


def folder(tmp_path, traces=None, label=LABEL, reference=REFERENCE):
    for name, rows in (
        ("traces", traces or [trace()]),
        ("labels", [label]),
        ("reference", [reference]),
    ):
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


def test_a_label_that_ends_at_the_last_frame_is_clipped(tmp_path):
    where = folder(tmp_path)
    (sample,) = load_labels(where, load_recorded(where))
    assert sample.truth == (((70, 100),),)


def test_a_later_node_takes_the_shared_frame_and_gaps_are_zero():
    from evals.datasets.recorded import Node

    nodes = (Node("a", "fine", 1, 3, "", 0.0, ""), Node("b", "fine", 3, 4, "", 0.0, ""))
    assert frame_scores(6, nodes, {"a": 0.5, "b": 0.7}).tolist() == [0, 0.5, 0.5, 0.7, 0.7, 0]


def test_the_reference_is_the_mean_of_two_levels_or_its_own_scores(tmp_path):
    (pair,) = reference_pairs(folder(tmp_path))
    # Coarse 0 then .4 from frame 40; fine .2, then .8 from 70.
    assert pair.outcome.scores[[0, 39, 40, 69, 70, 99]].tolist() == pytest.approx(
        [0.1, 0.1, 0.3, 0.3, 0.6, 0.6]
    )
    own = REFERENCE | {"frame_scores_rle": [[0, 49, 0.1], [50, 99, 0.9]]}
    (pair,) = reference_pairs(folder(tmp_path, reference=own))
    assert pair.outcome.scores[[49, 50]].tolist() == [0.1, 0.9]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"traces": [trace(), trace("m2", schema="vad-trace/9")]},
            "traces.jsonl.gz:2: unknown sch",
        ),
        ({"traces": [trace(n_frames="many")]}, "traces.jsonl.gz:1: n_frames is 'many'"),
        ({"label": LABEL | {"anomalies": [[70, 120]]}}, "labels.jsonl.gz:1: the interval"),
        ({"label": LABEL | {"video_id": "m9"}}, "labels.jsonl.gz:1: no trace of video m9"),
        (
            {"reference": REFERENCE | {"frame_scores_rle": [[0, 100, 1]]}},
            "reference.jsonl.gz:1: frame_scores_rle",
        ),
    ],
)
def test_misfits_are_named_with_their_line(tmp_path, change, message):
    with pytest.raises(UserError) as caught:
        reference_pairs(folder(tmp_path, **change))
    assert message in str(caught.value)


def test_a_cut_file_is_named(tmp_path):
    where = folder(tmp_path)
    file = where / "traces.jsonl.gz"
    file.write_bytes(file.read_bytes()[:-12])
    with pytest.raises(UserError, match=r"traces.jsonl.gz:\d+: cannot be read"):
        load_recorded(where)


def test_replay_runs_the_real_graph_over_recorded_words(tmp_path):
    where = folder(tmp_path)
    recorded = load_recorded(where)
    (sample,) = load_labels(where, recorded)
    with Replay(where, tmp_path / "home") as replay:
        decision, path = replay.ask(sample.source, QUESTION)
    assert decision.label is Label.ANOMALOUS
    assert decision.failures == ()
    # Both coarse events first; the fight alone is zoomed into. Both of its halves are flagged: the
    # two levels are two opinions, and on the calmer half .8 and .2 make more than .5 together.
    assert (decision.cost.looks, decision.cost.rounds) == (4, 2)
    top = decision.events[0]
    assert (top.interval.start, top.interval.end) == (40, 100)
    ledger = Trace(decision.run_id, path, writable=False)
    told = [ledger.evidence(ref) for s in decision.explanation for ref in s.evidence]
    assert all(told)
    assert any(isinstance(t, Caption) and t.text == "Two men fight." for t in told)
    scores, answered = held_scores(ledger, sample)
    assert answered.all()
    assert scores[99] > scores[50] > 0.5 > scores[0]
    first, last = round_scores([line for line, _ in read_lines(path)], ledger, sample)
    assert first[[0, 50, 99]].tolist() == [0.1, 0.8, 0.8]
    assert last[[0, 50, 99]].tolist() == [0.1, 0.2, 0.9]


def test_a_calm_half_is_acquitted_and_every_event_looked_at_finely_where_that_is_asked(tmp_path):
    calm = trace()
    calm["nodes"][1] |= {"score": 0.6}
    calm["nodes"][3] |= {"score": 0.1, "caption": ""}
    where = folder(tmp_path, traces=[calm])
    with Replay(where, tmp_path / "home", zoom="all") as replay:
        decision, path = replay.ask("recorded:msad/m1", QUESTION)
    assert decision.cost.looks == 5
    flagged = [e for e in decision.events if e.label is Label.ANOMALOUS]
    assert [(e.interval.start, e.interval.end) for e in flagged] == [(70, 100)]
    captions = [k.description.caption.text for k in Trace("r", path, writable=False).looks.values()]
    assert any(c.endswith("of the longer one around it: Two men fight.") for c in captions)


def test_what_was_not_recorded_is_an_error_never_made_up(tmp_path):
    silent = trace()
    silent["nodes"][1] = silent["nodes"][1] | {"score": None, "verdict_text": "no idea"}
    silent["nodes"] = [n for n in silent["nodes"] if n["id"] in {"c0", "c1"}]
    with Replay(folder(tmp_path, traces=[silent]), tmp_path / "home") as replay:
        decision, _ = replay.ask("recorded:msad/m1", QUESTION)
        assert decision.label is Label.UNCERTAIN
        # Zoomed in at the same interval: at the fine level nothing was recorded.
        missing, _ = replay.ask("recorded:msad/m7", QUESTION)
    assert decision.score is None
    assert missing.label is Label.UNCERTAIN
    assert "no such recording" in missing.failures[0].reason


def test_a_truncated_recording_leaves_frames_unanswered(tmp_path):
    short = trace(n_frames=120, coverage_ok=False)
    where = folder(tmp_path, traces=[short])
    (sample,) = load_labels(where, load_recorded(where))
    assert not sample.complete
    with Replay(where, tmp_path / "home") as replay:
        decision, path = replay.ask(sample.source, QUESTION)
    scores, answered = held_scores(Trace(decision.run_id, path, writable=False), sample)
    assert np.flatnonzero(~answered).tolist() == list(range(100, 120))
    assert scores[110] == 0.0


@pytest.mark.parametrize("tool", ["look", "judge"])
def test_recovery_from_an_injected_failure_is_seen_in_the_trace(tmp_path, tool):
    where = folder(tmp_path)
    (sample,) = load_labels(where, load_recorded(where))

    def asked(name, fault):
        with Replay(where, tmp_path / name, fault=fault, parallel=1) as replay:
            decision, path = replay.ask(sample.source, QUESTION)
        saved = tmp_path / f"{name}.jsonl"
        struck = fault.struck if fault else ""
        save(saved, sample=sample, section="test", key="k", seconds=1.0, trace=path, struck=struck)
        return decision, outcome_of(load_saved(saved), max_gap_s=1.0)

    _, calm = asked("calm", None)
    once, outcome = asked("once", Fault(tool))
    lasting, lost = asked("lasting", Fault(tool, lasting=True))
    # Tried again, it succeeds: the failure changed nothing.
    assert (once.label, once.failures) == (Label.ANOMALOUS, ())
    failed = [c for c in outcome.trajectory if not c.ok]
    assert [(c.tool, c.injected) for c in failed] == [(tool, True)]
    assert len(outcome.trajectory) == len(calm.trajectory) + 1
    assert len(outcome.rounds) == 2
    assert outcome.scores.tolist() == calm.scores.tolist()
    # The calm event is lost, and said to be; the fight is found all the same.
    assert [f.reason for f in lasting.failures] == [INJECTED]
    assert lasting.label is Label.ANOMALOUS
    assert [c.injected for c in lost.trajectory if not c.ok] == [True, True]

    made = Figures()
    pairs = {tool: [Pair(sample, outcome), Pair(sample, lost)]}
    table = put_recovery(made, [Pair(sample, calm)], pairs)
    assert (made.metrics["recovery"], made.metrics["recovery_items"]) == (1.0, 2)
    assert table[tool]["labels"]["anomalous"] == 2
    figs = figures([Pair(sample, outcome)], samples=5).metrics
    assert (figs["calls_failed"], figs["calls_redundant"], figs["calls_repeated"]) == (1, 0, 0)
