"""The composition root: the one place where settings become backends, stores and the graph."""

from __future__ import annotations

import hashlib
import json
import platform
import sqlite3
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.settings import Settings, load_settings
from agent.trace import TraceStore
from tools import backends
from tools.archive import Archive, SceneRecord
from tools.induction.inducing import SceneInduction
from tools.ports import Progress
from tools.sidebyside import waits
from tools.toolbox import Toolbox

if TYPE_CHECKING:
    from agent.graph import Agent

__all__ = ["Stores", "build_agent", "induce_scene", "makers", "models_of", "open_stores", "version"]

PACKAGES = ("langgraph", "langchain-core", "chromadb", "opencv-python-headless", "av", "numpy")
ALL_RULES = 64


@dataclass(frozen=True, eq=False)
class Stores:
    """What an agent is made of, for callers that need the parts."""

    settings: Settings
    tools: Toolbox
    runs: TraceStore
    models: backends.Models

    @property
    def archive(self) -> Archive:
        return self.tools.archive

    def close(self) -> None:
        self.tools.ahead.stop()
        self.runs.close()
        self.archive.close()
        self.models.close()


def version() -> str:
    """Version of this installation."""
    return metadata.version("vidocq")


def models_of(settings: Settings) -> backends.Models:
    """Where language models are opened; the caller closes it."""
    return backends.Models(settings.home / "cache" / "replies", settings.modelling)


def makers(settings: Settings, models: backends.Models) -> Mapping[str, Callable[[], Any]]:
    """For each role, what makes the backend that the settings name. They raise UserError."""
    kept = settings.home / "cache"
    roles: dict[str, tuple[str, Mapping[str, Callable[..., Any]], dict[str, Any]]] = {
        "detector": (settings.detector, backends.DETECTORS, settings.detecting),
        "captioner": (
            settings.captioner,
            backends.CAPTIONERS,
            {"causal": settings.smoothing == "causal"},
        ),
        "verifier": (settings.verifier, backends.VERIFIERS, {}),
        "planner": (settings.planner, backends.PLANNERS, {}),
        "drafter": (settings.drafter, backends.DRAFTERS, {}),
        "embedder": (
            settings.embedder,
            backends.EMBEDDERS,
            {"model": settings.embedder_model},
        ),
    }

    def maker(role: str) -> Callable[[], Any]:
        name, factories, options = roles[role]
        return lambda: backends.make(role, name, factories, kept, models=models, **options)

    return {role: maker(role) for role in roles}


def open_stores(settings: Settings | None = None, **overrides: Any) -> Stores:
    """Open the archive and make the configured backends. Raises UserError, StoreError."""
    chosen = settings or load_settings(overrides)
    models = models_of(chosen)
    make = makers(chosen, models)
    embedder = make["embedder"]()
    tools = Toolbox(
        archive=Archive(chosen.home, embedder, chroma_url=chosen.chroma_url),
        detector=make["detector"](),
        captioner=make["captioner"](),
        verifier=make["verifier"](),
        planner=make["planner"](),
        embedder=embedder,
        drafter=make["drafter"](),
        min_event_s=chosen.min_event_s,
        false_alarm_rate=chosen.false_alarm_rate,
        abstain_rate=chosen.abstain_rate,
    )
    runs = TraceStore(chosen.home / "runs", lambda: _header(chosen, tools))
    return Stores(settings=chosen, tools=tools, runs=runs, models=models)


def build_agent(
    stores: Stores | None = None, *, checkpoints: bool = True, **overrides: Any
) -> Agent:
    """The agent: a compiled LangGraph graph over the configured backends.

    Args:
        stores: opened stores; made from the settings where they are not given.
        checkpoints: keep checkpoints in ``home/checkpoints.db``; False where the caller's platform
            keeps its own.
        overrides: settings, e.g. ``home=...``, ``max_looks=...`` (see agent.settings).

    Raises:
        UserError: a setting or an installation is wrong.
        StoreError: the archive cannot be opened.
    """
    from agent.checkpoints import Checkpoints
    from agent.graph import Agent
    from graphs.context import Context
    from graphs.investigate import build

    made = _opened(stores, overrides)
    settings = made.settings
    looks, verdicts = waits(made.tools.captioner), waits(made.tools.verifier)
    parallel = settings.unless_set("parallel", max(settings.parallel, looks))
    context = Context(
        tools=made.tools,
        runs=made.runs,
        budget=settings.budget,
        batch=settings.unless_set("batch", max(settings.batch, looks, verdicts)),
        first_look=settings.first_look,
        zoom=settings.zoom,
        smoothing=settings.smoothing,
        smoothing_s=settings.smoothing_s,
        smoothing_method=settings.smoothing_method,
        correlation=settings.correlation,
        # A judging model reads all rules in one order, so that prompts begin alike.
        rules_per_event=settings.unless_set(
            "rules_per_event",
            settings.rules_per_event if settings.verifier in backends.VERIFIERS else ALL_RULES,
        ),
        default_scene=settings.scene,
        workers=settings.workers,
    )
    saver = Checkpoints(settings.home / "checkpoints.db") if checkpoints else None
    compiled = build(context).compile(checkpointer=saver, name="vidocq")
    agent = Agent.of(compiled).with_config(
        {
            # choose, look, recall, judge and reflect are one round; the rest happens once
            "recursion_limit": 5 * settings.max_rounds + 30,
            "max_concurrency": parallel,
        }
    )

    def close() -> None:
        made.close()
        if saver is not None:
            saver.close()

    agent.on_close = close
    return agent


def induce_scene(
    paths: Sequence[str | Path],
    scene: str,
    *,
    stores: Stores | None = None,
    progress: Progress | None = None,
    **overrides: Any,
) -> SceneRecord:
    """Learn a scene from normal clips and record its rules, profile and calibration.

    Args:
        paths: files, or folders of them or of frames, that show only normal footage.
        scene: name of the scene; induced again, its induced rules get new versions and rules
            written by people stay.

    Raises:
        MediaError: no clip can be read. UserError: they do not show one scene, or a bad name.
        StoreError: the archive cannot be written; nothing of the scene is then changed.
    """
    from graphs.induce import Inducing, build_induction

    made = _opened(stores, overrides)
    try:
        with SceneInduction(made.tools, paths, scene, progress=progress) as induction:
            graph = build_induction().compile(name="induce")
            record: SceneRecord = graph.invoke({"scene": scene}, context=Inducing(induction))[
                "record"
            ]
            return record
    finally:
        if stores is None:
            made.close()


def _opened(stores: Stores | None, overrides: Mapping[str, Any]) -> Stores:
    if stores is None:
        return open_stores(**overrides)
    if overrides:
        raise TypeError(f"opened stores have their settings; not allowed: {sorted(overrides)}")
    return stores


# ---------------------------------------------------------------- what a trace says of its origin


def _header(settings: Settings, tools: Toolbox) -> Mapping[str, Any]:
    values = settings.model_dump(mode="json", exclude={"home"})
    canonical = json.dumps(values, sort_keys=True)
    return {
        "vidocq": version(),
        "commit": _commit(),
        "settings": values,
        "settings_hash": hashlib.sha256(canonical.encode()).hexdigest()[:16],
        "prompts": _prompt_hashes(),
        "backends": {
            "detector": tools.detector.name,
            "captioner": tools.captioner.name,
            "verifier": tools.verifier.name,
            "planner": tools.planner.name,
            "embedder": tools.embedder.name,
        },
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "seed": 0,
    }


def _prompt_hashes() -> dict[str, str]:
    from prompts import load, names

    return {name: load(name).version for name in names()}


@cache
def _commit() -> str | None:
    """Commit of the checkout, with ``+dirty`` where it was changed; None when installed."""
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return None

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(here), *words], capture_output=True, text=True, check=True, timeout=10
        )
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+dirty" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None
