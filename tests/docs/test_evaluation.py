"""What the evaluation page says, and that nothing in the results is left unsaid."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.main import get_command

from evals.__main__ import app
from evals.importers import IMPORTERS
from evals.metrics.definitions import DEFINITIONS
from evals.page.extra import EXTRA
from evals.scoring import score_dir
from tests.evalruns import make_run

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")


def test_every_figure_in_the_results_is_documented(tmp_path: Path) -> None:
    metrics = score_dir(make_run(tmp_path))["metrics"]
    keys = {k.removesuffix("_95_low").removesuffix("_95_high") for k in metrics}
    assert sorted(k for k in keys if f"| `{k}` |" not in PAGE) == []


@pytest.mark.parametrize("key", [*DEFINITIONS, *EXTRA])
def test_a_definition_on_the_page_is_that_of_the_code(key: str) -> None:
    definition = {**DEFINITIONS, **EXTRA}[key]
    text = definition.text.replace("|", "\\|")
    assert f"| `{key}` | {definition.unit} | {definition.better or '–'} | {text}" in PAGE


def test_every_command_format_and_suite_is_on_the_page() -> None:
    commands = set(get_command(app).commands) - {"sample"}  # type: ignore[attr-defined]
    assert sorted(c for c in commands if f"python -m evals {c}" not in PAGE) == []
    assert [f for f in IMPORTERS if f not in PAGE] == []
    suites = [f.stem for f in (ROOT / "evals" / "suites").glob("*.yaml")]
    assert [s for s in suites if f"`{s}`" not in PAGE] == []
