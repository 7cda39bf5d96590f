"""Suites, data sets, items and what the figures rest on."""

import json
import math

import pytest

from evals.bench.overhead import Run, covered
from evals.datasets import load_ucsd
from evals.items import Task, answer
from evals.provenance import code_id, data_id, file_sha256, git_state, versions, write_json
from evals.runner import run_suite
from evals.saved import load_saved
from evals.suite import Suite, data_root, load_suite
from tests.evalruns import sample_of
from tools.errors import MediaError, StoreError, UserError
from tools.types import Box


def suite(**changes):
    base = {
        "name": "s",
        "dataset": {"layout": "ucsd", "folder": "d"},
        "scene": "x",
        "question": "Anything?",
    }
    return Suite.model_validate(base | changes)


# ---------------------------------------------------------------- items


def test_an_expected_error_is_saved_and_a_bug_is_not(tmp_path):
    path = tmp_path / "a.jsonl"
    task = Task(
        key="k", section="test", sample=sample_of("a"), home="h", path=str(path), max_rounds=None
    )

    class Unreadable:
        def __call__(self, task):
            raise MediaError("a.mp4", "holds no frames")

    done = answer(Unreadable(), task)
    assert done.label == "failed: a.mp4: holds no frames"
    assert load_saved(path).error == "a.mp4: holds no frames"

    class Broken:
        def __call__(self, task):
            raise ZeroDivisionError

    path.unlink()
    with pytest.raises(ZeroDivisionError):
        answer(Broken(), task)
    assert not path.exists()


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
