"""Recorded captions judged by :mod:`tools.deduction`: whole videos, and four-choice questions.

No model and no video: the rules are given, or induced from captions of normal frames; the normal
captions weigh the words. They come from the very videos that are judged, so the judged video's own
are left out, and of the others those of the same camera count (:class:`References`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from evals.datasets.captions import CaptionVideo, ChoiceItem, NormalCaption, camera_of
from evals.model import Found, Outcome, Told, frame_runs
from tools.decision import Cost, Label
from tools.deduction import (
    ALARM,
    Deducer,
    Embed,
    Method,
    NormalClip,
    clauses_of,
    induce_from_captions,
    parts_of,
    phrase_of,
    said_in,
    share_of,
    smoothed,
    stated,
)
from tools.types import Rule, RuleKind

__all__ = ["Deduction", "References", "given"]

Reference = Literal["camera", "others", "all"]


class References:
    """Normal captions of a data set, and which of them may be known when a video is judged.

    ``camera``: those of other videos of the same camera, of other videos at all where there are
    none. ``others``: those of all other videos. ``all``: the judged video's own too, which are
    frames of the test.
    """

    def __init__(
        self, dataset: str, captions: Sequence[NormalCaption], which: Reference = "camera"
    ) -> None:
        self.dataset = dataset
        self._captions = tuple(captions)
        self._which = which

    def of(self, videos: Sequence[str]) -> tuple[NormalCaption, ...]:
        """Captions for judging what is of these videos (one video, mostly)."""
        if self._which == "all":
            return self._captions
        others = [c for c in self._captions if c.video not in videos]
        cameras = {camera_of(self.dataset, v) for v in videos}
        same = [c for c in others if camera_of(self.dataset, c.video) in cameras]
        return tuple(same if self._which == "camera" and same else others)


class Deduction:
    """Rules of one data set over its captions.

    Args:
        rules: of either kind, given.
        references: captions of normal frames.
        induce: those induced from the captions that may be known count, too
            (:func:`tools.deduction.induction.induce_from_captions`).
        smoothing: named method of :mod:`tools.deduction.smoothing`.
        causal: nothing at a frame rests on later ones.
        embed: a sentence model's vectors, for the likeness to normal clauses; None: words.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        references: References,
        *,
        induce: bool = False,
        smoothing: Method = "two_way",
        causal: bool = False,
        embed: Embed | None = None,
    ) -> None:
        self._embed = embed
        self._rules = tuple(rules)
        self._induce = induce
        self._references = references
        self._smoothing: Method = smoothing
        self._causal = causal
        self._last: tuple[tuple[NormalCaption, ...], Deducer] | None = None

    def deducer(self, videos: Sequence[str]) -> Deducer:
        """The deducer for what is of these videos. The last one made is kept."""
        normal = self._references.of(videos)
        if self._last is None or self._last[0] != normal:
            rules = self._rules + (self._induced(normal) if self._induce else ())
            self._last = (
                normal,
                Deducer(
                    rules,
                    [c.caption for c in normal],
                    clips=[c.video for c in normal],
                    embed=self._embed,
                ),
            )
        return self._last[1]

    def _induced(self, normal: Sequence[NormalCaption]) -> tuple[Rule, ...]:
        videos = dict.fromkeys(c.video for c in normal)
        clips = [
            NormalClip(v, v, tuple((c.frame, c.caption) for c in normal if c.video == v))
            for v in videos
        ]
        return induce_from_captions(self._references.dataset, clips).rules

    def judge(self, video: CaptionVideo) -> Outcome:
        """Scores, flagged stretches, and for each the strongest frame with the rule it breaks."""
        sample = video.sample
        deducer = self.deducer([sample.id])
        deduced = deducer.deduce_series(video.captions, rate=sample.fps, causal=self._causal)
        seconds = np.arange(sample.frames) / sample.fps
        raw = np.array([d.score for d in deduced])
        scores = np.clip(
            smoothed(seconds, raw, method=self._smoothing, causal=self._causal), 0.0, 1.0
        )
        events, steps = [], []
        for start, end in frame_runs(scores >= ALARM):
            top = max(range(start, end), key=lambda i: raw[i])
            found = deduced[top].top
            rule = found.rule if found else None
            clause = found.clause if found else ""
            events.append(
                Found(
                    start=start,
                    end=end,
                    score=float(scores[start:end].max()),
                    label=Label.ANOMALOUS,
                    key_frame=top,
                    summary=clause,
                    rules=(rule.ref,) if rule else (),
                )
            )
            cites = (f"caption:{sample.id}:{top}",)
            steps.append(Told("when", f"frames {start} to {end - 1}", cites, spans=((start, end),)))
            steps.append(Told("what", f"Caption: {clause}", cites, spans=((top, top + 1),)))
            if rule:
                steps.append(Told("rule", f"Rule: {rule.text}", (rule.ref,), rules=(rule.ref,)))
        known = frozenset(r.ref for r in deducer.rules if r.kind is RuleKind.ANOMALOUS)
        return Outcome(
            sample=sample.id,
            scores=scores,
            answered=np.ones(sample.frames, bool),
            label=Label.ANOMALOUS if events else Label.NORMAL,
            score=float(scores.max()),
            events=tuple(events),
            steps=tuple(steps),
            answer=" ".join(step.text for step in steps),
            rules_known=known,
            rules_retrieved=known,
            stop_reason="every caption was read",
            cost=Cost(verdicts=sample.frames),
        )

    def choose(self, item: ChoiceItem) -> Outcome:
        """One of the four options, from the caption alone.

        An option that accuses quotes what was seen and a rule. It holds if the rule is one of the
        anomalous rules given, if what was seen has to do with that rule, and as far as a clause of
        the caption bears out what was seen (a suspicion counts half). The strongest from 0.5 on is
        chosen, else the option that calls the frame normal.
        """
        choice = item.sample.choice
        if choice is None:
            raise ValueError(f"{item.sample.id} is no four-choice question")
        deducer = self.deducer(item.videos)
        clauses = [said_in(*c) for c in clauses_of(item.caption)]
        held: dict[str, float] = {}
        for letter, text in choice.options.items():
            if choice.verdicts[letter] is not Label.ANOMALOUS:
                continue
            seen, named = _quoted(text)
            stands = given(named, deducer) >= ALARM and _borne_out(named, seen, deducer) > 0
            quote = phrase_of(seen)
            told = max((share_of(quote, c, deducer.weigh)[0] for c in clauses), default=0.0)
            held[letter] = told if stands else 0.0
        top = max(held, key=lambda letter: held[letter])
        normal = next(x for x, v in choice.verdicts.items() if v is Label.NORMAL)
        strength = held[top]
        chosen = top if strength >= ALARM else normal
        return Outcome(
            sample=item.sample.id,
            scores=np.array([strength]),
            answered=np.ones(1, bool),
            label=choice.verdicts[chosen],
            score=strength,
            answer=choice.options[chosen],
            chosen=chosen,
            stop_reason="the caption was read",
            cost=Cost(verdicts=1),
        )


def given(named: str, deducer: Deducer) -> float:
    """How far a rule, perhaps in other words, is one of the anomalous rules given.

    The share of its words, by weight, that stand in a single given rule; 0 for a rule of which
    every word is usual.
    """
    words = phrase_of(named)
    given = (stated(r.text) for r in deducer.rules if r.kind is RuleKind.ANOMALOUS)
    return max((share_of(words, said, deducer.weigh)[0] for said in given), default=0.0)


def _borne_out(named: str, seen: str, deducer: Deducer) -> float:
    """How far what was seen bears out a rule in words: the best of the rule's phrases."""
    said = said_in(seen)
    return max((share_of(p, said, deducer.weigh)[0] for p in parts_of(named)), default=0.0)


def _quoted(option: str) -> tuple[str, str]:
    """What an option says was seen, and the rule it names: its two quotations.

    Where it quotes nothing, all of it stands for both.
    """
    found = re.search(r"['‘\"](.+?)['’\"] match(?:es)?\b(.*)", option)
    if found is None:
        return option, option
    rule = re.search(r"['‘\"](.+)['’\"]", found.group(2))
    return found.group(1), rule.group(1) if rule else found.group(2)
