"""The suite runner end to end: on drawn scenes always, on UCSD Ped2 where the clips are."""

import json

import pytest

from evals.runner import run_suite
from evals.scoring import score_dir
from evals.suite import Suite, data_root, load_suite

QUESTION = "Did anything out of the ordinary happen?"


@pytest.mark.slow
def test_a_suite_runs_resumes_and_says_what_it_rests_on(tmp_path):
    suite = Suite.model_validate(
        {
            "name": "tiny",
            "dataset": {
                "layout": "scenes",
                "kinds": ["cyclist", "normal"],
                "seeds": [5],
                "normals": 3,
                "seconds": 7,
            },
            "scene": "walkway",
            "question": QUESTION,
            "heldout": {"induce": 2, "seed": 0},
            "controls": ["no_rules", "shuffled_rules", "single_look"],
        }
    )
    said: list[str] = []
    first = run_suite(suite, out=tmp_path, say=said.append)
    assert first == json.loads((tmp_path / "results.json").read_text())
    assert first["metrics"]["micro_auroc"] > 0.9
    assert first["metrics"]["failed"] == 0
    assert first["unscored"] == []
    assert first["metrics"]["heldout_normal_items"] == 1
    # Alarms depend on how much normal footage calibrates them, and half a minute is little; what
    # is tested here is that every answer reaches the figures.
    counted = sum(first["metrics"][label] for label in ("anomalous", "uncertain"))
    assert counted == sum(row["label"] in {"anomalous", "uncertain"} for row in first["items"])

    run = json.loads((tmp_path / "run.json").read_text())
    assert set(run["code"]) == {"id", "commit", "dirty"}
    assert run["data"]["induced_from"]["heldout"] != run["data"]["induced_from"]["test"]
    assert "home" not in run["settings"]
    assert run["data"]["fingerprint"]

    for control in ("no_rules", "single_look"):
        assert first["controls"][control]["micro_auroc"] is not None
    page = (tmp_path / "report.html").read_text()
    assert 'id="roc"' in page

    said.clear()
    second = run_suite(suite, out=tmp_path, say=said.append)
    assert second == first
    assert any("test: 2 of 2 answers kept" in line for line in said)
    assert not any("inducing" in line for line in said)
    before = (tmp_path / "results.json").read_bytes()
    score_dir(tmp_path)
    assert (tmp_path / "results.json").read_bytes() == before


@pytest.mark.data
@pytest.mark.slow
def test_ucsd_ped2_from_three_clips(tmp_path, request):
    folder = data_root() / "ucsd_ped2"
    if not (folder / "labels.json").is_file():
        pytest.skip(f"UCSD Ped2 is not in {folder}: set VIDOCQ_DATA")
    shipped = load_suite(request.config.rootpath / "evals" / "suites" / "ucsd_ped2.yaml")
    few = shipped.model_dump() | {
        "induction": {"clips": ["Train001.mp4", "Train006.mp4", "Train008.mp4"]},
        "heldout": None,
        "controls": [],
        "inject": {"tools": ["look", "judge"], "items": 1},
    }
    results = run_suite(Suite.model_validate(few), data=folder, out=tmp_path, limit=2)
    assert results["limited_to"] == 2
    assert results["metrics"]["failed"] == 0
    assert results["metrics"]["coverage"] > 0.98
    assert results["metrics"]["micro_auroc"] > 0.85
