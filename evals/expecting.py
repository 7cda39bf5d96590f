"""Which tool calls are expected of which item: from the suite, or from the item's own labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evals.model import Sample
from evals.suite import Suite, Trajectories
from tools.errors import UserError

__all__ = ["with_expected"]


def with_expected(suite: Suite, samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """The samples of a section with the tool calls expected of each.

    Args:
        samples: all of the data set's, before any limit: an item or a kind that the suite names
            must be there.

    Raises UserError naming the key of the suite for one that is not.
    """
    wanted = suite.expected
    if wanted is None:
        return tuple(samples)
    names = {s.id for s in samples}
    kinds = {k for s in samples for k in (s.kind, s.category) if k}
    for key, given, known in (("items", wanted.items, names), ("kinds", wanted.kinds, kinds)):
        for name in given:
            if name not in known:
                raise UserError(
                    f"suite {suite.name}: expected.{key}: the data hold no {name!r}",
                    remedy=f"known: {', '.join(sorted(known)[:12]) or 'none'}",
                )
    return tuple(replace(s, expected=_expected(wanted, s)) for s in samples)


def _expected(wanted: Trajectories, sample: Sample) -> tuple[str, ...] | None:
    if sample.id in wanted.items:
        return wanted.items[sample.id]
    if sample.expected is not None:
        return sample.expected
    for kind in (sample.kind, sample.category):
        if kind and kind in wanted.kinds:
            return wanted.kinds[kind]
    if wanted.normal is not None and sample.labelled and not sample.spans:
        return wanted.normal
    return wanted.default
