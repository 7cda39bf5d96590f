"""A suite: which data, which question, how the agent is set, what is held out. Read from YAML."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

import evals
from evals.model import TOOLS, expectation
from tools.deduction.smoothing import CAUSAL, Method
from tools.errors import UserError

__all__ = [
    "CaptionsSpec",
    "ChoiceSpec",
    "DatasetSpec",
    "HeldOut",
    "ImportedSpec",
    "Injection",
    "JudgeSpec",
    "RecordedSpec",
    "ScenesSpec",
    "Suite",
    "Trajectories",
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
    rules: Literal["given", "induced", "both"] = "given"
    """``induced``: made from the normal captions, without a model; ``both``: those beside the given
    ones, as in a book that people and induction wrote."""
    reference: Literal["camera", "others", "all"] = "camera"
    """Which normal captions may be known (:class:`evals.deduction.References`)."""
    smoothing: Method = "two_way"
    causal: bool = False

    @model_validator(mode="after")
    def _looks_back(self) -> Self:
        if self.causal and not CAUSAL[self.smoothing]:
            raise ValueError(f"smoothing {self.smoothing} looks ahead and cannot be causal")
        return self


class ChoiceSpec(_Strict):
    """Four-choice "verdict, since reason" questions about captioned frames."""

    layout: Literal["mc100"]
    folder: str
    """Relative to the data root."""
    dataset: str = "shanghaitech"
    """Whose rules are given."""
    reference: Literal["camera", "others", "all"] = "camera"


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


def _tools(given: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return expectation(given)
    except UserError as error:
        raise ValueError(str(error)) from None


Calls = Annotated[tuple[str, ...], AfterValidator(_tools)]
"""Expected tool calls in order; ``look+`` is one call of ``look`` or more."""


class Trajectories(_Strict):
    """The tool calls of a good run. The first that applies, from ``items`` down, counts.

    A list in the place of the whole is the ``default``.
    """

    items: dict[str, Calls] = Field(default_factory=dict)
    """By item. A field ``expected`` of the item's own in ``labels.json`` comes next."""
    kinds: dict[str, Calls] = Field(default_factory=dict)
    """By kind or category."""
    normal: Calls | None = None
    """Of items labelled without an anomaly."""
    default: Calls | None = None


class Injection(_Strict):
    """Items asked again, once per tool, with the first call of that tool made to fail.

    A list in the place of the whole names the ``tools``.
    """

    tools: tuple[str, ...] = Field(min_length=1)
    items: int | None = Field(default=None, gt=0)
    """So many items, drawn by ``seed``; None: all."""
    seed: int = 0
    lasting: bool = False
    """False: the call fails once, and would succeed if tried again. True: it fails every time."""

    @field_validator("tools")
    @classmethod
    def _known(cls, tools: tuple[str, ...]) -> tuple[str, ...]:
        for name in tools:
            if name not in TOOLS:
                raise ValueError(f"no tool is called {name!r}; tools: {', '.join(TOOLS)}")
        if len(set(tools)) < len(tools):
            raise ValueError("a tool is named twice")
        return tools


class JudgeSpec(_Strict):
    """A language model that judges the reasons given in free text (:mod:`evals.judging`).

    A key, where the server wants one, is read from ``VIDOCQ_JUDGE_KEY`` and written nowhere.
    """

    model: str = Field(min_length=1)
    """The server must answer under this very name."""
    url: str
    """Of an OpenAI-compatible server, such as ``http://127.0.0.1:8000/v1``."""
    rubric: str | None = None
    """Hash of the rubric the figures are to rest on; None: the one of this version."""
    labels: str | None = None
    """Reasons with known labels, to measure the judge by: a file, relative to the data root."""
    timeout_s: float = Field(default=60.0, gt=0)

    @field_validator("url")
    @classmethod
    def _plain(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"not an http address: {url}")
        if parts.username or parts.password or parts.query:
            raise ValueError("the address holds a key; put it into VIDOCQ_JUDGE_KEY")
        return url


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
    expected: Trajectories | None = None
    """The tool calls of a good run, for ``tools_strict`` and its kin."""
    inject: Injection | None = None
    """Tool failures put there to see whether runs recover, for ``recovery``."""
    judge: JudgeSpec | None = None
    """Judges the reasons, for ``free_rr`` and its kin; asked after the run, or by
    ``python -m evals judge DIR``."""
    embedder: str | None = None
    """Sentence vectors for ``similarity`` (:mod:`evals.embedders`); None: not measured."""
    bootstrap: Bootstrap = Bootstrap()

    @field_validator("expected", mode="before")
    @classmethod
    def _only_default(cls, given: Any) -> Any:
        return {"default": given} if isinstance(given, list) else given

    @field_validator("inject", mode="before")
    @classmethod
    def _only_tools(cls, given: Any) -> Any:
        return {"tools": given} if isinstance(given, list) else given

    @model_validator(mode="after")
    def _runs(self) -> Self:
        layout = self.dataset.layout
        if layout in {"captions", "mc100", "imported"}:
            for key in ("expected", "inject"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key}: no agent runs over layout {layout}")
        induced = isinstance(self.dataset, CaptionsSpec) and self.dataset.rules == "induced"
        if induced and self.controls:
            raise ValueError("controls: they change given rules, and none are given")
        return self


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
        message = str(first["msg"]).removeprefix("Value error, ")
        raise UserError(f"{file}: {key}: {message[:1].lower()}{message[1:]}") from None


def data_root() -> Path:
    """``VIDOCQ_DATA``, by default ``../shared/data`` beside the checkout."""
    given = os.environ.get("VIDOCQ_DATA")
    if given:
        return Path(given)
    return Path(evals.__file__).resolve().parents[1].parent / "shared" / "data"
