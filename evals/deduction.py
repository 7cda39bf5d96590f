"""Captions against rules given in words: a stated lexical deduction, with no model and no tuning.

A rule names phrases, a caption makes clauses; words are compared by their stem, or by the concept
they name (:mod:`tools.concepts`: "riding a bicycle" and "skateboarding" both name *riding*). A word
weighs what it would surprise in a normal caption:

    w(word) = −log2((1 + captions with it) / (1 + normal captions)) / log2(1 + normal captions)

so that "walking" or "tree" weigh next to nothing and a word never seen there weighs 1. A phrase
matches a clause as far as it is found there, and its rule as strongly as the rarest word found:

    strength = (Σ w of its words found / Σ w of its words) · max w of its words found

The score of a frame is the greatest strength of an anomalous rule in its caption, smoothed in time
(Gaussian, σ = 0.5 s); words of normal rules weigh nothing. A score from 0.5 on flags the frame.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from evals.datasets.captions import CaptionRules, CaptionVideo, ChoiceItem
from evals.model import Found, Outcome, Told, frame_runs
from tools.concepts import find_concepts
from tools.decision import Cost, Label
from tools.scoring import smooth

__all__ = ["Deduced", "Deduction"]

ALARM = 0.5
SIGMA_S = 0.5
STOP = frozenset(
    "a an and are as at be been being by for from has have in into is it its of off on onto or "
    "other than that the their them there these they this those to toward towards up down very "
    "which while who with without such any usual unusual person people individual image first "
    "second third fourth fifth sixth seventh eighth ninth tenth one two three four five six seven "
    "appear appears seem seems visible starting left right".split()
)
ENDINGS = ("ing", "edly", "ed", "ly")


@dataclass(frozen=True)
class Deduced:
    """The strongest anomalous rule in a caption. ``rule`` None: none has a word in it."""

    strength: float
    rule: str | None = None
    """``rule:captions-DATASET-N@1``"""
    rule_text: str = ""
    clause: str = ""


class Deduction:
    """Rules of one data set over captions, weighed by captions of normal frames."""

    def __init__(self, rules: CaptionRules, normal_captions: Sequence[str]) -> None:
        self.dataset = rules.dataset
        self.rules = {
            f"rule:captions-{rules.dataset}-{n}@1": text for n, text in enumerate(rules.anomalous)
        }
        self._count = Counter(w for text in normal_captions for w in set(_words(text)))
        self._total = len(normal_captions)
        self._weights = {w: 0.0 for text in rules.normal for w in _words(text)}
        self._phrases = {
            name: [frozenset(w) for phrase in _phrases(text) if (w := _words(phrase))]
            for name, text in self.rules.items()
        }
        self._known: dict[str, Deduced] = {}

    def weight(self, word: str) -> float:
        """Surprise of a word in a normal caption, in [0, 1]; 0 for a word of a normal rule."""
        return self._weight(_stem(word))

    def _weight(self, word: str) -> float:
        known = self._weights.get(word)
        if known is None:
            share = (1 + self._count[word]) / (1 + self._total)
            known = -math.log2(min(1.0, share)) / math.log2(1 + self._total)
            self._weights[word] = known
        return known

    def deduce(self, caption: str) -> Deduced:
        """The strongest rule in a caption, the first of equals."""
        known = self._known.get(caption)
        if known is None:
            known = self._known[caption] = self._deduce(caption)
        return known

    def _deduce(self, caption: str) -> Deduced:
        best = Deduced(0.0)
        for clause in _clauses(caption):
            have = frozenset(_words(clause))
            for name, phrases in self._phrases.items():
                strength = max((self._strength(p, have) for p in phrases), default=0.0)
                if strength > best.strength:
                    best = Deduced(strength, name, self.rules[name], clause)
        return best

    def _strength(self, phrase: frozenset[str], have: frozenset[str]) -> float:
        common = [self._weight(w) for w in phrase & have]
        whole = sum(self._weight(w) for w in phrase)
        return sum(common) / whole * max(common) if common and whole > 0 else 0.0

    def judge(self, video: CaptionVideo) -> Outcome:
        """Scores, flagged stretches, and for each the strongest frame with the rule it breaks."""
        sample = video.sample
        deduced = [self.deduce(caption) for caption in video.captions]
        seconds = np.arange(sample.frames) / sample.fps
        raw = [d.strength for d in deduced]
        scores = np.clip(smooth(seconds.tolist(), raw, how="offline", width_s=SIGMA_S), 0, 1)
        events, steps = [], []
        for start, end in frame_runs(scores >= ALARM):
            top = max(range(start, end), key=lambda i: raw[i])
            found = deduced[top]
            events.append(
                Found(
                    start=start,
                    end=end,
                    score=float(scores[start:end].max()),
                    label=Label.ANOMALOUS,
                    key_frame=top,
                    summary=found.clause,
                    rules=(found.rule,) if found.rule else (),
                )
            )
            cites = (f"caption:{sample.id}:{top}",)
            steps.append(Told("when", f"frames {start} to {end - 1}", cites, spans=((start, end),)))
            steps.append(Told("what", f"Caption: {found.clause}", cites, spans=((top, top + 1),)))
            if found.rule:
                steps.append(
                    Told("rule", f"Rule: {found.rule_text}", (found.rule,), rules=(found.rule,))
                )
        known = frozenset(self.rules)
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

    def given(self, rule: str) -> float:
        """How far a rule, perhaps in other words, is one of the anomalous rules given.

        The share of its words, by weight, that stand in a single given rule; 0 for a rule of which
        every word is usual.
        """
        named = frozenset(_words(rule))
        whole = sum(self._weight(w) for w in named)
        found = (
            sum(self._weight(w) for w in named & frozenset(_words(text)))
            for text in self.rules.values()
        )
        return max(found, default=0.0) / whole if whole > 0 else 0.0

    def choose(self, item: ChoiceItem) -> Outcome:
        """One of the four options, from the caption alone.

        An option that accuses quotes what was seen and a rule. It holds as far as the quoted
        words stand in the caption, each at its weight, and only if the rule it quotes is one of
        the anomalous rules given (:meth:`given`). The strongest from 0.5 on is chosen, else the
        option that calls the frame normal.
        """
        choice = item.sample.choice
        if choice is None:
            raise ValueError(f"{item.sample.id} is no four-choice question")
        have = [frozenset(_words(clause)) for clause in _clauses(item.caption)]
        held: dict[str, float] = {}
        for letter, text in choice.options.items():
            if choice.verdicts[letter] is Label.ANOMALOUS:
                seen, named = _quoted(text)
                said = frozenset(_words(seen))
                known = self.given(named) >= ALARM
                held[letter] = max((self._strength(said, h) for h in have if known), default=0.0)
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


def _quoted(option: str) -> tuple[str, str]:
    """What an option says was seen, and the rule it names: its two quotations.

    Where it quotes nothing, all of it stands for both.
    """
    found = re.search(r"['‘\"](.+?)['’\"] match(?:es)?\b(.*)", option)
    if found is None:
        return option, option
    rule = re.search(r"['‘\"](.+)['’\"]", found.group(2))
    return found.group(1), rule.group(1) if rule else found.group(2)


def _phrases(rule: str) -> list[str]:
    """The alternatives a rule names: parts between commas, "or", parentheses and "such as"."""
    parts = re.split(r"[,;:()./]|\bor\b|\bsuch as\b|\be\.g\.|\bincluding\b|\blike\b", rule)
    return [p for p in parts if p.strip()]


def _clauses(caption: str) -> list[str]:
    return [c.strip() for c in re.split(r"[.,;]|\band\b|\bwhile\b", caption) if c.strip()]


@lru_cache(maxsize=65536)
def _words(text: str) -> tuple[str, ...]:
    """Concepts named in the text, and stems of its other content words."""
    rest, found = text, []
    for concept, phrase in find_concepts(text):
        found.append(f"<{concept.name}>")
        rest = rest.replace(phrase, " ")
    words = re.findall(r"[a-z]+", rest.lower())
    return (*found, *(_stem(w) for w in words if w not in STOP and len(w) > 2))


def _stem(word: str) -> str:
    """A word without plural, -ing, -ed, -ly and a final e, so that its forms fall together."""
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            break
    return word.removesuffix("e") if len(word) > 3 else word
