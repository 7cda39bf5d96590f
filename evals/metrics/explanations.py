"""Are the reasons right, and does what is cited hold?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.metrics.curves import MetricUndefined
from evals.model import Outcome, Pair, Sample
from tools.errors import UserError

__all__ = [
    "Citations",
    "DoublyRight",
    "agreement",
    "citations",
    "doubly_right",
    "rouge_l",
    "similarity",
]


@dataclass(frozen=True)
class DoublyRight:
    """Verdict × reason, each right or wrong (Mao et al. 2023); adds up with ``+``."""

    rr: int = 0
    """Right verdict for the right reason."""
    rw: int = 0
    """Right verdict, wrong reason."""
    wr: int = 0
    """Wrong verdict, right reason."""
    ww: int = 0
    unanswered: int = 0

    def __add__(self, other: DoublyRight) -> DoublyRight:
        return DoublyRight(
            self.rr + other.rr,
            self.rw + other.rw,
            self.wr + other.wr,
            self.ww + other.ww,
            self.unanswered + other.unanswered,
        )

    @property
    def total(self) -> int:
        return self.rr + self.rw + self.wr + self.ww + self.unanswered

    def share(self, cell: str) -> float:
        """Share of all questions in ``rr``, ``rw``, ``wr``, ``ww`` or ``unanswered``."""
        if not self.total:
            raise MetricUndefined("no questions")
        return float(getattr(self, cell)) / self.total


def doubly_right(verdict_right: bool | None, reason_right: bool | None) -> DoublyRight:
    """One answer. None for either: not answered."""
    if verdict_right is None or reason_right is None:
        return DoublyRight(unanswered=1)
    cell = ("r" if verdict_right else "w") + ("r" if reason_right else "w")
    return DoublyRight(**{cell: 1})


@dataclass(frozen=True)
class Citations:
    """Counts of cited times, rules and true stretches; adds up with ``+``."""

    times: int = 0
    """Cited stretches of the video in steps that accuse (when, where, what)."""
    times_right: int = 0
    """Of these, with at least half of their frames inside a true stretch."""
    rules: int = 0
    """Cited rule versions."""
    rules_right: int = 0
    """Of these, existing at that version and retrieved by this run."""
    unresolved: int = 0
    """Cited evidence that the ledger does not hold: it counts as cited and wrong."""
    true: int = 0
    """True stretches."""
    true_cited: int = 0
    """Of these, met by a cited time."""
    bad_rules: tuple[str, ...] = field(default=())

    def __add__(self, other: Citations) -> Citations:
        return Citations(
            self.times + other.times,
            self.times_right + other.times_right,
            self.rules + other.rules,
            self.rules_right + other.rules_right,
            self.unresolved + other.unresolved,
            self.true + other.true,
            self.true_cited + other.true_cited,
            (*self.bad_rules, *other.bad_rules),
        )

    @property
    def precision(self) -> float:
        """Share of citations that hold. Raises MetricUndefined where nothing is cited."""
        cited = self.times + self.rules + self.unresolved
        if not cited:
            raise MetricUndefined("nothing is cited")
        return (self.times_right + self.rules_right) / cited

    @property
    def recall(self) -> float:
        """Share of true stretches that a cited time meets."""
        if not self.true:
            raise MetricUndefined("no true stretches")
        return self.true_cited / self.true


ACCUSING = frozenset({"when", "where", "what"})
"""Steps whose times say when the anomaly is; rules and limits may cite normal times rightly."""


def citations(pair: Pair) -> Citations:
    """Check what one explanation cites against the truth and the run's own record.

    Times are only judged in outcomes that accuse (label anomalous): an explanation of why all is
    normal cites normal times, rightly.
    """
    sample, outcome = pair
    accuses = bool(outcome.flagged)
    spans = (
        [s for step in outcome.steps if step.kind in ACCUSING for s in step.spans]
        if accuses
        else []
    )
    truth = sample.abnormal
    right = sum(_inside(truth, span) for span in spans)
    rules = [rule for step in outcome.steps for rule in step.rules]
    bad = tuple(r for r in rules if not _known(r, outcome))
    return Citations(
        times=len(spans),
        times_right=right,
        rules=len(rules),
        rules_right=len(rules) - len(bad),
        unresolved=sum(len(step.unresolved) for step in outcome.steps),
        true=len(sample.spans),
        true_cited=sum(any(s < b and e > a for s, e in spans) for a, b in sample.spans),
        bad_rules=bad,
    )


def _inside(truth: NDArray[np.bool_], span: tuple[int, int]) -> bool:
    start, end = span
    return bool(truth[max(0, start) : end].sum() * 2 >= max(1, end - start))


def _known(rule: str, outcome: Outcome) -> bool:
    return rule in outcome.rules_known and rule in outcome.rules_retrieved


def rouge_l(text: str, references: Sequence[str]) -> float:
    """ROUGE-L F1 (Lin 2004): the longest common subsequence of words, best over the references.

    By the rouge-score package: words are lower-case runs of letters and digits, unstemmed. Raises
    MetricUndefined without references, or where the package is not installed.
    """
    if not references:
        raise MetricUndefined("no reference answers")
    scorer = _rouge()
    return max(float(scorer.score(r, text)["rougeL"].fmeasure) for r in references)


@cache
def _rouge() -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        raise MetricUndefined("rouge-score is not installed: pip install 'vidocq[evals]'") from None
    return RougeScorer(["rougeL"])


def similarity(
    text: str,
    references: Sequence[str],
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
) -> float:
    """Cosine of the sentence vectors, best over the references, in [−1, 1].

    ``embed`` gives L2-normalised rows (see :class:`tools.ports.Embedder`); which embedder it was
    belongs beside the figure. Raises MetricUndefined without references.
    """
    if not references:
        raise MetricUndefined("no reference answers")
    vectors = embed([text, *references])
    return float(np.max(vectors[1:] @ vectors[0]))


def agreement(judge: Sequence[str], labels: Sequence[str]) -> tuple[float, float]:
    """A judge's agreement with labels: the share of equal ones, and Cohen's kappa (1960).

    Raises UserError where the two differ in length, MetricUndefined where they are empty or all of
    one class (kappa has no value there).
    """
    if len(judge) != len(labels):
        raise UserError(f"{len(judge)} judgements for {len(labels)} labels")
    if not judge:
        raise MetricUndefined("no judgements")
    from sklearn.metrics import cohen_kappa_score

    if len({*judge, *labels}) < 2:
        raise MetricUndefined("kappa needs two classes")
    same = sum(a == b for a, b in zip(judge, labels, strict=True)) / len(judge)
    return same, float(cohen_kappa_score(list(judge), list(labels)))


def choice_cells(sample: Sample, outcome: Outcome) -> DoublyRight:
    """A four-choice answer: the reason is right only at the right letter, the verdict wherever the
    chosen option states the verdict of the right one. Raises UserError without a choice."""
    if sample.choice is None:
        raise UserError(f"{sample.id}: no four-choice question")
    if outcome.chosen is None:
        return DoublyRight(unanswered=1)
    verdicts = sample.choice.verdicts
    same = verdicts.get(outcome.chosen) == verdicts.get(sample.choice.right)
    return doubly_right(same, outcome.chosen == sample.choice.right)
