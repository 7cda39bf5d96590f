"""The published figures of recorded runs, from their frame scores and the labels alone."""

import pytest

from evals.datasets.captions import load_choices, load_normal_captions, load_rules
from evals.datasets.recorded import load_recorded, reference_pairs
from evals.deduction import Deduction, References
from evals.figures import figures
from evals.model import Pair
from evals.suite import data_root

pytestmark = pytest.mark.data


def folder(*parts):
    path = data_root().joinpath(*parts)
    if not path.is_dir():
        pytest.skip(f"no data in {path}: set VIDOCQ_DATA")
    return path


@pytest.mark.parametrize(
    ("name", "auroc", "area", "videos"),
    [("msad", 0.9131, 0.7530, 120), ("ucf_crime", 0.8738, 0.4421, 145)],
)
def test_published_figures_are_reproduced(name, auroc, area, videos):
    made = figures(reference_pairs(folder("recorded", name)), samples=20)
    assert made.metrics["items"] == videos
    assert made.metrics["micro_auroc"] == pytest.approx(auroc, abs=1e-4)
    assert made.metrics["pr_trapezoid"] == pytest.approx(area, abs=1e-4)
    # What the papers do not print: which video it is decides nearly everything.
    assert made.metrics["auroc_within_weight"] < 0.01
    assert made.metrics["macro_auroc"] < auroc
    assert made.controls["video_constant"]["micro_auroc"] > 0.8


def test_every_recording_is_read():
    recorded = load_recorded(folder("recorded", "msad"))
    assert sum(len(r.level("coarse")) for r in recorded) == 421
    assert sum(len(r.level("fine")) for r in recorded) == 1104
    assert sum(not r.complete for r in recorded) == 14


def test_four_choice_questions_are_answered_from_captions():
    captions = folder("captions")
    references = References("shanghaitech", load_normal_captions(captions, "shanghaitech"))
    deduction = Deduction(load_rules(captions, "shanghaitech"), references)
    items = load_choices(captions)
    made = figures([Pair(i.sample, deduction.choose(i)) for i in items], samples=20)
    cells = [made.metrics[f"choice_{c}"] for c in ("rr", "rw", "wr", "ww", "unanswered")]
    assert sum(cells) == pytest.approx(1.0, abs=1e-5)
    # What the caption shows is told for the right reason; where it misses it, nobody is accused.
    right = {i.sample.id: i.sample.choice.right for i in items}
    chosen = {i.sample.id: deduction.choose(i).chosen for i in items}
    assert all(chosen[name] == letter for name, letter in right.items() if letter != "X")
    assert made.metrics["choice_rw"] == made.metrics["choice_wr"] == 0.0
    assert made.metrics["choice_ww"] == pytest.approx(8 / 51, abs=1e-4)
