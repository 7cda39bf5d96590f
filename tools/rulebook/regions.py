"""Tests as regions: per attribute the interval of numbers, or the set of words, that it admits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from tools.types import Predicate

__all__ = [
    "Region",
    "Span",
    "common",
    "empty",
    "impossible",
    "key_of",
    "lies_within",
    "region_of",
    "shown",
]


@dataclass(frozen=True)
class Span:
    """Numbers that a test admits."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    @property
    def empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and (self.open_low or self.open_high))

    def meet(self, other: Span) -> Span:
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Span(
            low,
            high,
            any(s.open_low for s in (self, other) if s.low == low),
            any(s.open_high for s in (self, other) if s.high == high),
        )


Part = Span | frozenset[str]
Region = Mapping[str, Part]

MEASURED = Span(low=0.0)
"""No attribute is ever negative."""
SHARE = Span(low=0.0, high=1.0)


@lru_cache(maxsize=4096)
def region_of(test: Predicate) -> Region:
    """What a test admits."""
    found: dict[str, Part] = {}
    for condition in test.all:
        value, name = condition.value, condition.attribute
        part: Part
        if isinstance(value, str | tuple):
            part = frozenset(v.casefold() for v in ((value,) if isinstance(value, str) else value))
        else:
            low = value if condition.op in {">", ">=", "=="} else -math.inf
            high = value if condition.op in {"<", "<=", "=="} else math.inf
            part = Span(low, high, condition.op == ">", condition.op == "<")
        found[name] = _both(found[name], part) if name in found else part
    return MappingProxyType(found)


def _both(a: Part, b: Part) -> Part:
    if isinstance(a, Span) and isinstance(b, Span):
        return a.meet(b)
    if isinstance(a, frozenset) and isinstance(b, frozenset):
        return a & b
    return frozenset()


def common(a: Region, b: Region) -> Region:
    """What both admit."""
    return {
        n: _both(a[n], b[n]) if n in a and n in b else (a[n] if n in a else b[n]) for n in {*a, *b}
    }


def empty(region: Region) -> bool:
    """Whether its own conditions leave nothing."""
    return any(p.empty if isinstance(p, Span) else not p for p in region.values())


def impossible(region: Region, units: Mapping[str, str]) -> bool:
    """Whether nothing that is measured can lie in it.

    Args:
        units: name → unit of what is measured.
    """
    possible: dict[str, Part] = {
        name: SHARE if unit.startswith("share") else MEASURED
        for name, unit in units.items()
        if isinstance(region.get(name), Span)
    }
    return empty(region) or empty(common(region, possible))


def lies_within(inner: Region, outer: Region) -> bool:
    """Whether whatever satisfies the first satisfies the second."""
    return all(name in inner and _both(inner[name], part) == inner[name]
               for name, part in outer.items())  # fmt: skip


def key_of(region: Region) -> tuple[object, ...]:
    """The same for equal regions."""
    return tuple(sorted((n, tuple(sorted(p)) if isinstance(p, frozenset) else p)
                 for n, p in region.items()))  # fmt: skip


def shown(region: Region) -> str:
    """In words for a person, e.g. ``1.5 < speed ≤ 2``."""
    parts = []
    for name, part in sorted(region.items()):
        if not isinstance(part, Span):
            parts.append(f"{name} in {{{', '.join(sorted(part))}}}")
        elif part.low == part.high:
            parts.append(f"{name} = {part.low:g}")
        else:
            low = "" if part.low == -math.inf else f"{part.low:g} {'<' if part.open_low else '≤'} "
            high = "" if part.high == math.inf else f" {'<' if part.open_high else '≤'} "
            high += f"{part.high:g}" if high else ""
            parts.append(f"{low}{name}{high}")
    return " and ".join(parts)
