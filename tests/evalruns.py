"""Runs of a suite as they lie on disk, made without an agent: videos of 6 s, 10 frames a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from agent.trace import Trace
from evals.model import Sample
from evals.plan import Expected, trace_path, write_plan
from evals.provenance import write_json
from evals.saved import save
from evals.suite import Suite
from tests.builders import event_of, observation_of, rule_of, seen_of, video_of
from tools.decision import Cost, Decision, EventScore, Intent, Label, Step, Timeline
from tools.ledger import Look, Recall
from tools.types import RuleHit, VideoInfo

__all__ = ["FRAMES", "agent_trace", "make_run", "sample_of", "suite_of"]

FRAMES = 60
TRUTH = (20, 40)


def suite_of(**changes: object) -> Suite:
    base = {
        "name": "tiny",
        "dataset": {"layout": "ucsd", "folder": "d"},
        "scene": "gate",
        "question": "Anything?",
        "bootstrap": {"samples": 50},
    }
    return Suite.model_validate(base | changes)


def sample_of(
    name: str,
    *,
    normal: bool = False,
    kind: str | None = None,
    references: tuple[str, ...] = (),
) -> Sample:
    return Sample(
        id=name,
        source=f"clips/{name}",
        frames=FRAMES,
        fps=10.0,
        truth=((),) if normal else ((TRUTH,),),
        kind=kind,
        question="Anything?",
        references=references,
    )


def agent_trace(path: Path, scores: Sequence[float], *, cite: str = "obs:o1") -> Path:
    """An agent's own trace of one event, flagged where a score reaches 0.5."""
    flagged = max(scores) >= 0.5
    event = event_of("e1", 2.0, 4.0)
    rule = rule_of()
    label = Label.ANOMALOUS if flagged else Label.NORMAL
    decision = Decision(
        run_id=path.stem,
        query="Anything?",
        intent=Intent.ANOMALY,
        label=label,
        score=max(scores),
        events=(
            EventScore(
                video_id="v1",
                event_id="e1",
                interval=event.interval,
                label=label,
                score=max(scores),
                summary="someone <rides> past",
                key_frame=25,
                rules=(rule.ref,),
            ),
        ),
        timelines=(
            Timeline(
                video_id="v1",
                frames=tuple(range(FRAMES)),
                seconds=tuple(n / 10 for n in range(FRAMES)),
                scores=tuple(scores),
            ),
        ),
        explanation=(
            Step(kind="when", text="From 2 to 4 s.", evidence=("video:v1", "frame:v1:25")),
            Step(kind="what", text="Someone rides past.", evidence=(cite, "caption:c1")),
            Step(kind="rule", text="Nobody rides.", evidence=(rule.ref,)),
        ),
        stop_reason="everything in scope was looked at",
        cost=Cost(looks=1, rounds=1),
    )
    trace = Trace(path.stem, path)
    trace.begin({"query": "Anything?", "vidocq": "0.1.0"})
    seen = seen_of(observation_of(start_s=2.0, end_s=4.0), start_s=2.0)
    look = Look(event=event, detail="fine", description=seen)
    hits = (RuleHit(rule=rule, score=0.9, reason="test"),)
    recall = Recall(event_id="e1", query="rides", k=1, hits=hits)
    trace.call("probe", {"path": "x"}, VideoInfo, lambda: video_of(frames=FRAMES))
    trace.call("look", {"event": "e1"}, Look, lambda: look)
    trace.call("recall", {"event": "e1"}, Recall, lambda: recall)
    trace.end(decision, "Yes.")
    trace.close()
    return path


def make_run(
    folder: Path,
    *,
    peaks: Mapping[str, float] | None = None,
    cite: Mapping[str, str] | None = None,
    errors: Sequence[str] = (),
    suite: Suite | None = None,
    references: tuple[str, ...] = (),
) -> Path:
    """A finished run.

    Args:
        peaks: clip → score of its abnormal stretch; one whose name begins with ``normal`` has none.
        cite: clip → evidence its explanation cites.
        errors: clips about which the agent failed.
        references: what happened in every clip, in words.
    """
    chosen = suite or suite_of()
    items = []
    for name, peak in (peaks or {"a.mp4": 0.9, "b.mp4": 0.7, "normal.mp4": 0.3}).items():
        item = Expected(section="test", name=name, key=f"key-{name}")
        items.append(item)
        normal = name.startswith("normal")
        scores = np.linspace(0.1, 0.2, FRAMES)
        scores[TRUTH[0] : TRUTH[1]] = peak
        runs = folder / "runs"
        failed = name in errors
        trace = None
        if not failed:
            evidence = (cite or {}).get(name, "obs:o1")
            trace = agent_trace(runs / f"{name}.jsonl", list(scores), cite=evidence)
        save(
            trace_path(folder, item),
            sample=sample_of(
                name,
                normal=normal,
                kind="normal" if normal else "cyclist",
                references=references,
            ),
            section="test",
            key=item.key,
            seconds=1.25,
            trace=trace,
            error=f"{name}: cannot be read" if failed else "",
            rules=[rule_of().ref],
        )
    write_plan(folder, chosen, None, items)
    write_json(
        folder / "run.json",
        {
            "suite": chosen.model_dump(mode="json"),
            "settings": {"batch": 8},
            "started": "2026-11-21T21:00:00+00:00",
            "seconds": 3.0,
            "workers": 1,
            "limit": None,
            "code": {"id": "0" * 16, "commit": "0123456789", "dirty": False},
            "versions": {"python": "3.11"},
            "machine": {"cores": 2},
            "data": {"folder": "d", "fingerprint": "f" * 16, "files": 3, "induced_from": {}},
        },
    )
    return folder
