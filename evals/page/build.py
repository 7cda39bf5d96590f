"""The report page of a run: figures with their controls, curves, every video worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from evals.metrics import MetricUndefined
from evals.metrics.curves import Curve, curve
from evals.metrics.resampling import PairCounts, ScoredVideo
from evals.model import Outcome, Sample
from evals.page import svg, tables
from evals.page.album import Album
from evals.page.chain import explained
from evals.page.scrutiny import scrutiny
from evals.provenance import write_text
from evals.saved import Saved
from tools.decision import Label

__all__ = ["Entry", "lost", "write_page"]

MOST_VIDEOS = 400
"""Videos drawn; the page says how many more there are."""
LEGEND = (
    '<div class="key"><span><i style="background:var(--redwash)"></i>true stretch</span>'
    '<span><i style="background:var(--blue);height:3px"></i>score</span>'
    '<span><i style="background:var(--red)"></i>flagged event</span>'
    '<span><i style="background:var(--amber)"></i>left uncertain</span>'
    '<span><i style="background:var(--gray);opacity:.4"></i>without an answer</span></div>'
)


@dataclass(frozen=True, eq=False)
class Entry:
    """A saved trace with the outcome made of it."""

    saved: Saved
    outcome: Outcome

    @property
    def sample(self) -> Sample:
        return self.saved.sample

    @property
    def scored(self) -> ScoredVideo:
        return ScoredVideo(self.sample.id, self.outcome.scores, self.sample.abnormal)


def lost(videos: Sequence[ScoredVideo]) -> dict[str, float]:
    """How much of ``1 − micro AUROC`` each video is answerable for; the values sum to it.

    A wrongly ordered pair of an abnormal and a normal frame is shared by their two videos. Raises
    MetricUndefined where all frames are of one class.
    """
    pairs = PairCounts.of(videos)
    total = pairs.positives.sum() * pairs.negatives.sum()
    if total == 0:
        raise MetricUndefined("the frames are all of one class")
    wrong = np.outer(pairs.positives, pairs.negatives) - pairs.wins
    share = (wrong.sum(0) + wrong.sum(1)) / (2 * total)
    return {v.name: float(s) for v, s in zip(videos, share, strict=True)}


def write_page(
    path: Path,
    *,
    results: Mapping[str, Any],
    run: Mapping[str, Any],
    entries: Sequence[Entry],
) -> None:
    """Write the page to ``path``. Raises StoreError.

    Args:
        results, run: the content of ``results.json`` and of ``run.json`` (which may be empty).
        entries: everything scored, held-out normal clips included.
    """
    style = (files("evals.page") / "style.css").read_text(encoding="utf-8")
    tests = [e for e in entries if e.saved.section == "test"]
    others = [e for e in entries if e.saved.section == "heldout"]
    album = Album()
    body = "".join(
        (
            tables.title(results, run),
            tables.headline(results),
            tables.unscored(results),
            _plots(results, tests),
            tables.groups(results),
            _videos("videos", "Videos, worst first", tests, album),
            _videos("heldout", "Held-out normal videos", others, album) if others else "",
            tables.figures(results),
            scrutiny(results),
            tables.costs(results, [(e.sample, e.outcome) for e in tests]),
            tables.basis(results, run),
        )
    )
    name = escape(str(results.get("suite", "suite")))
    write_text(
        path,
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name} · Vidocq</title><style>{style}</style></head>"
        f"<body><main>{body}</main></body></html>\n",
    )


def _plots(results: Mapping[str, Any], entries: Sequence[Entry]) -> str:
    labelled = [e for e in entries if e.sample.labelled]
    figures: list[str] = []
    if labelled:
        scores = np.concatenate([e.outcome.scores for e in labelled])
        truth = np.concatenate([e.sample.abnormal for e in labelled])
        constant = np.concatenate(
            [np.full(e.sample.frames, e.outcome.scores.mean()) for e in labelled]
        )
        try:
            ours, flat = curve(scores, truth), curve(constant, truth)
        except MetricUndefined as reason:
            figures.append(f'<p class="note">No ROC and no PR curve: {escape(str(reason))}.</p>')
        else:
            known = flat if any(e.sample.frames > 1 for e in labelled) else None
            figures += [_roc(ours, known), _pr(ours, known, float(truth.mean()))]
        figures.append(_reliability(scores, truth))
    risk = results.get("risk_coverage")
    if risk:
        x, y = np.array([p[0] for p in risk], float), np.array([p[1] for p in risk], float)
        plot = svg.curves(
            "Risk–coverage curve",
            "coverage",
            "risk (share of wrong answers)",
            [svg.Curve(x, y, "answers, surest first")],
            id="risk",
        )
        figures.append(_figure("Risk against coverage", "one answer per video", plot))
    if not figures:
        return ""
    return (
        '<section id="curves"><h2>Curves</h2><p class="note">Over all frames of all test videos '
        "together; scores are compared as they are, never scaled per video. An amber line is the "
        "control: every frame gets its video’s mean score, so it knows which video is abnormal and "
        f'nothing of when.</p><div class="plots">{"".join(figures)}</div></section>'
    )


def _roc(ours: Curve, flat: Curve | None) -> str:
    lines = [
        svg.Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]), "chance 0.500", "guide"),
        svg.Curve(_from(0.0, ours.false_rate), _from(0.0, ours.recall), f"AUROC {ours.auroc:.3f}"),
    ]
    if flat is not None:
        named = f"video-constant {flat.auroc:.3f}"
        x, y = _from(0.0, flat.false_rate), _from(0.0, flat.recall)
        lines.insert(1, svg.Curve(x, y, named, "control"))
    return _figure(
        "ROC",
        "frames",
        svg.curves("ROC curve", "false positive rate", "true positive rate", lines, id="roc"),
    )


def _pr(ours: Curve, flat: Curve | None, base: float) -> str:
    lines = [
        svg.Curve(np.array([0.0, 1.0]), np.array([base, base]), f"chance {base:.3f}", "guide"),
        svg.Curve(
            _from(0.0, ours.recall),
            _from(float(ours.precision[0]), ours.precision),
            f"average precision {ours.average_precision:.3f}",
            stepped=True,
        ),
    ]
    if flat is not None:
        named = f"video-constant {flat.average_precision:.3f}"
        x, y = _from(0.0, flat.recall), _from(float(flat.precision[0]), flat.precision)
        lines.insert(1, svg.Curve(x, y, named, "control", stepped=True))
    return _figure(
        "Precision–recall",
        "frames",
        svg.curves("Precision–recall curve", "recall", "precision", lines, id="pr"),
    )


def _reliability(scores: Any, truth: Any) -> str:
    if scores.min() < 0 or scores.max() > 1:
        return '<p class="note">No reliability diagram: the scores leave [0, 1].</p>'
    edges = np.linspace(0, 1, 11)
    inside = np.minimum((scores * 10).astype(int), 9)
    count = np.bincount(inside, minlength=10)
    hits = np.bincount(inside, weights=truth, minlength=10)
    bins = [
        (float(edges[i]), float(edges[i + 1]), float(hits[i] / max(count[i], 1)), int(count[i]))
        for i in range(10)
    ]
    plot = svg.reliability("Reliability diagram", bins, id="reliability")
    return _figure("Reliability", "frames, darker where more; 0.5 is the alarm threshold", plot)


def _from(first: float, values: Any) -> Any:
    return np.concatenate([[first], values])


def _figure(title: str, small: str, plot: str) -> str:
    return (
        f"<figure><figcaption>{escape(title)} <small>· {escape(small)}</small></figcaption>"
        f"{plot}</figure>"
    )


def _videos(id: str, title: str, entries: Sequence[Entry], album: Album) -> str:
    if not entries:
        return ""
    try:
        losses = lost([e.scored for e in entries if e.sample.labelled])
        note = (
            "Each video’s loss is its share of the wrongly ordered pairs of frames; the losses sum "
            "to 1 − micro AUROC. Failed ones come first."
        )
    except MetricUndefined:
        losses = {}
        note = "All frames are of one class: the highest mean score comes first."
    order = sorted(
        entries,
        key=lambda e: (
            not e.outcome.failure,
            -losses.get(e.sample.id, 0.0),
            -float(e.outcome.scores.mean()),
            e.sample.id,
        ),
    )
    more = len(order) - MOST_VIDEOS
    rest = f'<p class="note">{more} more videos are not drawn.</p>' if more > 0 else ""
    drawn = "".join(_video(e, losses.get(e.sample.id), album) for e in order[:MOST_VIDEOS])
    return (
        f'<section id="{id}"><h2>{escape(title)}</h2><p class="note">{note} {album.note()}</p>'
        + ("" if all(e.sample.choice is not None for e in entries) else LEGEND)
        + drawn
        + rest
        + "</section>"
    )


def _video(entry: Entry, loss: float | None, album: Album) -> str:
    sample, outcome = entry.sample, entry.outcome
    fps, seconds = sample.fps, sample.frames / sample.fps
    figures = [] if loss is None else [f"loss {loss:.4f}"]
    try:
        figures.append(f"own AUROC {curve(outcome.scores, sample.abnormal).auroc:.3f}")
    except MetricUndefined:
        figures.append("one class" if sample.labelled else "no labels")
    if outcome.seconds:
        figures.append(f"{outcome.seconds:.1f} s")
    label = "failed" if outcome.label is None else str(outcome.label)
    shown = "" if outcome.score is None else f" {outcome.score:.2f}"
    kind = sample.kind or sample.category
    tag = f'<span class="tag">{escape(kind)}</span>' if kind else ""
    why = outcome.failure or outcome.uncertain
    plot = _question(entry) if sample.choice is not None else ""
    plot = plot or svg.timeline(
        seconds,
        np.arange(sample.frames) / fps,
        outcome.scores,
        truth=[
            svg.Mark(a / fps, b / fps, f"abnormal, {_span(a, b, fps)}") for a, b in sample.spans
        ],
        events=[
            svg.Mark(
                e.start / fps,
                e.end / fps,
                f"{_span(e.start, e.end, fps)} {e.summary}",
                "event uncertain" if e.label is Label.UNCERTAIN else "event",
            )
            for e in outcome.events
            if e.label is not Label.NORMAL
        ],
        unanswered=[
            svg.Mark(a / fps, b / fps, "without an answer", "blank")
            for a, b in _stretches(~outcome.answered)
        ],
        title=f"Score timeline of {sample.id}",
    )
    return (
        f'<article class="video"><div class="head"><h3>{escape(sample.id)}</h3>{tag}'
        f'<span class="tag {label}">{label}{shown}</span>'
        f'<span class="figures">{" · ".join(figures)}</span></div>'
        + (f'<p class="note">{escape(why)}</p>' if why else "")
        + plot
        + explained(entry.saved, outcome, fps, album.of(entry.saved))
        + "</article>"
    )


def _question(entry: Entry) -> str:
    """The options of a four-choice question: the right one and the chosen one marked."""
    choice, chosen = entry.sample.choice, entry.outcome.chosen
    if choice is None:
        return ""
    rows = "".join(
        f"<tr><td>{escape(letter)}</td><td>{escape(text)}</td>"
        f"<td>{'right' if letter == choice.right else ''}</td>"
        f"<td>{'chosen' if letter == chosen else ''}</td></tr>"
        for letter, text in choice.options.items()
    )
    none = "" if choice.right in choice.options else '<p class="note">No option is right.</p>'
    return f'<div class="scroll"><table>{rows}</table></div>{none}'


def _span(a: float, b: float, fps: float) -> str:
    return f"{a / fps:.1f}–{b / fps:.1f} s"


def _stretches(mask: Any) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
