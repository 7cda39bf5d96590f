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

__all__ = ["DIGITS", "Graded", "chances_of", "grade"]

DIGITS = tuple("0123456789")


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
    written: bool = False
    """Read from the written answer, because no probabilities were to be had."""


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
    """Where a reply lies on the scale.

    Read at the first token that is an answer; tokens before it may only be white space, quotes and
    the like. Without probabilities the written answer alone counts, and is marked so.

    Raises BackendError (``off_scale``) where the reply is no answer of the scale.
    """
    at = next((t for t in reply.tokens if any(c.isalnum() for c in t.token)), None)
    if at is not None:
        found = chances_of(at, scale)
        mass = sum(found.values())
        if mass > 0 and _plain(at.token) in {_plain(answer) for answer in scale}:
            shares = tuple(found[answer] / mass for answer in scale)
            return Graded(_expected(shares), _entropy(shares), min(mass, 1.0), shares)
        raise _off(reply)
    plain = [_plain(answer) for answer in scale]
    if _plain(reply.text) not in plain:
        raise _off(reply)
    place = plain.index(_plain(reply.text))
    shares = tuple(float(i == place) for i in range(len(scale)))
    return Graded(_expected(shares), 0.0, 1.0, shares, written=True)


def _plain(token: str) -> str:
    return token.strip(" \t\r\n\"'.`*▁Ġ").casefold()


def _expected(shares: Sequence[float]) -> float:
    return sum(i * share for i, share in enumerate(shares)) / (len(shares) - 1)


def _entropy(shares: Sequence[float]) -> float:
    return max(0.0, -sum(s * math.log(s) for s in shares if s > 0) / math.log(len(shares)))


def _off(reply: ChatReply) -> BackendError:
    said = reply.text if len(reply.text) <= 60 else reply.text[:57] + "…"
    return BackendError(
        f"the model answered {said!r}, which is not on the scale", fault="off_scale"
    )
