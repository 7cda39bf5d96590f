"""Did the run go a sensible way? Tool calls against an expected order, waste, recovery."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evals.metrics.curves import MetricUndefined
from evals.model import ToolCall

__all__ = ["Mode", "Waste", "matches", "recovery", "waste"]

Mode = Literal["strict", "unordered", "subset", "superset"]


@dataclass(frozen=True)
class Waste:
    """Calls that bought nothing; one call can count in several columns."""

    calls: int
    invalid: int
    """Arguments were refused."""
    failed: int
    """Raised or never came back, invalid ones included."""
    repeated: int
    """Same tool, same arguments as an earlier call that succeeded, and not served from memory."""
    redundant: int
    """Succeeded, but added no record to the ledger (where that is known)."""

    def __add__(self, other: Waste) -> Waste:
        return Waste(
            self.calls + other.calls,
            self.invalid + other.invalid,
            self.failed + other.failed,
            self.repeated + other.repeated,
            self.redundant + other.redundant,
        )


def matches(called: Sequence[str], expected: Sequence[str], mode: Mode) -> bool:
    """Whether the tools called agree with those expected, counted with multiplicity.

    ``strict``: the same in the same order; ``unordered``: the same in any order; ``subset``: none
    but expected ones; ``superset``: at least the expected ones. An expected ``look+`` stands for
    one call of ``look`` or more in a row (in any order: for at least one), ``look*`` for any
    number.
    """
    if mode == "strict":
        steps = (f"(?:{re.escape(t.rstrip('+*'))} ){t[len(t.rstrip('+*')) :]}" for t in expected)
        return re.fullmatch("".join(steps), "".join(f"{t} " for t in called)) is not None
    have = Counter(called)
    least = Counter(t.removesuffix("+") for t in expected if not t.endswith("*"))
    many = {t.rstrip("+*") for t in expected if t[-1] in "+*"}
    enough = all(have[tool] >= n for tool, n in least.items())
    no_more = all(tool in many or n <= least[tool] for tool, n in have.items())
    return {"unordered": enough and no_more, "subset": no_more, "superset": enough}[mode]


def waste(calls: Sequence[ToolCall]) -> Waste:
    """Count the calls of one run that bought nothing."""
    done: set[str] = set()
    repeated = 0
    for call in calls:
        repeated += call.request in done and not call.cached
        if call.ok:
            done.add(call.request)
    return Waste(
        calls=len(calls),
        invalid=sum(c.invalid for c in calls),
        failed=sum(not c.ok for c in calls),
        repeated=repeated,
        redundant=sum(c.ok and c.new_evidence == 0 for c in calls),
    )


def recovery(runs: Sequence[tuple[Sequence[ToolCall], bool]]) -> float:
    """Share of runs with an injected tool failure that ended well all the same.

    Args:
        runs: the calls of each run, and whether it ended well (what counts as well is the
            caller's to say).

    Raises MetricUndefined where no failure was injected.
    """
    struck = [ended for calls, ended in runs if any(c.injected and not c.ok for c in calls)]
    if not struck:
        raise MetricUndefined("no tool failure was injected")
    return sum(struck) / len(struck)
