"""Prompts are data: one Markdown file a task, with front matter.

``load(name)`` reads ``<name>.md``::

    ---
    name: verify
    variables: [event, rules]
    output: {type: object, ...}      # JSON schema of the reply, where it is structured
    ---
    Text with {{event}} and {{rules}}.

The version of a prompt is the hash of its file; it goes into every trace.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

__all__ = ["Prompt", "PromptError", "load", "names", "parse"]

VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
FRONT = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
KEYS = {"name", "description", "variables", "output"}


class PromptError(ValueError):
    """A prompt file or its use that does not hold together."""


@dataclass(frozen=True)
class Prompt:
    """A prompt: its text, the variables it takes, the JSON schema of the reply it asks for."""

    name: str
    text: str
    variables: tuple[str, ...]
    version: str
    """First 12 hex digits of the file's SHA-256."""
    description: str = ""
    output: Mapping[str, Any] = field(default_factory=dict)

    def render(self, **values: str) -> str:
        """The text with its variables put in. Raises PromptError for a missing or unknown one."""
        missing = set(self.variables) - set(values)
        unknown = set(values) - set(self.variables)
        if missing or unknown:
            raise PromptError(
                f"prompt {self.name}: missing {sorted(missing)}, unknown {sorted(unknown)}"
            )
        return VARIABLE.sub(lambda m: values[m.group(1)], self.text)


def names() -> tuple[str, ...]:
    """Names of the prompts there are, sorted."""
    found = (f.name for f in files(__name__).iterdir() if f.name.endswith(".md"))
    return tuple(sorted(name.removesuffix(".md") for name in found))


@cache
def load(name: str) -> Prompt:
    """The prompt of that name. Raises PromptError where there is none or its file is wrong."""
    if name not in names():
        raise PromptError(f"no prompt {name!r}; there are: {', '.join(names())}")
    return parse(name, (files(__name__) / f"{name}.md").read_text(encoding="utf-8"))


def parse(name: str, source: str) -> Prompt:
    """A prompt from the text of its file. Raises PromptError naming what is wrong."""
    match = FRONT.match(source)
    if match is None:
        raise PromptError(f"prompt {name}: no front matter between --- lines")
    try:
        front = yaml.safe_load(match.group(1))
    except yaml.YAMLError as error:
        raise PromptError(f"prompt {name}: front matter is not YAML: {error}") from None
    if not isinstance(front, dict) or set(front) - KEYS or front.get("name") != name:
        raise PromptError(f"prompt {name}: front matter needs name: {name}, allows {sorted(KEYS)}")
    declared = tuple(front.get("variables") or ())
    used = set(VARIABLE.findall(match.group(2)))
    if used != set(declared):
        raise PromptError(f"prompt {name}: declares {sorted(declared)} but uses {sorted(used)}")
    return Prompt(
        name=name,
        text=match.group(2).strip() + "\n",
        variables=declared,
        version=hashlib.sha256(source.encode()).hexdigest()[:12],
        description=front.get("description", ""),
        output=front.get("output") or {},
    )
