"""Which looks and verdicts of a run count, and what they accuse. Pure functions over the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from tools.decision import Plan
from tools.ledger import Ledger, Look
from tools.rulebook.plainwords import tests_of
from tools.rulebook.predicates import evaluate
from tools.types import Interval, Match, Observation, Rule, RuleKind, Verdict

__all__ = [
    "Standing",
    "accuses",
    "culprits",
    "first_looks",
    "judged",
    "long_views",
    "standing",
]


@dataclass(frozen=True)
class Standing:
    """A look with its verdict."""

    look: Look
    verdict: Verdict
    partial: bool = False
    """Of a superseded verdict only what its successors could not see."""

    @property
    def interval(self) -> Interval:
        return self.look.event.interval

    @property
    def measured(self) -> bool:
        """Whether the look measured its frames; otherwise the verdict is an opinion on the whole
        event, as a language model gives one."""
        return bool(self.look.description.series)


def judged(ledger: Ledger) -> tuple[Standing, ...]:
    """Every event with a verdict, in time order, video by video, coarse before fine."""
    found: list[Standing] = []
    for segmentation in ledger.segmentations.values():
        tree = segmentation.tree
        for event in sorted(tree.events, key=lambda e: (e.interval.start, e.parent is not None)):
            seen, verdict = ledger.looks.get(event.id), ledger.verdicts.get(event.id)
            if seen is not None and verdict is not None:
                found.append(Standing(seen, verdict))
    return tuple(found)


def standing(ledger: Ledger) -> tuple[Standing, ...]:
    """Those of :func:`judged` that are not superseded by looks at all of their children.

    A fine event counts as soon as it has a verdict; the coarse event above it gives way once all
    its fine events have one, and until then stands for the others.
    """
    waiting = {
        e.parent
        for s in ledger.segmentations.values()
        for e in s.tree.events
        if e.parent is not None and e.id not in ledger.verdicts
    }
    parents = {
        e.parent for s in ledger.segmentations.values() for e in s.tree.events if e.parent
    } - waiting
    return tuple(s for s in judged(ledger) if s.look.event.id not in parents)


def long_views(ledger: Ledger, plan: Plan) -> tuple[tuple[Standing, float], ...]:
    """What coarse verdicts found that their fine successors cannot see, with its score.

    A look at five seconds cannot tell that something stays for eight: zooming in cuts the event,
    so what was matched by how long it lasts stands as the longer look saw it.
    """
    standing_ids = {s.look.event.id for s in standing(ledger)}
    found = []
    for item in judged(ledger):
        if item.look.event.id in standing_ids:
            continue
        lasting = tuple(
            match
            for observation, matches in culprits(ledger, item)
            for match in matches
            if _lasts(ledger, plan, match, observation)
        )
        if lasting:
            verdict = item.verdict.model_copy(update={"matches": lasting})
            score = max(m.strength for m in lasting)
            found.append((Standing(item.look, verdict, partial=True), score))
    return tuple(found)


def _lasts(ledger: Ledger, plan: Plan, match: Match, observation: Observation) -> bool:
    """Whether a match rests on how long something lasts (an attribute in seconds)."""
    rule = ledger.evidence(match.rule)
    tests = tests_of(rule) if isinstance(rule, Rule) else [t.predicate for t in plan.targets]
    return any(
        (attribute := observation.attribute(condition.attribute)) is not None
        and attribute.unit == "s"
        for test in tests
        if evaluate(test, observation).holds
        for condition in test.all
    )


def first_looks(ledger: Ledger, video_id: str) -> tuple[Standing, ...]:
    """The first look at each coarse event of a video, with what was judged of it, in time order.

    An event without fine events is looked at again itself when the run zooms in. The ledger keeps
    results in the order in which they came, so what was judged before that is of the first look.
    """
    looks: dict[str, list[Look]] = {}
    verdicts: dict[str, Verdict] = {}
    for record in ledger.results.values():
        if isinstance(record, Look):
            looks.setdefault(record.event.id, []).append(record)
        elif isinstance(record, Verdict) and len(looks.get(record.event_id, ())) == 1:
            verdicts[record.event_id] = record
    return tuple(
        Standing(looks[event.id][0], verdicts[event.id])
        for event in ledger.segmentations[video_id].tree.coarse
        if event.id in looks and event.id in verdicts
    )


def accuses(match: Match) -> bool:
    return match.kind is RuleKind.ANOMALOUS


def culprits(ledger: Ledger, item: Standing) -> tuple[tuple[Observation, tuple[Match, ...]], ...]:
    """Observations that an anomalous statement matched, with those matches."""
    by_observation: dict[str, list[Match]] = {}
    for match in filter(accuses, item.verdict.matches):
        by_observation.setdefault(match.observation, []).append(match)
    found = []
    for obs_id, matches in by_observation.items():
        observation = ledger.observation(obs_id)
        if observation is not None:
            found.append((observation, tuple(matches)))
    return tuple(found)
