"""The page on attributes is that of the code, and the code says of each what it has to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.backends.embedded.perception.attributes import DEFINITIONS, table
from tools.backends.embedded.perception.objects import MEASURED

ROOT = Path(__file__).parents[2]


def test_the_table_on_the_page_is_that_of_the_code() -> None:
    page = (ROOT / "docs" / "attributes.md").read_text(encoding="utf-8")
    assert table() in page, "run: python -m tools.backends.embedded.perception.attributes"


@pytest.mark.parametrize("name", DEFINITIONS)
def test_an_attribute_says_formula_source_and_what_is_normal(name: str) -> None:
    definition = DEFINITIONS[name]
    assert definition.unit or name == "direction"
    assert all((definition.formula, definition.source, definition.normal))


def test_what_is_measured_is_defined() -> None:
    assert set(MEASURED) <= set(DEFINITIONS)


def test_nothing_refers_to_a_document_that_is_not_here() -> None:
    files = [f for d in ("agent", "evals", "graphs", "tools") for f in (ROOT / d).rglob("*.py")]
    assert [f for f in files if "design §" in f.read_text(encoding="utf-8")] == []
