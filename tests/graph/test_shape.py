"""The drawn graph and the schemas callers rely on, as snapshots."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent import Agent, build_agent
from tests.snapshots import assert_snapshot
from tools.decision import Decision


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """Nothing of this needs a scene."""
    with closing(build_agent(home=tmp_path_factory.mktemp("bare"))) as made:
        yield made


def pretty(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def without_messages(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without LangChain's message types, which change with its version."""
    properties = {**schema["properties"], "messages": "LangChain messages"}
    known: dict[str, Any] = schema.get("$defs", {})
    used: set[str] = set()
    last: set[str] | None = None
    while used != last:
        last = used
        text = json.dumps([properties, [known[n] for n in sorted(used)]])
        used = {n for n in known if f'#/$defs/{n}"' in text}
    return {**schema, "properties": properties, "$defs": {n: known[n] for n in sorted(used)}}


def test_the_graph_as_drawn(bare: Agent) -> None:
    assert_snapshot("graph.mmd", bare.get_graph().draw_mermaid())


def test_what_goes_in(bare: Agent) -> None:
    assert_snapshot("input.schema.json", pretty(without_messages(bare.get_input_jsonschema())))


def test_what_comes_out(bare: Agent) -> None:
    assert_snapshot("output.schema.json", pretty(without_messages(bare.get_output_jsonschema())))


def test_the_decision() -> None:
    assert_snapshot("decision.schema.json", pretty(Decision.model_json_schema()))


def test_the_recursion_limit_leaves_room_for_every_round(tmp_path: Path) -> None:
    with closing(build_agent(home=tmp_path, max_rounds=7)) as made:
        assert made.config is not None
        assert made.config["recursion_limit"] == 65
