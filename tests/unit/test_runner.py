"""Suites, data sets and the figures made from decisions worked out by hand."""

import json
import math

import pytest

from evals.bench.overhead import Run, covered
from evals.datasets import Item, load_ucsd
from evals.items import ItemResult, Task, answer
from evals.provenance import code_id, data_id, file_sha256, git_state, versions, write_json
from evals.report import report
from evals.runner import run_suite
from evals.suite import Suite, data_root, load_suite
from tools.decision import Decision, EventScore, Intent, Label, Timeline
from tools.errors import MediaError, StoreError, UserError
from tools.types import Box, Interval, TimeBase

TENTH = TimeBase(num=1, den=10)


def suite(**changes):
    base = {
        "name": "s",
        "dataset": {"layout": "ucsd", "folder": "d"},
        "scene": "x",
        "question": "Anything?",
    }
    return Suite.model_validate(base | changes)


def item(name="Test001.mp4", frames=10, anomalous=((4, 8),), **more):
    return Item(
        name=name,
        path=f"/nowhere/{name}",
        split="test",
        frames=frames,
        fps=10,
        anomalous=anomalous,
        boxes=more.pop("boxes", {}),
        **more,
    )


def event(start, end, label=Label.ANOMALOUS, **more):
    return EventScore(
        video_id="v",
        event_id=f"e{start}",
        interval=Interval(start=start, end=end, time_base=TENTH),
        label=label,
        score=0.9,
        summary="rode",
        **more,
    )


def decided(label, scores=None, events=(), frames=None):
    lines = ()
    if scores is not None:
        at = tuple(frames if frames is not None else range(len(scores)))
        lines = (
            Timeline(
                video_id="v", frames=at, seconds=tuple(i / 10 for i in at), scores=tuple(scores)
            ),
        )
    return Decision(
        run_id="r",
        query="Anything?",
        intent=Intent.ANOMALY,
        label=label,
        score=None if label is Label.UNCERTAIN else 0.9,
        events=events,
        timelines=lines,
    )


def result(decision, name="Test001.mp4", error=""):
    return ItemResult(key="k", name=name, decision=decision, error=error, seconds=1.0)


# ---------------------------------------------------------------- report


def test_figures_of_a_perfect_answer():
    scores = [0.1] * 4 + [0.9] * 4 + [0.2] * 2
    found = event(4, 8, key_frame=5, box=Box(x0=8, y0=8, x1=20, y1=20))
    one = item(boxes={5: Box(x0=0, y0=0, x1=10, y1=10)})
    done = report(suite(), [(one, result(decided(Label.ANOMALOUS, scores, (found,))))])
    metrics = done["metrics"]
    assert metrics["micro_auroc"] == 1.0
    assert metrics["average_precision"] == 1.0
    assert metrics["coverage"] == 1.0
    assert metrics["interval_recall"] == 1.0
    assert metrics["flagged_precision"] == 1.0
    assert metrics["interval_iou"] == 1.0
    assert (metrics["boxes_compared"], metrics["box_hit"]) == (1, 1.0)
    assert metrics["test_anomalous"] == 1
    assert done["items"][0]["flagged"][0]["seconds"] == [0.4, 0.8]
    assert json.loads(json.dumps(done, allow_nan=False)) == done


def test_a_failed_item_stays_in_the_figures_as_neutral_and_is_counted():
    good = decided(Label.ANOMALOUS, [0.1] * 4 + [0.9] * 4 + [0.2] * 2, (event(4, 8),))
    done = report(
        suite(),
        [
            (item("a"), result(good, "a")),
            (item("b"), result(None, "b", "b: cannot be read")),
        ],
    )
    # Abnormal .9 ×4 and .5 ×4 against normal .1 ×4, .2 ×2 and .5 ×6.
    wins = 4 * 12 + 4 * (6 + 0.5 * 6)
    assert done["metrics"]["micro_auroc"] == pytest.approx(wins / (8 * 12), abs=1e-5)
    assert done["metrics"]["test_failed"] == 1
    assert done["metrics"]["coverage"] == 0.5
    assert done["metrics"]["interval_recall"] == 0.5
    assert done["items"][1]["error"] == "b: cannot be read"
    assert done["items"][1]["label"] is None


def test_uncertain_answers_are_counted_and_flag_nothing():
    doubtful = decided(Label.UNCERTAIN, None, (event(0, 9, Label.UNCERTAIN),))
    metrics = report(suite(), [(item(), result(doubtful))])["metrics"]
    assert metrics["test_uncertain"] == 1
    assert metrics["flagged_events"] == 0
    assert metrics["flagged_precision"] is None
    assert metrics["interval_recall"] == 0.0
    assert metrics["coverage"] == 0.0


def test_one_class_leaves_auroc_undefined_with_its_reason():
    calm = decided(Label.NORMAL, [0.1] * 10)
    done = report(suite(), [(item(anomalous=()), result(calm))])
    assert done["metrics"]["micro_auroc"] is None
    assert "all 10 frames are normal" in done["undefined"]["micro_auroc"]
    assert done["metrics"]["micro_auroc_95_low"] is None


def test_held_out_normals_and_kinds_have_their_own_rows():
    alarm = decided(Label.ANOMALOUS, [0.6] * 10, (event(0, 3),))
    calm = decided(Label.NORMAL, [0.1] * 10)
    tests = [
        (item("a", kind="cyclist"), result(alarm, "a")),
        (item("b", kind="normal", anomalous=()), result(alarm, "b")),
    ]
    held = [(item("c", anomalous=()), result(alarm, "c")), (item("d", anomalous=()), result(calm))]
    done = report(suite(), tests, held)
    assert done["metrics"]["heldout_normal_items"] == 2
    assert done["metrics"]["heldout_normal_anomalous"] == 1
    assert done["by_kind"]["normal"]["decisions_anomalous"] == 1
    assert done["by_kind"]["normal"]["false_events"] == 1
    assert done["by_kind"]["cyclist"]["interval_recall"] == 0.0


def test_the_gap_that_is_bridged_comes_from_the_suite():
    sparse = decided(Label.ANOMALOUS, [0.2, 0.8], frames=(0, 6))
    wide = report(suite(max_gap_s=0.6), [(item(), result(sparse))])
    narrow = report(suite(max_gap_s=0.5), [(item(), result(sparse))])
    assert wide["metrics"]["coverage"] == 1.0
    assert narrow["metrics"]["coverage"] == pytest.approx(0.5)


def test_scores_outside_the_labelled_frames_are_refused():
    with pytest.raises(UserError, match="outside"):
        report(suite(), [(item(frames=5, anomalous=()), result(decided(Label.NORMAL, [0.1] * 6)))])


# ---------------------------------------------------------------- items


def test_an_expected_error_becomes_part_of_the_item_and_a_bug_does_not():
    task = Task(key="k", name="a", path="a.mp4", home="h")

    def unreadable(path):
        raise MediaError(path, "holds no frames")

    failed = answer(unreadable, task)
    assert failed.decision is None
    assert failed.error == "a.mp4: holds no frames"

    def broken(path):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answer(broken, task)


# ---------------------------------------------------------------- suites


def test_every_shipped_suite_is_valid_and_named_after_its_file(request):
    files = sorted((request.config.rootpath / "evals" / "suites").glob("*.yaml"))
    assert [load_suite(f).name for f in files] == [f.stem for f in files]
    shipped = load_suite(next(f for f in files if f.stem == "ucsd_ped2"))
    assert shipped.heldout is not None
    assert shipped.heldout.induce == 12


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: a\nscene: s\nquestion: q\ndataset: {layout: ucsd, folder: d}\nnonsense: 1\n",
            "nonsense",
        ),
        ("name: a\nscene: s\nquestion: q\n", "dataset"),
        ("name: a/b\nscene: s\nquestion: q\ndataset: {layout: ucsd, folder: d}\n", "name"),
        ("- just\n- a list\n", "suite"),
        ("name: [\n", "not YAML"),
    ],
)
def test_a_bad_suite_is_one_line_naming_file_and_key(tmp_path, text, message):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_suite(file)
    assert "bad.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_suite_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml"):
        load_suite(tmp_path / "none.yaml")


def test_data_root_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("VIDOCQ_DATA", str(tmp_path))
    assert data_root() == tmp_path
    monkeypatch.delenv("VIDOCQ_DATA")
    assert data_root().parts[-2:] == ("shared", "data")


# ---------------------------------------------------------------- data sets


def labelled(folder, entries):
    for name in entries:
        (folder / name).write_bytes(b"clip")
    (folder / "labels.json").write_text(json.dumps(entries))
    return folder


ENTRY = {
    "split": "test",
    "frames": 5,
    "fps": 10,
    "anomalous": [[1, 3]],
    "boxes": {"1": [0, 0, 2, 2]},
}


def test_a_labelled_folder_is_read(tmp_path):
    train = ENTRY | {"split": "train", "anomalous": [], "boxes": {}, "kind": "normal"}
    found = load_ucsd(labelled(tmp_path, {"Test1.mp4": ENTRY, "Train1.mp4": train}))
    assert [i.name for i in found.train] == ["Train1.mp4"]
    assert found.test[0].anomalous_s == ((0.1, 0.3),)
    assert found.test[0].boxes[1] == Box(x0=0, y0=0, x1=2, y1=2)
    assert found.train[0].kind == "normal"


def test_a_folder_without_labels_names_the_remedy(tmp_path):
    with pytest.raises(UserError, match="VIDOCQ_DATA"):
        load_ucsd(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"anomalous": [[3, 9]]},
        {"anomalous": [[3]]},
        {"frames": 0},
        {"split": "validation"},
        {"boxes": {"1": [5, 5, 2, 2]}},
    ],
)
def test_a_malformed_label_names_its_clip(tmp_path, change):
    with pytest.raises(UserError, match=r"Test1\.mp4"):
        load_ucsd(labelled(tmp_path, {"Test1.mp4": ENTRY | change}))


def test_a_listed_clip_that_is_not_there(tmp_path):
    folder = labelled(tmp_path, {"Test1.mp4": ENTRY})
    (folder / "Test1.mp4").unlink()
    with pytest.raises(UserError, match=r"Test1\.mp4 is missing"):
        load_ucsd(folder)


def test_labels_that_are_not_json(tmp_path):
    (tmp_path / "labels.json").write_text("{")
    with pytest.raises(UserError, match="JSON"):
        load_ucsd(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "needs training and test clips"),
        ({"induction": {"clips": ["Train9.mp4"]}}, r"no training clip Train9\.mp4"),
    ],
)
def test_a_suite_that_does_not_fit_its_data_is_refused_before_any_work(tmp_path, changes, message):
    folder = labelled(tmp_path, {"Test1.mp4": ENTRY})
    with pytest.raises(UserError, match=message):
        run_suite(suite(**changes), data=folder, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_few_clips_to_hold_any_out(tmp_path):
    train = ENTRY | {"split": "train", "anomalous": [], "boxes": {}}
    folder = labelled(tmp_path, {"Test1.mp4": ENTRY, "Train1.mp4": train})
    with pytest.raises(UserError, match=r"lower heldout\.induce"):
        run_suite(suite(heldout={"induce": 12}), data=folder, out=tmp_path / "out")


# ---------------------------------------------------------------- provenance


def test_provenance_names_code_packages_and_data(tmp_path):
    assert len(code_id()) == 16
    assert code_id() == code_id()
    assert versions()["numpy"][0].isdigit()
    assert set(git_state()) == {"commit", "dirty"}
    (tmp_path / "a").write_bytes(b"1")
    first = file_sha256(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"2")
    assert file_sha256(tmp_path / "a") != first
    assert data_id({"a": "1", "b": "2"}) == data_id({"b": "2", "a": "1"})
    assert data_id({"a": "1"}) != data_id({"a": "2"})


def test_json_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "x.json"
    write_json(target, {"a": 1})
    with pytest.raises(ValueError):
        write_json(target, {"a": math.nan})
    assert json.loads(target.read_text()) == {"a": 1}
    assert [p.name for p in target.parent.iterdir()] == ["x.json"]
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write_json(tmp_path / "file" / "x.json", {})


# ---------------------------------------------------------------- benches


def test_overlapping_tool_calls_count_once():
    assert covered([(0.0, 2.0), (1.0, 3.0), (5.0, 6.0), (5.2, 5.4)]) == pytest.approx(4.0)
    assert covered([]) == 0.0
    run = Run(wall=5.0, tools=4.0, calls=4, rounds=1, label="normal")
    assert run.overhead == pytest.approx(0.2)
