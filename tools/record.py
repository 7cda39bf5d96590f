"""The record: one SQLite file per home, from which every index can be made again.

Rules of the house: short transactions, a connection per operation (safe over threads and
processes), writers take their lock first (``BEGIN IMMEDIATE``), full fsync. Write-ahead logging
is used only where SQLite is new enough: 3.7.0–3.51.2 can lose a commit at a WAL reset with two or
more connections (fixed in 3.51.3, 3.50.7 and 3.44.6), so older ones keep a rollback journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.errors import StoreError

__all__ = ["SCHEMA_VERSION", "Record", "journal_mode"]

SCHEMA_VERSION = 3

_FIRST = (
    "CREATE TABLE scenes (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT",
    "CREATE TABLE rules (id TEXT NOT NULL, version INTEGER NOT NULL, scene TEXT NOT NULL,"
    " record TEXT NOT NULL, PRIMARY KEY (id, version)) STRICT",
    "CREATE INDEX rules_of_scene ON rules (scene, id, version)",
    "CREATE TABLE videos (id TEXT PRIMARY KEY, path TEXT NOT NULL, info TEXT NOT NULL) STRICT",
)
_ZONES = (
    "CREATE TABLE zones (scene TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,"
    " record TEXT NOT NULL, PRIMARY KEY (scene, name, version)) STRICT",
)
_CAPTIONS = (
    "CREATE TABLE normal_captions (id TEXT NOT NULL, version INTEGER NOT NULL, scene TEXT NOT NULL,"
    " record TEXT NOT NULL, PRIMARY KEY (id, version)) STRICT",
    "CREATE INDEX normal_captions_of_scene ON normal_captions (scene, version)",
)
_STEPS = (_FIRST, _ZONES, _CAPTIONS)
"""What leads from each version of the record to the next."""


def journal_mode(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> str:
    """``WAL`` where this SQLite keeps every commit under it, else ``DELETE``."""
    fixed = version >= (3, 51, 3) or (
        (3, 50, 7) <= version < (3, 51, 0) or (3, 44, 6) <= version < (3, 45, 0)
    )
    return "WAL" if fixed else "DELETE"


class Record:
    """Opens the SQLite file of a home and hands out transactions.

    Args:
        path: the file; it and its folder are made where absent.
        busy_timeout_s: how long to wait for another process's transaction.

    Raises:
        StoreError: not a database, damaged, locked, newer than this program, or not writable.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = 15.0) -> None:
        self.path = path
        self._timeout_s = busy_timeout_s
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{path.parent}: cannot be made: {error.strerror or error}",
                remedy="choose another home with VIDOCQ_HOME",
            ) from error
        with self._connect() as connection:
            version = self._version(connection)
            if version < SCHEMA_VERSION:
                self._upgrade(connection)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A consistent view of the record."""
        with self._connect() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed when the block ends, undone whole when it raises."""
        with self._connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with self._translated():
            connection = sqlite3.connect(
                self.path, timeout=self._timeout_s, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute(f"PRAGMA journal_mode = {journal_mode()}")
                connection.execute("PRAGMA synchronous = FULL")
                yield connection
            finally:
                connection.close()

    def _version(self, connection: sqlite3.Connection) -> int:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path}: written by a newer Vidocq (record version {version}, this one reads"
                f" up to {SCHEMA_VERSION})",
                remedy="upgrade Vidocq, or choose another home with VIDOCQ_HOME",
            )
        return version

    def _upgrade(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # another process may have been first
            for statements in _STEPS[self._version(connection) :]:
                for statement in statements:
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise self._operational(error) from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self.path}: damaged or not a Vidocq record: {error}",
                remedy="restore it from a backup, or move it away and induce the scenes again",
            ) from error

    def _operational(self, error: sqlite3.OperationalError) -> StoreError:
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return StoreError(
                f"{self.path}: locked by another process for {self._timeout_s:g} s",
                remedy="wait for the other vidocq to finish, or end it, and try again",
            )
        if primary == sqlite3.SQLITE_FULL:
            return StoreError(f"{self.path}: the disk is full", remedy="free some space")
        if primary in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
            return StoreError(
                f"{self.path}: cannot be opened for writing: {error}",
                remedy="check its permissions, or choose another home with VIDOCQ_HOME",
            )
        return StoreError(
            f"{self.path}: {error}",
            remedy="restore it from a backup, or move it away and induce the scenes again",
        )
