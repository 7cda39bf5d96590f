"""Checkpoints of the graph in one SQLite file, usable from synchronous and asynchronous callers."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from tools import decision, types
from tools.errors import StoreError
from tools.record import journal_mode

__all__ = ["Checkpoints"]

WAL = "PRAGMA journal_mode=WAL;"
ALLOWED = tuple(
    (home, name)
    for module in (types, decision)
    for name in module.__all__
    if isinstance(kind := getattr(module, name), type)
    for home in sorted({module.__name__, kind.__module__})
)
"""The vocabulary, and nothing else, is rebuilt from a checkpoint: by the name of the room that
defines it, or of the door it is imported through, as older checkpoints have it."""


class _Connection(sqlite3.Connection):
    """Keeps the rollback journal where this SQLite's write-ahead log can lose commits."""

    def executescript(self, script: str, /) -> sqlite3.Cursor:
        safe = journal_mode() == "WAL"
        return super().executescript(script if safe else script.replace(WAL, ""))


class Checkpoints(SqliteSaver):
    """LangGraph's SQLite saver, with asynchronous methods run in threads.

    One saver then serves ``invoke`` and ``ainvoke`` of the same graph.

    Args:
        path: the file; made where it is absent.

    Raises:
        StoreError: it cannot be opened or is not a checkpoint file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                path, timeout=15.0, check_same_thread=False, factory=_Connection
            )
            super().__init__(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=ALLOWED))
            # The trace is the record of a run; a checkpoint lost with the power costs a step that
            # is then repeated from recorded results.
            connection.execute("PRAGMA synchronous=NORMAL")
            self.setup()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{path}: checkpoints cannot be opened: {error}",
                remedy="close other programs using it, or move the file away",
            ) from error

    def close(self) -> None:
        self.conn.close()

    @contextmanager
    def cursor(self, transaction: bool = True) -> Iterator[sqlite3.Cursor]:
        """LangGraph's cursor. Raises StoreError where the file cannot be read or written."""
        try:
            with super().cursor(transaction) as found:
                yield found
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self.conn.rollback()
            raise StoreError(
                f"{self.path}: the checkpoint cannot be read or written: {error}",
                remedy="free some space or close other programs using it, then: vidocq ask "
                "--resume RUN",
            ) from error

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        found = await asyncio.to_thread(
            lambda: list(self.list(config, filter=filter, before=before, limit=limit))
        )
        for item in found:
            yield item

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        await asyncio.to_thread(self.delete_thread, thread_id)
