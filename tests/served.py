"""Backends behind the loopback server, for tests that try every backend of a port."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from evals.bench.modelserver import ModelServer
from tests.brain import Brain, text_of
from tools.backends import ModelOptions, Models, make

__all__ = ["SERVED", "any_backend"]

SERVED = "openai"


def sensible() -> Brain:
    """A brain that answers the questions of the conformance tests as a person would."""
    brain = Brain(answer="")

    def planned(request: dict[str, Any]) -> None:
        asked = text_of(request).partition("Question: ")[2]
        brain.plan = {"intent": "anomaly", "targets": []}
        if "Who" in asked:
            brain.plan = {"intent": "unsupported", "targets": [], "note": "It knows no names."}
        elif "out of the ordinary" not in asked:
            target = {"phrase": "running", "concept": "running", "predicate": "activity == runs"}
            brain.plan = {"intent": "find", "targets": [target]}

    brain.always = planned
    return brain


@contextmanager
def any_backend(
    role: str, name: str, factories: Mapping[str, Callable[..., Any]], folder: Path
) -> Iterator[Any]:
    """A backend by name; ``openai`` is one behind a server that runs as long as it is used."""
    if name != SERVED:
        yield make(role, name, factories, folder)
        return
    models = Models(folder, ModelOptions(keep=False))
    with ModelServer(sensible()) as server, closing(models):
        yield make(role, f"openai:tiny@{server.url}", factories, folder, models=models)
