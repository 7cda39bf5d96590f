"""Rules from normal captions, without a language model: grouped, generalised and voted in code.

Batches of normal clips are read each on its own. Clauses fall into groups by what they say; a group
is named by the concept (*abstract*: somebody walks) and by what goes with it (*concrete*: walking
with a bag). A batch votes for what it says in at least 5 % of its captions and more than once, and
at least half of the batches must agree; the number that does is the rule's support. By contrast,
what normal places of people rarely hold (:mod:`tools.deduction.contrasts`, stated priors) becomes
an anomalous rule where four fifths of the batches say it in at most 2.5 % of their captions, or
once: half of what would make it usual, and about what captioners make up.

Then the rules are tried on clips they were not made from. A rule that fires on more than 5 % of n
held-out captions, or 1/√(1 + n) where that is more, is retired; the share of held-out captions with
an alarm is the expected rate.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tools.deduction.contrasts import CONTRASTS
from tools.deduction.deducer import ALARM, Deducer
from tools.deduction.language import Said, clauses_of, said_in
from tools.induction.proposals import AGREEING, USUAL_SHARE
from tools.rulebook.book import induced_id
from tools.types import Provenance, Rule, RuleCategory, RuleKind, RuleStatus

__all__ = ["CaptionBook", "NormalClip", "induce_from_captions"]

HARDLY = USUAL_SHARE / 2
"""What no more of a batch's captions say is hardly ever there. Stated prior."""
BATCHES = 5
FOLDS = 5
CONCRETE = 12
"""At most so many concrete rules of each category; the most supported, then the most frequent."""
_AFTER = re.compile(r"\b(?:with|of|in|on|at|near|along|for|to|that|which|outside|visible)\b")
"""What follows says where or what like a thing is, not what it is."""
CITED = 2
"""Frames cited per clip and rule."""


@dataclass(frozen=True)
class NormalClip:
    """Captions of a normal clip, each with the frame it tells of."""

    video_id: str
    clip: str
    captions: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class CaptionBook:
    """Rules made from captions, retired ones included."""

    rules: tuple[Rule, ...]
    batches: int
    false_alarm_rate: float | None
    """Share of held-out normal captions that alarm; None with fewer than two clips."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Read:
    """A caption taken apart."""

    clip: NormalClip
    frame: int
    text: str
    clauses: tuple[Said, ...]


def induce_from_captions(scene: str, clips: Sequence[NormalClip], *, seed: int = 0) -> CaptionBook:
    """Rules of a scene from the captions of its normal clips. Deterministic.

    Args:
        scene: its name.
        clips: normal footage; more clips make better votes.
        seed: of the make-up of batches and folds.

    Raises:
        ValueError: no captions.
    """
    read = [[_read(clip, frame, text) for frame, text in clip.captions] for clip in clips]
    if not any(read):
        raise ValueError(f"no captions of scene {scene}")
    order = [int(i) for i in np.random.default_rng(seed).permutation(len(read))]
    rules, batches = _voted(scene, [read[i] for i in order if read[i]])
    fired, alarms, tried = Counter[str](), 0, 0
    folds = [order[i :: min(FOLDS, len(order))] for i in range(min(FOLDS, len(order)))]
    for fold in folds if len(folds) > 1 else ():
        rest = [read[i] for i in order if i not in fold and read[i]]
        if not rest:
            continue
        others, _ = _voted(scene, rest)
        known = [r for clip in rest for r in clip]
        deducer = Deducer(others, [r.text for r in known], clips=[r.clip.video_id for r in known])
        for caption in (r for i in fold for r in read[i]):
            verdict = deducer.deduce(caption.text)
            fired.update({f.rule.id for f in verdict.found if f.rule and f.strength >= ALARM})
            alarms += verdict.anomalous
            tried += 1
    notes = []
    kept = []
    for rule in rules:
        share = fired[rule.id] / tried if tried else 0.0
        if share > max(USUAL_SHARE, (1 + tried) ** -0.5):
            rule = rule.model_copy(update={"status": RuleStatus.RETIRED})
            notes.append(f"retired, for it fires on {share:.0%} of held-out captions: {rule.text}")
        kept.append(rule)
    return CaptionBook(tuple(kept), batches, alarms / tried if tried else None, tuple(notes))


def _read(clip: NormalClip, frame: int, text: str) -> _Read:
    return _Read(clip, frame, text, tuple(said_in(*c) for c in clauses_of(text)))


def _voted(scene: str, clips: Sequence[Sequence[_Read]]) -> tuple[list[Rule], int]:
    """What the batches agree on; fewer clips than batches are cut into parts of captions."""
    if len(clips) >= BATCHES:
        batches = [[r for clip in clips[i::BATCHES] for r in clip] for i in range(BATCHES)]
    else:
        every = [r for clip in clips for r in clip]
        batches = [b for i in range(BATCHES) if (b := every[i::BATCHES])]
    return [*_usual(scene, batches), *_contrasted(scene, batches)], len(batches)


# ---------------------------------------------------------------- what is usual


def _usual(scene: str, batches: Sequence[Sequence[_Read]]) -> list[Rule]:
    """Normal rules: what people do and what is there, abstract, then concrete."""
    votes: Counter[tuple[str, ...]] = Counter()
    told: Counter[tuple[str, ...]] = Counter()
    examples: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    seen_in: dict[tuple[str, ...], list[_Read]] = defaultdict(list)
    for batch in batches:
        of_batch: Counter[tuple[str, ...]] = Counter()
        for caption in batch:
            groups: dict[tuple[str, ...], str] = {}
            for said in caption.clauses:
                for group in _groups(said):
                    groups.setdefault(group, said.text)
            of_batch.update(groups.keys())
            for group, text in groups.items():
                examples[group][_plain(text)] += 1
                seen_in[group].append(caption)
        told.update(of_batch)
        enough = max(2.0, USUAL_SHARE * len(batch))
        votes.update(g for g, n in of_batch.items() if n >= enough)
    agreed = [g for g, n in votes.items() if 2 * n >= len(batches)]
    found: list[Rule] = []
    for about, category in (("person", RuleCategory.ACTIVITY), ("thing", RuleCategory.OBJECT)):
        ranked = sorted(
            (g for g in agreed if g[0] == about), key=lambda g: (-votes[g], -told[g], g)
        )
        texts: dict[str, tuple[str, ...]] = {}
        for group in ranked:
            example = min(examples[group], key=lambda t: (-examples[group][t], len(t), t))
            texts.setdefault(
                _usual_text(group, example), group
            )  # groups that read the same are one
        abstract = [t for t, g in texts.items() if len(g) == 2]
        concrete = [t for t, g in texts.items() if len(g) > 2][:CONCRETE]
        for text in (*abstract, *concrete):
            group = texts[text]
            found.append(
                Rule(
                    id=induced_id(scene, "said/" + "/".join(group)),
                    scene=scene,
                    version=1,
                    kind=RuleKind.NORMAL,
                    category=category,
                    text=text,
                    support=votes[group],
                    batches=len(batches),
                    provenance=_provenance(seen_in[group]),
                    author="induction",
                )
            )
    return found


def _groups(said: Said) -> list[tuple[str, ...]]:
    """What a clause says: of a person each action, alone and with each other word; or a thing."""
    if said.about == "thing":
        named = said_in(_AFTER.split(said.text, maxsplit=1)[0], "thing").words
        return [("thing", word) for word in named[-1:]]
    others = [w for w in said.words if w not in said.actions]
    return [
        group
        for action in said.actions
        for group in (("person", action), *(("person", action, other) for other in others))
    ]


def _plain(text: str) -> str:
    """A clause without who it is about: "the third person is walking" → "walking"."""
    words = text.split()
    for i, word in enumerate(words):
        if word.lower().endswith("ing") and word.lower() not in {"starting", "building"}:
            return " ".join(words[i:])
    return " ".join(w for i, w in enumerate(words) if i or w.lower() not in {"and", "the", "a"})


def _usual_text(group: tuple[str, ...], example: str) -> str:
    name = group[1].strip("<>").replace("_", " ")
    if group[0] == "thing":
        return f"Present: {name}"
    return f"People: {name}" if len(group) == 2 else f"People: {name}, as in “{example}”"


# ---------------------------------------------------------------- what is not


def _contrasted(scene: str, batches: Sequence[Sequence[_Read]]) -> list[Rule]:
    found = []
    for contrast in CONTRASTS:
        agree = [b for b in batches if _said(b, contrast.nodes) <= max(1.0, HARDLY * len(b))]
        if len(agree) >= AGREEING * len(batches):
            found.append(
                Rule(
                    id=induced_id(scene, f"unsaid/{contrast.slot}"),
                    scene=scene,
                    version=1,
                    kind=RuleKind.ANOMALOUS,
                    category=contrast.category,
                    text=contrast.text,
                    support=len(agree),
                    batches=len(batches),
                    provenance=_provenance(r for b in agree for r in b),
                    author="induction",
                )
            )
    return found


def _said(batch: Sequence[_Read], nodes: frozenset[str]) -> int:
    """Captions that say any of the nodes."""
    return sum(any(nodes & s.nodes.keys() for s in caption.clauses) for caption in batch)


def _provenance(captions: Iterable[_Read]) -> tuple[Provenance, ...]:
    """Per clip, the first few frames."""
    frames: dict[tuple[str, str], list[int]] = {}
    for caption in captions:
        cited = frames.setdefault((caption.clip.video_id, caption.clip.clip), [])
        if len(cited) < CITED and caption.frame not in cited:
            cited.append(caption.frame)
    return tuple(
        Provenance(video_id=video, clip=clip, frames=tuple(sorted(cited)))
        for (video, clip), cited in sorted(frames.items(), key=lambda item: item[0][1])
    )
