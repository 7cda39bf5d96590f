"""Checkpoints: one file for synchronous and asynchronous callers, and our types rebuilt from it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata, empty_checkpoint

from agent.checkpoints import Checkpoints
from tests.builders import find_plan, observation_of, scene_of, span, video_of
from tools.decision import (
    Action,
    Budget,
    Decision,
    EventScore,
    Failure,
    Intent,
    Label,
    Step,
    Timeline,
    Window,
)
from tools.errors import StoreError
from tools.ledger import SceneView
from tools.record import journal_mode

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t1", "checkpoint_ns": ""}}
METADATA: CheckpointMetadata = {"source": "loop", "step": 1, "parents": {}}

RIDER = observation_of("rider", speed=3.0, surprise=4.0)
DECISION = Decision(
    run_id="r1",
    query="Anything?",
    intent=Intent.ANOMALY,
    label=Label.ANOMALOUS,
    score=0.9,
    events=(
        EventScore(
            video_id="v1",
            event_id="e1",
            interval=span(1, 2),
            label=Label.ANOMALOUS,
            score=0.9,
            summary="A rider",
            box=RIDER.box,
            attributes=RIDER.attributes,
        ),
    ),
    timelines=(Timeline(video_id="v1", frames=(0, 1), seconds=(0.0, 0.1), scores=(0.1, 0.9)),),
    explanation=(Step(kind="when", text="Then.", evidence=("event:e1",)),),
    failures=(Failure(item="b.mp4", reason="empty"),),
)
STATE: dict[str, Any] = {
    "plan": find_plan("speed > 2 and activity in {glides, runs}").model_copy(
        update={"window": Window(start_s=1.0), "budget": Budget(max_looks=3)}
    ),
    "wanted": (Action(kind="zoom", video_id="v1", event_id="e1", reason="why not"),),
    "video_ids": ("v1", "v2"),
    "decision": DECISION,
    "previous": None,
    "messages": [HumanMessage("Anything?"), AIMessage("Yes.")],
    "video": video_of(),
    "observation": RIDER,
}
READ = {k: list(v) if isinstance(v, tuple) else v for k, v in STATE.items()}
"""What a checkpoint gives back: the serializer turns bare tuples into lists; nodes take both."""


@pytest.fixture
def saver(tmp_path: Path) -> Iterator[Checkpoints]:
    made = Checkpoints(tmp_path / "home" / "checkpoints.db")
    yield made
    made.close()


def checkpoint() -> Any:
    return {**empty_checkpoint(), "channel_values": STATE, "channel_versions": {"plan": 1}}


def test_values_of_the_vocabulary_come_back_equal_and_of_their_type(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Checkpoints(tmp_path / "c.db")
    stored = first.put(CONFIG, checkpoint(), METADATA, {})
    first.close()
    with caplog.at_level(logging.DEBUG):
        again = Checkpoints(tmp_path / "c.db")
        found = again.get_tuple(stored)
        again.close()
    assert found is not None
    values = found.checkpoint["channel_values"]
    assert values == READ
    assert {k: type(v) for k, v in values.items()} == {k: type(v) for k, v in READ.items()}
    assert values["decision"].label is Label.ANOMALOUS
    assert isinstance(values["decision"].events, tuple)
    # LangGraph warns where it rebuilds a type nobody allowed, and blocks it under the strict flag.
    assert not [r for r in caplog.records if "msgpack" in r.getMessage().lower()]


def test_a_type_outside_the_vocabulary_is_not_rebuilt(
    saver: Checkpoints, caplog: pytest.LogCaptureFixture
) -> None:
    stored = saver.put(
        CONFIG, {**checkpoint(), "channel_values": {"odd": scene_of()}}, METADATA, {}
    )
    found = saver.get_tuple(stored)
    assert found is not None
    assert not isinstance(found.checkpoint["channel_values"]["odd"], SceneView)
    assert "SceneView" in caplog.text


def test_pending_writes_are_kept_with_their_checkpoint(saver: Checkpoints) -> None:
    stored = saver.put(CONFIG, checkpoint(), METADATA, {})
    saver.put_writes(stored, [("decision", DECISION)], "task1")
    found = saver.get_tuple(stored)
    assert found is not None
    assert found.pending_writes == [("task1", "decision", DECISION)]


def test_asynchronous_callers_see_what_synchronous_ones_wrote(saver: Checkpoints) -> None:
    async def use() -> None:
        stored = saver.put(CONFIG, checkpoint(), METADATA, {})
        await saver.aput_writes(stored, [("x", 1)], "task1")
        found = await saver.aget_tuple(stored)
        assert found is not None
        assert found.checkpoint["channel_values"] == READ
        assert found.pending_writes == [("task1", "x", 1)]
        later = await saver.aput(stored, checkpoint(), METADATA, {})
        listed = [item async for item in saver.alist(CONFIG)]
        assert len(listed) == 2
        assert [i async for i in saver.alist(CONFIG, before=later)] == listed[1:]
        assert len([i async for i in saver.alist(CONFIG, limit=1)]) == 1
        await saver.adelete_thread("t1")
        assert await saver.aget_tuple(CONFIG) is None

    asyncio.run(use())


def test_threads_do_not_see_each_other(saver: Checkpoints) -> None:
    saver.put(CONFIG, checkpoint(), METADATA, {})
    other: RunnableConfig = {"configurable": {"thread_id": "t2", "checkpoint_ns": ""}}
    assert saver.get_tuple(other) is None


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.db"
    path.write_bytes(b"this is no database, whatever its name says" * 50)
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        Checkpoints(path)
    assert str(caught.value) == (
        f"{path}: checkpoints cannot be opened: file is not a database "
        "(close other programs using it, or move the file away)"
    )
    assert path.read_bytes() == before


def test_a_path_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file stands here")
    with pytest.raises(StoreError, match=r"home/checkpoints\.db: checkpoints cannot be opened"):
        Checkpoints(tmp_path / "home" / "checkpoints.db")


def test_write_ahead_logging_only_where_it_loses_nothing(saver: Checkpoints) -> None:
    (mode,) = saver.conn.execute("PRAGMA journal_mode").fetchone()
    assert mode == journal_mode().lower()
