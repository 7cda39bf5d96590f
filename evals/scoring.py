"""From saved traces to ``results.json``, without video, model or data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.embedders import open_embedder
from evals.figures import figures
from evals.judgements import Judgements, load_judgements
from evals.metrics.curves import MetricUndefined, curve
from evals.metrics.timeline import NEUTRAL
from evals.model import Pair
from evals.outcomes import outcome_of
from evals.page import Entry, lost, write_page
from evals.plan import RunPlan, read_plan, trace_path
from evals.provenance import read_json, write_json
from evals.saved import Damaged, load_saved, unresolved
from evals.scrutiny import put_judge, put_recovery, verdicts
from evals.suite import Suite
from evals.tally import Figures
from tools.decision import Label
from tools.errors import UserError

__all__ = ["Scored", "load_run", "put_beside", "report_dir", "results_of", "score_dir"]

POLICY = (
    f"Scores are compared as they are, never scaled per video. Linear between analysed frames, "
    f"held at the ends; frames further from an analysed one than max_gap_s, and all frames of "
    f"failed items, score {NEUTRAL} (the alarm threshold) and count as unanswered. Where events "
    f"were looked at as wholes (recordings), a frame outside of all scores 0, as in the original "
    f"system's evaluation, and counts as unanswered, too. Videos of one class enter micro AUROC "
    f"and average precision, not macro AUROC. Traces that cannot be read are named under unscored "
    f"and enter no figure."
)

REFERENCE = (
    "micro_auroc",
    "macro_auroc",
    "macro_auroc_videos",
    "auroc_within",
    "auroc_cross",
    "auroc_within_weight",
    "average_precision",
    "pr_trapezoid",
    "auroc_abnormal_videos",
    "distinct_scores",
    "false_alarms_per_hour",
)
"""Frame figures that the original system's own scores get, with their intervals."""


@dataclass(frozen=True, eq=False)
class Scored:
    """A run as read from its folder."""

    folder: Path
    plan: RunPlan
    entries: tuple[Entry, ...]
    """What can be scored, in the order of the plan."""
    unscored: tuple[Mapping[str, str], ...]
    """``section``, ``name``, ``file`` and ``reason`` of every trace that cannot."""

    def section(self, name: str) -> list[Entry]:
        return [e for e in self.entries if e.saved.section == name]


def load_run(folder: Path) -> Scored:
    """Read every saved trace of a run; what is damaged is named, the rest is kept.

    Raises UserError where there is no run, StoreError where its plan is damaged.
    """
    plan = read_plan(folder)
    entries: list[Entry] = []
    unscored: list[Mapping[str, str]] = []
    for item in plan.items:
        path = trace_path(folder, item)
        reason = ""
        if not path.exists():
            reason = "no saved trace: the item was not asked, or its trace was removed"
        else:
            try:
                saved = load_saved(path)
                lost = unresolved(saved)
                if saved.key != item.key or saved.section != item.section:
                    reason = "the trace is of another run: its key differs from the suite's plan"
                elif lost:
                    reason = "cites evidence that does not exist: " + ", ".join(lost)
                else:
                    entries.append(Entry(saved, outcome_of(saved, max_gap_s=plan.suite.max_gap_s)))
            except Damaged as error:
                reason = error.why
            except UserError as error:
                reason = str(error)
        if reason:
            unscored.append(
                {
                    "section": item.section,
                    "name": item.name,
                    "file": path.relative_to(folder).as_posix(),
                    "reason": reason,
                }
            )
    return Scored(folder, plan, tuple(entries), tuple(unscored))


def score_dir(folder: Path, *, embedder: str | None = None) -> dict[str, Any]:
    """Score a run's saved traces and write its ``results.json``; the same traces, the same bytes.

    ``embedder``: the one to use in place of the suite's.

    Raises UserError where there is no run, StoreError where the plan cannot be read or the results
    cannot be written.
    """
    file = folder / "results.json"
    write_json(file, results_of(load_run(folder), embedder=embedder))
    return read_json(file)


def report_dir(folder: Path, *, embedder: str | None = None) -> Path:
    """Write a run's ``report.html`` from its saved traces. Raises UserError, StoreError."""
    scored = load_run(folder)
    run = read_json(folder / "run.json") if (folder / "run.json").is_file() else {}
    page = folder / "report.html"
    results = results_of(scored, embedder=embedder)
    write_page(page, results=results, run=run, entries=scored.entries)
    return page


def results_of(scored: Scored, *, embedder: str | None = None) -> dict[str, Any]:
    """The content of ``results.json``. Raises UserError for an embedder that cannot be had."""
    suite = scored.plan.suite
    wanted = embedder or suite.embedder
    chosen = open_embedder(wanted) if wanted else None
    tests, heldout = scored.section("test"), scored.section("heldout")
    judged, asked = load_judgements(scored.folder), _pairs(tests)
    controls = {name: _among(asked, scored.section(f"control:{name}")) for name in suite.controls}
    made = figures(
        asked,
        samples=suite.bootstrap.samples,
        seed=suite.bootstrap.seed,
        others={name: pairs or "not applicable: no trace" for name, pairs in controls.items()},
        embed=chosen.embed if chosen else None,
        judged=verdicts(judged, asked),
    ).as_dict()
    beside = Figures()
    injected, judge = put_beside(beside, scored, asked, judged)
    made["metrics"] |= beside.metrics
    made["undefined"] |= beside.undefined
    return {
        "suite": suite.name,
        "question": suite.question,
        "limited_to": scored.plan.limit,
        "policy": POLICY,
        "embedder": chosen.name if chosen else None,
        **made,
        "reference": _reference(scored.section("reference"), suite),
        "injected": injected,
        "judge": judge,
        "unscored": [dict(row) for row in scored.unscored],
        "items": _rows(tests),
        "heldout": _rows(heldout),
    }


def put_beside(
    made: Figures, scored: Scored, asked: Sequence[Pair], judged: Judgements | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Put what is not measured on the ``asked`` items alone: injected failures, the judge's
    agreement, held-out clips, unscored traces. Returns what the first two tell in detail."""
    inject = scored.plan.suite.inject
    tools = inject.tools if inject is not None else ()
    struck = {tool: _among(asked, scored.section(f"inject:{tool}")) for tool in tools}
    injected, judge = put_recovery(made, asked, struck), put_judge(made, judged)
    made.metrics |= _heldout(scored.section("heldout")) | {"unscored": len(scored.unscored)}
    return injected, judge


def _pairs(entries: Sequence[Entry]) -> list[Pair]:
    return [Pair(e.sample, e.outcome) for e in entries]


def _among(asked: Sequence[Pair], entries: Sequence[Entry]) -> list[Pair]:
    """The other runs of the items that were asked about and can be scored."""
    names = {sample.id for sample, _ in asked}
    return [p for p in _pairs(entries) if p.sample.id in names]


def _reference(entries: Sequence[Entry], suite: Suite) -> dict[str, Any]:
    """The original system's own scores under the same metrics; empty where none were recorded."""
    if not entries:
        return {}
    made = figures(
        [Pair(e.sample, e.outcome) for e in entries],
        samples=suite.bootstrap.samples,
        seed=suite.bootstrap.seed,
    )
    ends = ("", "_95_low", "_95_high")
    keep = {k: made.metrics[k] for key in REFERENCE for e in ends if (k := key + e) in made.metrics}
    return {"metrics": keep, "controls": {"video_constant": made.controls["video_constant"]}}


def _heldout(entries: Sequence[Entry]) -> dict[str, float | int | None]:
    if not entries:
        return {}
    labels = [e.outcome.label for e in entries]
    return {
        "heldout_normal_items": len(labels),
        "heldout_normal_anomalous": labels.count(Label.ANOMALOUS),
        "heldout_normal_uncertain": labels.count(Label.UNCERTAIN),
        "heldout_normal_failed": labels.count(None),
    }


def _rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    try:
        losses = lost([e.scored for e in entries if e.sample.labelled])
    except MetricUndefined:
        losses = {}
    return [_row(entry, losses.get(entry.sample.id)) for entry in entries]


def _row(entry: Entry, loss: float | None) -> dict[str, Any]:
    sample, outcome = entry.sample, entry.outcome
    try:
        auroc = round(curve(outcome.scores, sample.abnormal).auroc, 6)
    except MetricUndefined:
        auroc = None
    return {
        "name": sample.id,
        "kind": sample.kind,
        "category": sample.category,
        "frames": sample.frames,
        "label": outcome.label,
        "score": _rounded(outcome.score),
        "reason": outcome.uncertain,
        "error": outcome.failure,
        "auroc": auroc,
        "loss": _rounded(loss),
        "coverage": _rounded(float(outcome.answered.mean())),
        "truth": [list(span) for span in sample.spans],
        "flagged": [
            {
                "frames": [e.start, e.end],
                "score": _rounded(e.score),
                "summary": e.summary,
                "rules": list(e.rules),
            }
            for e in outcome.flagged
        ],
        "chosen": outcome.chosen,
        "seconds": round(outcome.seconds, 3),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
