"""A suite run without video or model: resumed, limited, side by side, replayed recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evals.plan import read_plan
from evals.preparing import prepare
from evals.runner import run_suite
from evals.saved import load_saved
from evals.scoring import score_dir
from evals.suite import Suite
from tests.recordings import packed, write_recorded
from tools.errors import MediaError, UserError


@pytest.fixture(scope="module")
def captions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captions")
    calm, odd = "A man is walking on the path.", "A man is riding a bicycle on the path."
    packed(
        folder / "yard.frames.jsonl.gz",
        [
            {"video": f"v{v}", "frame": i, "caption": odd if on else calm, "label": int(on)}
            for v in range(3)
            for i, on in enumerate([False] * 30 + [v < 2] * 30)
        ],
    )
    packed(
        folder / "normal_reference.jsonl.gz",
        [{"dataset": "yard", "caption": calm} for _ in range(50)],
    )
    rules = {
        "normal_activity": ["walking"],
        "normal_object": ["path"],
        "anomaly_activity": ["riding a bicycle"],
        "anomaly_object": ["cars"],
    }
    packed(folder / "rules.jsonl.gz", [{"dataset": "yard", "rules": rules}])
    return folder


def suite(**changes: Any) -> Suite:
    base = {
        "name": "yard",
        "dataset": {"layout": "captions", "folder": "captions", "dataset": "yard"},
        "scene": "yard",
        "question": "Did anything out of the ordinary happen?",
        "bootstrap": {"samples": 20},
    }
    return Suite.model_validate(base | changes)


def test_an_interrupted_run_asks_only_what_is_missing(captions: Path, tmp_path: Path) -> None:
    said: list[str] = []
    first = run_suite(suite(), data=captions, out=tmp_path, limit=2, say=said.append)
    assert first["metrics"]["items"] == first["limited_to"] == 2
    assert sum("anomalous" in line for line in said) == 2

    said.clear()
    traces = sorted((tmp_path / "traces" / "test").iterdir())
    traces[0].write_bytes(traces[0].read_bytes()[:-20])  # the process died here
    kept = traces[1].stat().st_mtime_ns
    second = run_suite(suite(), data=captions, out=tmp_path, say=said.append)
    assert said[0] == "test: 1 of 3 answers kept from an earlier run"
    assert len(said) == 3
    assert traces[1].stat().st_mtime_ns == kept
    assert second["metrics"]["items"] == 3
    assert second["metrics"]["micro_auroc"] == 1.0
    assert second["unscored"] == []

    before = (tmp_path / "results.json").read_bytes()
    score_dir(tmp_path)
    assert (tmp_path / "results.json").read_bytes() == before
    assert (tmp_path / "report.html").is_file()
    assert json.loads((tmp_path / "run.json").read_text())["data"]["files"] == 3


def test_answers_by_other_rules_are_not_kept(captions: Path, tmp_path: Path) -> None:
    said: list[str] = []
    run_suite(suite(), data=captions, out=tmp_path, say=said.append)
    said.clear()
    run_suite(suite(), data=captions, out=tmp_path, say=said.append)
    assert said[0] == "test: 3 of 3 answers kept from an earlier run"
    for change in ({"rules": "both"}, {"smoothing": "ema", "causal": True}):
        said.clear()
        other = suite(dataset=suite().dataset.model_dump() | change)
        results = run_suite(other, data=captions, out=tmp_path, say=said.append)
        assert not any("kept" in line for line in said)
        assert results["metrics"]["micro_auroc"] > 0.9


def test_scoring_needs_neither_data_nor_model(captions: Path, tmp_path: Path) -> None:
    run_suite(suite(), data=captions, out=tmp_path / "a")
    moved = (tmp_path / "a").rename(tmp_path / "b")
    results = score_dir(moved)
    assert results["metrics"]["micro_auroc"] == 1.0


def test_controls_stand_beside_the_headline(captions: Path, tmp_path: Path) -> None:
    chosen = suite(controls=["no_rules", "shuffled_rules"])
    results = run_suite(chosen, data=captions, out=tmp_path)
    assert results["controls"]["no_rules"]["anomalous"] == 0, "what is only new accuses nobody"
    assert results["controls"]["video_constant"]["micro_auroc"] < 1
    assert isinstance(results["controls"]["single_look"], str)
    sections = {item.section for item in read_plan(tmp_path).items}
    assert sections == {"test", "control:no_rules", "control:shuffled_rules"}
    with pytest.raises(UserError, match="no second look"):
        run_suite(suite(controls=["single_look"]), data=captions, out=tmp_path)


def test_side_by_side_gives_the_same(captions: Path, tmp_path: Path) -> None:
    one = run_suite(suite(), data=captions, out=tmp_path / "one")
    two = run_suite(suite(), data=captions, out=tmp_path / "two", workers=2)
    for results in (one, two):
        for row in results["items"]:
            del row["seconds"]
    assert one["items"] == two["items"]
    assert one["metrics"]["micro_auroc"] == two["metrics"]["micro_auroc"]


def test_a_recording_is_replayed_and_the_original_scored_beside_it(tmp_path: Path) -> None:
    write_recorded(tmp_path / "data")
    chosen = suite(
        name="tiny", dataset={"layout": "recorded", "folder": "x"}, controls=["single_look"]
    )
    results = run_suite(chosen, data=tmp_path / "data", out=tmp_path / "out")
    assert results["metrics"]["failed"] == 0
    assert results["unscored"] == []
    assert results["metrics"]["micro_auroc"] > 0.9
    assert results["reference"]["metrics"]["micro_auroc"] == 1.0
    assert results["controls"]["single_look"]["micro_auroc"] is not None
    saved = load_saved(tmp_path / "out" / "traces" / "test" / "m1.jsonl")
    assert saved.ledger is not None
    assert any(call.tool == "judge" for call in saved.ledger.calls)


def test_what_an_interrupted_induction_left_is_not_built_upon(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    clips = {"Train1.mp4": "train", "Test1.mp4": "test"}
    for name in clips:
        (tmp_path / "d" / name).write_bytes(b"no video")
    table = {
        name: {"split": split, "frames": 9, "fps": 10.0, "anomalous": [], "boxes": {}}
        for name, split in clips.items()
    }
    (tmp_path / "d" / "labels.json").write_text(json.dumps(table))
    suite = Suite.model_validate(
        {
            "name": "s",
            "dataset": {"layout": "ucsd", "folder": "d"},
            "scene": "gate",
            "question": "Anything?",
        }
    )
    out = tmp_path / "out"
    prepared = prepare(suite, out, data=tmp_path / "d", limit=None, say=lambda _: None)
    home = prepared.sections[0].home
    home.mkdir(parents=True)
    (home / "record.db").write_bytes(b"half an archive")
    with pytest.raises(MediaError, match=r"Train1\.mp4"):
        prepared.sections[0].make(lambda _: None)
    left = home / "record.db"
    assert not left.exists() or left.read_bytes() != b"half an archive"
