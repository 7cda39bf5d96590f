"""What the machinery around the tools costs: state machine, checkpoints, traces, planning text.

    overhead = (wall clock of the run − time during which at least one tool call ran) / wall clock

Tool calls overlap when looks run side by side, so their intervals are united, not added.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from evals.bench.scene import SCENE, induced
from tools.errors import ToolFailed
from tools.types import Frozen

__all__ = ["Run", "covered", "overhead"]

QUESTION = "Did anything out of the ordinary happen?"


class Run(Frozen):
    """One measured run. Seconds of wall clock."""

    wall: float
    tools: float
    """Time during which at least one tool call ran."""
    calls: int
    rounds: int
    label: str

    @property
    def overhead(self) -> float:
        """Share of the run that is not tool time, in [0, 1]."""
        return max(0.0, 1 - self.tools / self.wall)


def overhead(
    video: Path | None, normal: Sequence[Path] = (), *, repeat: int = 3
) -> tuple[list[Run], float]:
    """Measure ``repeat`` runs after a warm-up; returns them and their median overhead.

    Every run works on its own copy of the archive, so that none profits from another's cache.
    Without ``video`` a 15 s clip with a cyclist is rendered; without ``normal`` its normal clips.
    """
    with tempfile.TemporaryDirectory(prefix="vidocq-bench-") as folder:
        work = Path(folder)
        home, clip = induced(work, video, normal)
        runs = []
        for i in range(repeat + 1):
            copy = work / f"run{i}"
            shutil.copytree(home, copy)
            runs.append(_run(clip, copy))
        measured = runs[1:]
        return measured, statistics.median(run.overhead for run in measured)


def _run(clip: Path, home: Path) -> Run:
    from agent import build_agent

    agent = build_agent(home=home)
    begun = time.perf_counter()
    decision = agent.invoke({"query": QUESTION, "videos": [str(clip)], "scene": SCENE})["decision"]
    wall = time.perf_counter() - begun
    agent.close()
    calls = list(_calls(home, decision.run_id))
    return Run(
        wall=wall,
        tools=covered(calls),
        calls=len(calls),
        rounds=decision.cost.rounds,
        label=decision.label,
    )


def _calls(home: Path, run_id: str) -> Iterable[tuple[float, float]]:
    """Start and end of every finished tool call of a run, from its trace."""
    from agent.trace import read_lines

    trace = next(home.rglob(f"{run_id}/trace.jsonl"), None)
    if trace is None:
        raise ToolFailed(f"the run {run_id} left no trace in its archive")
    for line, _ in read_lines(trace):
        if line["kind"] == "result":
            yield line["t"] - line["seconds"], line["t"]


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """Length of the union of half-open intervals."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
