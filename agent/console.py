"""What the command line shows: answers and tables on stdout, progress and warnings on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
)
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    from tools.decision import Decision
    from tools.ports import Progress as Report
    from tools.types import Provenance, Rule

__all__ = ["columns", "complain", "out", "progress", "remark", "show_answer", "show_rules", "table"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

LINE_S = 20.0
"""Seconds between two lines of progress where there is no terminal."""
ROOMY, NARROW = 110, 70
"""Columns of a terminal from which on progress has a bar, and below which it has no counts."""
REFERENCES = 4
"""References shown behind a step; the others are in the decision."""
CLIPS, FRAMES = 6, 4
"""Clips of a rule that are named, and frames of each."""
COLOURS = {"anomalous": "bold red", "uncertain": "bold yellow", "normal": "bold green"}


def complain(message: str) -> None:
    """One line on stderr."""
    err.print(Text("vidocq: ", style="bold red") + Text(" ".join(message.split())))


def remark(message: str) -> None:
    """One line on stderr that is no error."""
    err.print(Text(message, style="dim"))


def table(*columns: str) -> Table:
    """A plain table that pipes well."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


class _Count(ProgressColumn):
    """How much of how much."""

    def render(self, task: Task) -> Text:
        total = "?" if task.total is None else f"{task.total:.0f}"
        return Text(f"{task.completed:.0f}/{total}", justify="right")


class _Rate(ProgressColumn):
    """Frames a second, where frames are counted."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(
            f"{speed:.0f} frames/s" if speed and _counts_frames(task.description) else "",
            justify="right",
        )


class _Time(ProgressColumn):
    """Time taken so far, and left."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        taken = task.finished_time if task.finished else task.elapsed
        left = None if task.finished else task.time_remaining
        return Text(
            _minutes(taken or 0.0) + (f", {_minutes(left)} left" if left is not None else "")
        )


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def columns(width: int) -> list[ProgressColumn]:
    """What fits a terminal of this width without cutting anything but the description."""
    what = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    fitting: list[ProgressColumn] = [
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=what),
    ]
    if width >= ROOMY:
        fitting.append(BarColumn(bar_width=min(40, width - ROOMY + 10)))
    if width >= NARROW:
        fitting.append(_Count(Column(no_wrap=True)))
    return [*fitting, _Rate(Column(no_wrap=True)), _Time(Column(no_wrap=True))]


def _counts_frames(what: str) -> bool:
    return any(word in what for word in ("finding events", "looking"))


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """A bar per kind of work on a terminal; one line per finished kind elsewhere."""
    if not sys.stderr.isatty():
        yield _lines(title)
        return
    bars = Progress(*columns(err.width), console=err, transient=True, expand=True)
    prefix = f"{title}: " if err.width >= ROOMY else ""
    with bars:
        known: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in known:
                known[what] = bars.add_task(escape(f"{prefix}{what}"), total=total or None)
            bars.update(known[what], completed=done, total=total or None)

        yield report


def _lines(title: str, every_s: float = LINE_S) -> Report:
    """A line when a kind of work begins, then now and then how far it is and how long it takes."""
    from tools.types import clock

    begun: dict[str, tuple[float, int]] = {}
    said: dict[str, float] = {}

    def report(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what not in begun or done < begun[what][1]:
            if what not in begun:
                remark(f"{title}: {what}")
            begun[what], said[what] = (now, done), now
        elif now - said[what] >= every_s and total:
            said[what] = now
            since, first = begun[what]
            rate = (done - first) / (now - since)
            left = f", {clock((total - done) / rate)} left" if rate else ""
            unit = "frames" if _counts_frames(what) else "done"
            speed = f", {rate:.0f} frames/s" if unit == "frames" else ""
            remark(f"{title}: {what}: {done} of {total} {unit}{speed}{left}")

    return report


def show_answer(text: str, decision: Decision | None) -> None:
    """The answer: a coloured headline, the chain with its references, the notes."""
    headline, *rest = text.splitlines() or [""]
    out.print(
        Text(headline, style=COLOURS.get(str(decision.label), "bold") if decision else "bold")
    )
    steps = list(decision.explanation if decision else ())
    for line in rest:
        shown = Text(line)
        # Two steps may say the same of different things: each line takes its own, in their order.
        told = next((n for n, s in enumerate(steps) if line.endswith(s.text)), None)
        cited = steps.pop(told).evidence if told is not None else ()
        if cited:
            more = f" +{len(cited) - REFERENCES}" if len(cited) > REFERENCES else ""
            shown.append(f" [{', '.join(cited[:REFERENCES])}{more}]", style="dim")
        out.print(shown)


def show_rules(rules: Sequence[Rule], *, in_words: bool = False, provenance: bool = False) -> None:
    """Rules with what each is tested by and where it comes from.

    Args:
        in_words: the captioner measures nothing: rules are read against its captions.
        provenance: also when each was written, and the clips and frames that bear it out.
    """
    from tools.deduction import reading_of
    from tools.rulebook.changes import origin_of
    from tools.rulebook.plainwords import tests_of
    from tools.rulebook.predicates import describe
    from tools.rulebook.scoping import describe_scope

    for rule in rules:
        head = Text(f"{rule.id}@{rule.version}", style="bold")
        head.append(f"  {rule.kind} {rule.category}", style="not bold")
        if rule.status != "active":
            head.append(f"  {rule.status}", style="yellow")
        out.print(head)
        out.print(Text(f"    {rule.text}"))
        tested = " or ".join(describe(t) for t in tests_of(rule)) or "nothing: no measurable word"
        if rule.predicate is None and tests_of(rule):
            tested = f"its words: {tested}"
        tested = reading_of(rule) if in_words else f"tested by {tested}"
        limits = f" ({scope})" if (scope := describe_scope(rule.scope)) else ""
        out.print(Text(f"    {tested}{limits}; from {origin_of(rule)}", style="dim"))
        if provenance:
            out.print(Text(f"    {_written(rule)}", style="dim"))


def _written(rule: Rule) -> str:
    """When a version was written, and from which footage its statement was induced."""
    when = f"written {rule.created[:16].replace('T', ' ')} UTC" if rule.created else "undated"
    return f"{when}; induced from {_clips(rule.provenance)}" if rule.provenance else when


def _clips(provenance: Sequence[Provenance]) -> str:
    """Clips with their frames, on one line."""
    said = []
    for seen in provenance[:CLIPS]:
        frames = ", ".join(map(str, seen.frames[:FRAMES])) + ("…" * (len(seen.frames) > FRAMES))
        said.append(f"{seen.clip} (frame{'s' * (len(seen.frames) > 1)} {frames})" if frames else
                    seen.clip)  # fmt: skip
    if more := len(provenance) - CLIPS:
        said += [f"{more} more"] if more > 0 else []
    return ", ".join(said)
