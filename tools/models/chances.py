"""Scores from token probabilities: the expected value over the tokens of a small scale.

A number that a model writes takes a handful of values; the probabilities behind it are graded
(G-Eval, Liu et al., EMNLP 2023). Variants of a token in case and spacing count as one answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tools.errors import BackendError
from tools.models.chat import ChatReply, TokenChances

__all__ = ["DIGITS", "UNTOLD", "Graded", "chances_of", "grade"]

DIGITS = tuple("0123456789")
UNTOLD = "?"
"""The answer that one cannot tell."""

LEAST_MASS = 0.5
"""Below this probability of any answer at all, the model answers something else."""
UNIFORM = 0.75
"""Entropy from which the answers are too even to say anything."""
APART = 0.28
"""Standard deviation from which a split of opinion is no opinion; all at random has 0.32."""
SPLIT = (0.2, 0.8)
"""Share on the upper half of the scale between which the opinion is split."""


@dataclass(frozen=True)
class Graded:
    """A place on a scale of answers."""

    value: float
    """Expected place, 0 for the first answer of the scale and 1 for the last."""
    entropy: float
    """Of the normalised probabilities, as a share of the greatest possible: 0 sure, 1 uniform."""
    mass: float
    """Probability the model gave to any answer of the scale at all."""
    chances: tuple[float, ...]
    """Normalised probability of each answer, in the order of the scale."""
    untold: float = 0.0
    """Probability of the answer that one cannot tell, as a share of all answers."""
    written: bool = False
    """Read from the written answer, because no probabilities were to be had."""

    @property
    def doubt(self) -> str:
        """Why this is no opinion, in words; empty where it is one. Bounds are stated priors."""
        if self.untold >= 0.5:
            return "the model cannot tell from what is known"
        if self.mass < LEAST_MASS:
            return f"the model gave only {self.mass:.0%} to any answer of the scale"
        if self.entropy >= UNIFORM:
            return f"the model finds all answers about as likely (entropy {self.entropy:.2f})"
        upper = sum(self.chances[len(self.chances) // 2 :])
        spread = math.sqrt(
            sum(
                c * (i / (len(self.chances) - 1) - self.value) ** 2
                for i, c in enumerate(self.chances)
            )
        )
        if spread >= APART and SPLIT[0] < upper < SPLIT[1]:
            return f"the model is of two minds ({upper:.0%} on the upper half of the scale)"
        return ""


def chances_of(at: TokenChances, scale: Sequence[str]) -> dict[str, float]:
    """Probability of each answer at one place, its variants in case and spacing summed."""
    found = dict.fromkeys(scale, 0.0)
    plain = {_plain(answer): answer for answer in scale}
    told = dict(at.top)
    told.setdefault(at.token, at.logprob)
    for token, logprob in told.items():
        answer = plain.get(_plain(token))
        if answer is not None and not math.isnan(logprob):
            found[answer] += math.exp(min(logprob, 0.0))
    return found


def grade(reply: ChatReply, scale: Sequence[str] = DIGITS) -> Graded:
    """Where a reply lies on the scale, or that one cannot tell.

    Read at the first token that is an answer; tokens before it may only be white space, quotes and
    the like. Without probabilities the written answer alone counts, and is marked so.

    Raises BackendError (``off_scale``) where the reply is no answer of the scale.
    """
    answers = (*scale, UNTOLD)
    at = next((t for t in reply.tokens if _plain(t.token)), None)
    if at is not None:
        if _plain(at.token) not in map(_plain, answers):
            raise _off(reply)
        found = chances_of(at, answers)
        mass = sum(found.values())
        untold = found.pop(UNTOLD) / mass if mass > 0 else 1.0
        told = sum(found.values())
        if told <= 0:
            return _placed([1.0 / len(scale)] * len(scale), min(mass, 1.0), 1.0)
        return _placed([c / told for c in found.values()], min(mass, 1.0), untold)
    written = _plain(reply.text)
    if written == UNTOLD:
        return _placed([1.0 / len(scale)] * len(scale), 1.0, 1.0, written=True)
    if written not in map(_plain, scale):
        raise _off(reply)
    return _placed([float(_plain(a) == written) for a in scale], 1.0, 0.0, written=True)


def _placed(
    shares: Sequence[float], mass: float, untold: float, *, written: bool = False
) -> Graded:
    value = sum(i * share for i, share in enumerate(shares)) / (len(shares) - 1)
    return Graded(value, _entropy(shares), mass, tuple(shares), untold, written)


def _plain(token: str) -> str:
    return token.strip(" \t\r\n\"'.`*▁Ġ").casefold()


def _entropy(shares: Sequence[float]) -> float:
    return max(0.0, -sum(s * math.log(s) for s in shares if s > 0) / math.log(len(shares)))


def _off(reply: ChatReply) -> BackendError:
    said = reply.text if len(reply.text) <= 60 else reply.text[:57] + "…"
    return BackendError(
        f"the model answered {said!r}, which is not on the scale", fault="off_scale"
    )
