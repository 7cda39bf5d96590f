"""What a run consists of: written before the first question, read again by ``score``.

``OUT/suite.json`` names the suite and every item in order, so that scoring from saved traces knows
what should be there, and a missing or foreign trace is noticed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from evals.provenance import write_json
from evals.suite import Suite
from tools.errors import StoreError, UserError

__all__ = ["PLAN", "Expected", "RunPlan", "read_plan", "trace_path", "write_plan"]

PLAN = "suite.json"
SCHEMA: Literal["vidocq-run/1"] = "vidocq-run/1"


class Expected(BaseModel):
    """One item of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    section: str
    """``test``; ``heldout`` for held-out normal clips; ``control:NAME`` for a control."""
    name: str
    key: str


class RunPlan(BaseModel):
    """The suite and its items."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["vidocq-run/1"] = SCHEMA
    suite: Suite
    limit: int | None
    items: tuple[Expected, ...]


def write_plan(folder: Path, suite: Suite, limit: int | None, items: Sequence[Expected]) -> RunPlan:
    """Write ``folder/suite.json``. Raises StoreError."""
    plan = RunPlan(suite=suite, limit=limit, items=tuple(items))
    write_json(folder / PLAN, plan.model_dump(mode="json"))
    return plan


def read_plan(folder: Path) -> RunPlan:
    """Read ``folder/suite.json``. Raises UserError where there is no run, StoreError if damaged."""
    file = folder / PLAN
    try:
        text = file.read_text(encoding="utf-8")
    except OSError:
        raise UserError(
            f"no run in {folder}: {PLAN} is missing",
            remedy="name the --out folder of: python -m evals run SUITE.yaml",
        ) from None
    try:
        return RunPlan.model_validate_json(text)
    except ValidationError as error:
        flaw = error.errors()[0]
        where = ".".join(str(part) for part in flaw["loc"]) or "content"
        raise StoreError(
            f"{file}: {where}: {flaw['msg'].lower()}", remedy="run the suite again"
        ) from error


def trace_path(folder: Path, item: Expected) -> Path:
    """Where the saved trace of an item lies."""
    return folder / "traces" / _plain(item.section) / f"{_plain(item.name)}.jsonl"


def _plain(name: str) -> str:
    """A name that is a file name everywhere; different names stay different."""
    return re.sub(r"[^A-Za-z0-9._-]", lambda m: f"%{ord(m.group()):02x}", name)
