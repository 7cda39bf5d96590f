"""The check every explanation must pass: each citation resolves, each number is in the evidence.

A rule of what is anomalous is cited only beside whoever breaks it: an observation or a caption on
which a verdict found it broken, and on which the rule's own test holds.

Numbers count as found when a value of the cited evidence rounds to them at the printed precision.
Times are compared to a tenth of a second. Words quoted from the evidence itself are taken as they
are. A number may also be how many references of one kind the step cites.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tools.decision import Step
from tools.ledger import FinalScore, Ledger, SceneView
from tools.rulebook.plainwords import tests_of
from tools.rulebook.scoping import tried
from tools.types import (
    Caption,
    Event,
    Frozen,
    HealthEvent,
    Interval,
    Match,
    NormalCaption,
    Observation,
    Rule,
    RuleHit,
    RuleKind,
    Verdict,
    VideoInfo,
    parse_clock,
)

__all__ = ["bears_out", "check_step"]

CLOCK = re.compile(r"(?<![\w.])\d+:\d{2}(?::\d{2})?(?:\.\d)?")
NUMBER = re.compile(r"(?<![\w.@:-])-?\d+(?:\.\d+)?")
TIME_TOLERANCE_S = 0.1001
"""Clocks are printed floored to tenths."""


def check_step(step: Step, ledger: Ledger) -> tuple[str, ...]:
    """What is wrong with a step: citations without what they stand for, numbers nobody measured."""
    if not step.evidence:
        return ("cites nothing",)
    missing = [ref for ref in step.evidence if ledger.evidence(ref) is None]
    problems = [f"{ref} does not resolve" for ref in missing]
    records = [found for ref in step.evidence if (found := ledger.evidence(ref)) is not None]
    problems += _misquoted(records)
    problems += _unbroken(records, ledger)
    text = _unquoted(step.text, step.evidence, records)
    times = tuple(_times(step.evidence, records, ledger))
    for token in CLOCK.findall(text):
        said = parse_clock(token)
        if not any(abs(said - t) <= TIME_TOLERANCE_S for t in times):
            problems.append(f"the time {token} is not in the cited evidence")
    values = tuple(_values(step.evidence, records))
    rest = CLOCK.sub(" ", text)
    for match in NUMBER.finditer(rest):
        percent = rest[match.end() : match.end() + 2].strip().startswith("%")
        if not _known(match.group(0), values, percent=percent):
            problems.append(f"the number {match.group(0)} is not in the cited evidence")
    return tuple(problems)


def _misquoted(records: Sequence[Frozen]) -> list[str]:
    """Normal captions cited for a clause that they do not have."""
    normal = {record.ref: record.text for record in records if isinstance(record, NormalCaption)}
    return [
        f"{clause.normal} does not say “{clause.near}”"
        for record in records
        if isinstance(record, Verdict)
        for clause in record.clauses
        if clause.normal in normal and clause.near not in normal[clause.normal]
    ]


def _unbroken(records: Sequence[Frozen], ledger: Ledger) -> list[str]:
    """Anomalous rules cited without anything that breaks them."""
    witnesses = [r for r in records if isinstance(r, Observation | Caption)]
    return [
        f"{rule.ref} is broken by nothing that is cited"
        for rule in records
        if isinstance(rule, Rule)
        and rule.kind is RuleKind.ANOMALOUS
        and not any(
            bears_out(match, rule, witness, event_id, ledger)
            for event_id, verdict in ledger.verdicts.items()
            for match in verdict.matches
            for witness in witnesses
        )
    ]


def bears_out(
    match: Match, rule: Rule, witness: Observation | Caption, event_id: str, ledger: Ledger
) -> bool:
    """Whether a match, found when an event was judged, says that a witness breaks a rule.

    Where code tested the rule on an observation, its test must hold of that still.
    """
    if (match.rule, match.observation) != (rule.ref, witness.id):
        return False
    if match.kind is not RuleKind.ANOMALOUS:
        return False
    tests = tests_of(rule)
    if match.how == "semantic" or not tests or isinstance(witness, Caption):
        return True  # an opinion, or words: no test of it was made
    recall = ledger.recalls.get(event_id)
    hits = [hit for hit in recall.hits if hit.rule.ref == rule.ref] if recall else []
    applied: Rule | RuleHit = hits[0] if hits else rule
    return any(tried(applied, test, witness).holds for test in tests)


def _unquoted(text: str, refs: Iterable[str], records: Iterable[Frozen]) -> str:
    """The text without references and without words taken verbatim from the evidence."""
    verbatim = list(refs)
    for record in records:
        match record:
            case Observation() | Caption() | Rule() | HealthEvent() | NormalCaption():
                verbatim.append(record.text)
            case VideoInfo():
                verbatim.append(record.name)
            case SceneView():
                verbatim.append(record.name)
            case Verdict():
                verbatim.append(record.reason)
                verbatim += [w for c in record.clauses for w in (c.clause, c.phrase, c.near)]
            case _:
                continue
    for words in sorted({w for w in verbatim if w}, key=len, reverse=True):
        text = text.replace(words, " ").replace(words[:1].upper() + words[1:], " ")
    return text


def _known(token: str, values: Iterable[float], *, percent: bool) -> bool:
    said = float(token)
    digits = len(token.partition(".")[2])
    slack = 0.5 * 10**-digits + 1e-9
    return any(abs(said - (100 * v if percent else v)) <= slack for v in values)


def _times(refs: Iterable[str], records: Iterable[Frozen], ledger: Ledger) -> Iterator[float]:
    for ref in refs:
        if ref.startswith("frame:"):
            video_id, _, index = ref.removeprefix("frame:").rpartition(":")
            seconds = ledger.frame_seconds(video_id, int(index)) if index.isdigit() else None
            if seconds is not None:
                yield seconds
    for record in records:
        match record:
            case Observation() | Event() | Caption() | HealthEvent() | NormalCaption():
                yield from _ends(record.interval)
            case VideoInfo():
                yield from _ends(record.interval)
            case _:
                continue


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.start_s, interval.end_s


def _values(refs: Iterable[str], records: Iterable[Frozen]) -> Iterator[float]:
    """Numbers of the cited records, and how many references of each kind there are."""
    kinds = Counter(ref.partition(":")[0] for ref in refs)
    yield from (float(n) for n in kinds.values())
    for record in records:
        match record:
            case Observation():
                yield from _numbers([a.model_dump() for a in record.attributes])
                yield from (record.surprise, float(record.key_frame), record.interval.seconds)
                if record.box is not None:
                    yield from _numbers(record.box.model_dump())
            case Event():
                yield record.interval.seconds
            case Verdict():
                yield 0.5  # the alarm threshold of the scale itself
                yield from _numbers([record.score, record.raw])
                yield from _numbers([m.strength for m in record.matches])
                yield from _numbers([c.model_dump() for c in record.clauses])
            case FinalScore():
                yield from _numbers([record.score])
            case SceneView():
                yield from _numbers(record.model_dump(exclude={"clips"}))
            case Rule():
                yield from (float(record.support), float(record.batches), float(record.version))
            case VideoInfo():
                yield from (float(record.frames), record.seconds)
            case _:
                continue


def _numbers(value: Any) -> Iterator[float]:
    """Every number inside plain data."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _numbers(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)
