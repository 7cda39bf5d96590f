"""A suite: which data, which question, how the agent is set, what is held out. Read from YAML."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import evals
from tools.errors import UserError

__all__ = [
    "CaptionsSpec",
    "ChoiceSpec",
    "DatasetSpec",
    "HeldOut",
    "ImportedSpec",
    "RecordedSpec",
    "ScenesSpec",
    "Suite",
    "UcsdSpec",
    "data_root",
    "load_suite",
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UcsdSpec(_Strict):
    """A folder laid out like UCSD Ped2."""

    layout: Literal["ucsd"]
    folder: str
    """Relative to the data root (``VIDOCQ_DATA``), unless ``--data`` names the folder itself."""


class ScenesSpec(_Strict):
    """Scenes of our own generator, rendered when the suite first runs."""

    layout: Literal["scenes"]
    kinds: tuple[str, ...] = Field(min_length=1)
    """Kinds of the test clips; ``normal`` counts false alarms."""
    seeds: tuple[int, ...] = (0,)
    """One test clip per kind and seed."""
    normals: int = Field(default=6, gt=0)
    """Training clips."""
    seconds: float = Field(default=18.0, gt=0)
    place: int = 0


class RecordedSpec(_Strict):
    """Recorded captions and verdicts of another system, replayed through the agent."""

    layout: Literal["recorded"]
    folder: str
    """Relative to the data root; holds ``traces``, ``labels`` and ``reference``, ``.jsonl.gz``."""


class CaptionsSpec(_Strict):
    """Frame captions of another system, scored by given rules; no video and no model."""

    layout: Literal["captions"]
    folder: str
    """Relative to the data root."""
    dataset: str
    """Whose ``DATASET.frames.jsonl.gz`` and rules."""


class ChoiceSpec(_Strict):
    """Four-choice "verdict, since reason" questions about captioned frames."""

    layout: Literal["mc100"]
    folder: str
    """Relative to the data root."""
    dataset: str = "shanghaitech"
    """Whose rules are given."""


class ImportedSpec(_Strict):
    """Results of another system, brought in by ``python -m evals import``; nothing can be asked."""

    layout: Literal["imported"]
    format: str
    folder: str


DatasetSpec = UcsdSpec | ScenesSpec | RecordedSpec | CaptionsSpec | ChoiceSpec | ImportedSpec


class Induction(_Strict):
    """Which training clips the rules come from."""

    clips: tuple[str, ...] | None = None
    """File names; None: all training clips."""


class HeldOut(_Strict):
    """The false-alarm check: induce from some training clips, ask about the others."""

    induce: int = Field(gt=0)
    seed: int = 0


class Bootstrap(_Strict):
    samples: int = Field(default=1000, gt=0)
    seed: int = 0


class Suite(_Strict):
    """One measurement, fully stated."""

    name: str = Field(pattern=r"^[\w.-]+$")
    dataset: Annotated[DatasetSpec, Field(discriminator="layout")]
    scene: str
    question: str = Field(min_length=1)
    induction: Induction = Induction()
    budget: dict[str, float | int | None] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    """Settings of the agent that differ from its defaults."""
    max_gap_s: float = Field(default=1.0, gt=0)
    """Longest gap between analysed frames that is bridged by interpolation."""
    heldout: HeldOut | None = None
    controls: tuple[Literal["no_rules", "shuffled_rules", "single_look"], ...] = ()
    """Asked again beside the headline, where an agent runs: with every rule retired, with the
    predicates dealt out anew among the rules, with one look and no iteration."""
    bootstrap: Bootstrap = Bootstrap()


def load_suite(path: str | Path) -> Suite:
    """Read and validate a suite. Raises UserError naming the file and the key."""
    file = Path(path)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the suite {file}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    try:
        return Suite.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "suite"
        raise UserError(f"{file}: {key}: {first['msg'].lower()}") from None


def data_root() -> Path:
    """``VIDOCQ_DATA``, by default ``../shared/data`` beside the checkout."""
    given = os.environ.get("VIDOCQ_DATA")
    if given:
        return Path(given)
    return Path(evals.__file__).resolve().parents[1].parent / "shared" / "data"
