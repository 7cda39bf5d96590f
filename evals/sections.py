"""A section of a suite: samples asked about in one archive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.model import Sample
from evals.suite import Suite
from tools.types import content_id

__all__ = ["Prepared", "Say", "Section"]

Say = Callable[[str], None]


def _nothing(_: Say) -> None:
    """No archive has to be made."""


@dataclass(frozen=True, eq=False)
class Section:
    """Samples asked about in one archive.

    ``make`` builds the archive unless it is there; ``basis`` names all that the archive rests on.
    """

    name: str
    samples: tuple[Sample, ...]
    home: Path
    basis: str
    hashes: Mapping[str, str]
    """Sample → hash of what is asked about."""
    make: Callable[[Say], None] = _nothing
    data: Path = Path()
    """Folder of the recorded data, where no video is asked about."""
    induced_from: tuple[str, ...] = ()
    max_rounds: int | None = None
    inject: str = ""
    """The tool whose first call is made to fail."""

    def key(self, suite: Suite, sample: Sample) -> str:
        """Hash of all that an answer about the sample rests on, and of the truth saved with it."""
        return content_id(
            self.basis,
            self.name,
            sample.question or suite.question,
            suite.budget,
            self.max_rounds,
            self.hashes[sample.id],
            repr(sample),
        )


@dataclass(frozen=True, eq=False)
class Prepared:
    """A suite with its data read and its sections laid out; nothing has been asked."""

    folder: Path
    sections: tuple[Section, ...]
    settings: Mapping[str, Any]
    hashes: Mapping[str, str] = field(default_factory=dict)
