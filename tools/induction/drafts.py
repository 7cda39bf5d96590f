"""Rules that a language model proposes, put to the same vote as measured ones.

Each batch of normal footage is shown to the model on its own. Proposals that say the same are one
group; its support is the number of *batches* it comes from, counted here, not said by a prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tools.errors import BackendError, UserError
from tools.induction.proposals import FRAMES_CITED, Proposal
from tools.ports import Draft, Drafter, Progress
from tools.rulebook.linting import lint
from tools.rulebook.plainwords import understand
from tools.rulebook.retrieval import words
from tools.rulebook.rows import clean_text, induced_id
from tools.types import Caption, Predicate, Provenance, Rule, RuleKind, RuleStatus

__all__ = ["draft_proposals", "settled"]

MOST_CAPTIONS = 40
"""Captions of a batch that a model is shown, spread evenly."""
LONGEST = 160
"""Characters of a rule, as the prompt says."""
ALIKE = 0.6
"""Share of common words from which two drafts say the same, where the model does not group them."""
ABOUT_FOOTAGE = re.compile(
    r"\b(?:frames?|clips?|captions?|descriptions?|footage|videos?)\b", re.IGNORECASE
)
"""Words of a rule that is about the footage, not about the place."""


@dataclass(frozen=True)
class _Voice:
    """A draft, and the batch it comes from."""

    draft: Draft
    batch: int


def draft_proposals(
    scene: str,
    batches: Sequence[Sequence[tuple[Caption, Provenance]]],
    drafter: Drafter,
    attributes: Mapping[str, str],
    tell: Progress,
) -> tuple[tuple[Proposal, ...], tuple[str, ...]]:
    """Rules on which at least half of the batches agree, and what is to be said of the rest.

    Args:
        batches: captions with the clip that each is of.
        attributes: what the captioner measures: only that is tested.

    Raises BackendError, BudgetSpent where the model gives nothing for any batch.
    """
    voices: list[_Voice] = []
    failed: list[BackendError] = []
    refused = 0
    for number, batch in enumerate(batches):
        tell("drafting rules", number, len(batches))
        step = max(1, -(-len(batch) // MOST_CAPTIONS))
        texts = [caption.text for caption, _ in batch[::step]]
        if not texts:
            continue
        try:
            drafts = drafter.draft(texts)
        except BackendError as error:
            failed.append(error)
            continue
        sound = [d for d in drafts if _sound(d)]
        refused += len(drafts) - len(sound)
        voices += [_Voice(replace(d, text=clean_text(d.text)), number) for d in sound]
    tell("drafting rules", len(batches), len(batches))
    if failed and not voices:
        raise failed[0]
    notes: list[str] = []
    if failed:
        notes.append(
            f"{drafter.name} gave no rules for {len(failed)} of {len(batches)} batches: "
            f"{failed[0].message}"
        )
    if refused:
        notes.append(
            f"{refused} drafted rules were left out: they speak of footage, not of a place"
        )
    groups, said = _grouped(voices, drafter)
    notes += said
    proposals = [
        _proposal(scene, text, [voices[n] for n in members], batches, drafter, attributes)
        for text, members in groups
    ]
    kept = tuple(p for p in proposals if 2 * p.rule.support >= p.rule.batches)
    if len(kept) < len(proposals):
        notes.append(
            f"{len(proposals) - len(kept)} drafted rules were left out: fewer than half of the "
            "batches agree"
        )
    return kept, tuple(notes)


def settled(
    measured: Sequence[Proposal], drafted: Sequence[Proposal]
) -> tuple[tuple[Proposal, ...], tuple[str, ...]]:
    """All rules, each said once and none against another; and what was dropped.

    Of two that say the same the measured one stays, or the one with more votes. A drafted rule
    that contradicts a measured one goes; of two drafted ones that contradict each other, both go;
    of two measured ones the one on what is normal goes, for the other is the narrower.
    """
    ranked = sorted(drafted, key=lambda p: (-p.rule.support, p.rule.id))
    kept = {p.rule.id: p for p in (*measured, *ranked)}
    gone: dict[str, str] = {}
    own = {p.rule.id for p in measured}
    for finding in lint([p.rule for p in kept.values() if p.rule.status is RuleStatus.ACTIVE], {}):
        loose = [i for i in finding.rules if i not in own]
        if finding.problem == "duplicate":
            order = list(kept)
            losers = sorted(finding.rules, key=order.index)[1:]
            gone |= {i: "says what another says" for i in losers if i in loose}
        elif finding.problem == "contradictory":
            usual = [i for i in finding.rules if _says_usual(kept[i].rule)]
            gone |= dict.fromkeys(loose or usual, "contradicts another")
        elif finding.problem == "unreachable":
            gone |= dict.fromkeys(loose, "can never count")
    notes = tuple(f"dropped, for it {why}: “{kept[i].rule.text}”" for i, why in gone.items())
    return tuple(p for i, p in kept.items() if i not in gone), notes


# ---------------------------------------------------------------- pieces


def _says_usual(rule: Rule) -> bool:
    return rule.kind is RuleKind.NORMAL and rule.predicate is not None


def _sound(draft: Draft) -> bool:
    text = " ".join(draft.text.split())
    return bool(words(text)) and len(text) <= LONGEST and not ABOUT_FOOTAGE.search(text)


def _grouped(
    voices: Sequence[_Voice], drafter: Drafter
) -> tuple[list[tuple[str, list[int]]], list[str]]:
    """Voices that say the same: (text, places), as the model groups them, each in one group."""
    if not voices:
        return [], []
    try:
        told = drafter.group([v.draft for v in voices])
    except BackendError as error:
        note = f"drafted rules were grouped by their words, for {drafter.name} did not: "
        return _by_words(voices), [note + error.message]
    groups: list[tuple[str, list[int]]] = []
    used: set[int] = set()
    for text, members in told:
        fresh = [n for n in dict.fromkeys(members) if 0 <= n < len(voices) and n not in used]
        used |= set(fresh)
        for kind in RuleKind:  # normal and anomalous never say the same
            alike = [n for n in fresh if voices[n].draft.kind is kind]
            if alike:
                said = Draft(kind, voices[alike[0]].draft.category, text)
                whole = len(alike) == len(fresh) and _sound(said)
                groups.append((text if whole else voices[alike[0]].draft.text, alike))
    groups += [(v.draft.text, [n]) for n, v in enumerate(voices) if n not in used]
    return groups, []


def _by_words(voices: Sequence[_Voice]) -> list[tuple[str, list[int]]]:
    groups: list[tuple[str, list[int]]] = []
    for place, voice in enumerate(voices):
        mine = frozenset(words(voice.draft.text))
        for text, members in groups:
            other = frozenset(words(text))
            same = voices[members[0]].draft.kind is voice.draft.kind
            if same and len(mine & other) >= ALIKE * len(mine | other):
                members.append(place)
                break
        else:
            groups.append((voice.draft.text, [place]))
    return groups


def _proposal(
    scene: str,
    text: str,
    voices: Sequence[_Voice],
    batches: Sequence[Sequence[tuple[Caption, Provenance]]],
    drafter: Drafter,
    attributes: Mapping[str, str],
) -> Proposal:
    text = clean_text(text)
    first = voices[0].draft
    agreeing = sorted({v.batch for v in voices})
    cited = [provenance for number in agreeing for _, provenance in batches[number]]
    return Proposal(
        Rule(
            id=induced_id(scene, f"drafted/{first.kind}/{' '.join(words(text)[:3])}/{text}"[:200]),
            scene=scene,
            version=1,
            kind=first.kind,
            category=first.category,
            text=text,
            predicate=_test(text, scene, first.kind, attributes),
            support=len(agreeing),
            batches=sum(bool(b) for b in batches),
            provenance=_by_clip(cited),
            author=f"induction: {drafter.name}",
            status=RuleStatus.ACTIVE,
        )
    )


def _by_clip(cited: Sequence[Provenance]) -> tuple[Provenance, ...]:
    """Per clip, the first few frames cited."""
    clips: dict[str, Provenance] = {}
    for one in cited:
        known = clips.setdefault(one.video_id, one.model_copy(update={"frames": ()}))
        frames = tuple(sorted({*known.frames, *one.frames}))
        if len(frames) <= FRAMES_CITED:
            clips[one.video_id] = known.model_copy(update={"frames": frames})
    return tuple(sorted(clips.values(), key=lambda c: c.clip))


def _test(text: str, scene: str, kind: RuleKind, attributes: Mapping[str, str]) -> Predicate | None:
    """A test by code where the whole sentence can be checked; else its words stand alone."""
    try:
        found = understand(text, {}, scene, kind=kind, attributes=attributes)
    except UserError:  # it names a place that is no zone here
        return None
    return None if found.unchecked else found.predicate
