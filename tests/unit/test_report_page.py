"""The report page: whole, self-contained, safe with odd text, and drawn by a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from evals.model import Choice, Outcome, Sample
from evals.page import svg
from evals.plan import Expected, trace_path, write_plan
from evals.saved import save
from evals.scoring import report_dir
from tests.evalruns import make_run, suite_of
from tools.decision import Label

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(
        tmp_path_factory.mktemp("run"),
        peaks={"a.mp4": 0.9, "b.mp4": 0.15, "c.mp4": 0.7, "normal.mp4": 0.3},
        errors=["c.mp4"],
        cite={"gone.mp4": "obs:x"},
    )
    return report_dir(folder)


class Tags(HTMLParser):
    """Checks that tags nest, and keeps addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [v or "" for k, v in attrs if k in {"src", "href", "srcset", "action"}]
        if tag not in {"meta", "br", "img", "link"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [v or "" for k, v in attrs if k in {"src", "href"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_needs_nothing_from_outside(page: Path) -> None:
    text = page.read_text()
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert all(a.startswith("#") for a in tags.addresses)
    for word in ("<script", "@import", "url("):
        assert word not in text
    targets = {a[1:] for a in tags.addresses}
    assert targets <= set(re.findall(r'id="([\w-]+)"', text))


def test_everything_is_on_it(page: Path) -> None:
    text = page.read_text()
    for part in ('id="roc"', 'id="pr"', 'id="reliability"', 'id="risk"', 'id="cost"'):
        assert part in text
    assert text.count("Score timeline of") == 2 * 4  # label and title of each
    assert "video-constant" in text
    assert "someone &lt;rides&gt; past" in text
    assert "<rides>" not in text
    # The chain of an event: its summary, then each step with what it cites.
    chain = text[text.index('<details class="event">') :]
    assert chain.index("someone &lt;rides&gt; past") < chain.index("Someone rides past.")
    assert "obs:o1" in chain
    assert "frame 25 of gate.mp4" in chain
    assert "Something moves faster than people walk." in chain


def test_the_failed_and_the_worst_come_first(page: Path) -> None:
    text = page.read_text()
    names = re.findall(r"<h3>([\w.]+)</h3>", text)
    assert names[:2] == ["c.mp4", "b.mp4"]
    assert "c.mp4: cannot be read" in text


def test_what_is_not_scored_is_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path, cite={"a.mp4": "obs:invented"})
    text = report_dir(folder).read_text()
    assert "Not scored: 1" in text
    assert "obs:invented" in text


def test_one_class_gives_a_page_without_curves(tmp_path: Path) -> None:
    folder = make_run(tmp_path, peaks={"normal1": 0.2, "normal2": 0.6})
    text = report_dir(folder).read_text()
    assert 'id="roc"' not in text
    assert "No ROC and no PR curve" in text
    assert text.index("normal2") < text.index("normal1")


def test_long_lines_are_thinned_and_keep_their_extremes() -> None:
    y = np.zeros(100_000)
    y[12_345], y[77_777] = 1.0, -1.0
    x, thin = svg.thin(np.arange(100_000.0), y, 500)
    assert thin.size <= 502
    assert (thin.max(), thin.min()) == (1.0, -1.0)
    assert (x[0], x[-1]) == (0.0, 99_999.0)
    assert np.all(np.diff(x) > 0)


def test_a_browser_finds_the_plots(page: Path, tmp_path: Path) -> None:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"no browser is installed: none of {', '.join(BROWSERS)}")
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1120,2400",
    ]
    shot = tmp_path / "page.png"
    subprocess.run(
        [*command, f"--screenshot={shot}", page.as_uri()],
        capture_output=True,
        timeout=90,
        check=True,
    )
    import cv2

    image = cv2.imread(str(shot))
    assert image is not None
    assert image.shape[1] == 1120
    # The blue of the curves (#1f5fa8; #79b0ee at night) and the wash of true stretches are drawn.
    blue = (np.abs(image.astype(int) - (0xA8, 0x5F, 0x1F)).sum(2) < 12).sum()
    night = (np.abs(image.astype(int) - (0xEE, 0xB0, 0x79)).sum(2) < 12).sum()
    assert max(blue, night) > 2000

    dom = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, timeout=90, check=True
    ).stdout.decode()
    for name in ("roc", "pr", "reliability", "risk"):
        plot = re.search(rf'<svg id="{name}".*?</svg>', dom, re.DOTALL)
        assert plot is not None
        assert "<path" in plot.group() or "<rect" in plot.group()
    assert dom.count('class="plot wide"') == 4


def test_a_question_is_shown_with_its_options(tmp_path: Path) -> None:
    options = {"A": "Anomaly, since <someone> rides", "B": "Normal"}
    verdicts = {"A": Label.ANOMALOUS, "B": Label.NORMAL, "X": Label.ANOMALOUS}
    items = []
    for name, right in (("q1", "A"), ("q2", "X")):
        sample = Sample(
            id=name,
            source=name,
            frames=1,
            fps=1.0,
            truth=(((0, 1),),),
            choice=Choice(options, right, verdicts),
        )
        outcome = Outcome(
            sample=name,
            scores=np.array([0.2]),
            answered=np.ones(1, bool),
            label=Label.NORMAL,
            score=0.2,
            chosen="B",
        )
        item = Expected(section="test", name=name, key=name)
        path = trace_path(tmp_path, item)
        save(path, sample=sample, section="test", key=name, seconds=1.0, outcome=outcome)
        items.append(item)
    write_plan(tmp_path, suite_of(), None, items)
    text = report_dir(tmp_path).read_text()
    assert "Score timeline of" not in text
    assert text.count("<td>B</td><td>Normal</td><td></td><td>chosen</td>") == 2
    assert text.count("rides</td><td>right</td>") == 1
    assert text.count("No option is right.") == 1
