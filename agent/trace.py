"""Traces: one JSONL file per run, written as it happens, enough to resume, replay and re-score.

    {"kind": "header", "schema": "vidocq-trace/1", "run": …, "settings": …, "versions": …, …}
    {"kind": "call",   "tool": …, "hash": …, "request": …}
    {"kind": "result", "tool": …, "hash": …, "type": …, "seconds": …, "models": […], "record": …}
    {"kind": "failed", "tool": …, "hash": …, "error": …, "fault": …, "models": […]}
    {"kind": "note",   "hash": …, "type": …, "record": …}
    {"kind": "decision", "decision": …, "answer": …}

``models`` lists the calls of language models that a tool call made, with tokens and seconds
(:class:`tools.models.spending.ModelCall`); it is absent where there were none.
A line is written whole or, after a crash, dropped when the file is opened again. Times (``t``) are
seconds worked on the run; a resumed run counts on from the last line.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import ValidationError

from tools.decision import Decision
from tools.errors import BackendError, StoreError, UserError, VidocqError
from tools.ledger import RECORDS, Called, Ledger
from tools.models.spending import ModelCall
from tools.types import Frozen

__all__ = ["SCHEMA", "Trace", "TraceStore", "read_lines"]

SCHEMA = "vidocq-trace/1"
RUN_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Trace(Ledger):
    """A ledger that writes every entry to the run's file.

    Args:
        path: the ``.jsonl`` file; what it holds already is taken up again.
        writable: False to look things up only.
    """

    def __init__(self, run_id: str, path: Path, *, writable: bool = True) -> None:
        super().__init__(run_id)
        self.path = path
        self.header: dict[str, Any] = {}
        self.decision: Decision | None = None
        self.answer = ""
        self._file: FileIO | None = None
        self._write_lock = threading.Lock()
        whole = self._load() if path.exists() else 0
        if writable:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("ab", buffering=0)
                if self._file.tell() > whole:
                    self._file.truncate(whole)
            except OSError as error:
                raise _cannot_write(path, error, run_id) from error

    def begin(self, header: Mapping[str, Any]) -> None:
        """Write the first line, unless the run was begun before."""
        if not self.header:
            self.header = {"schema": SCHEMA, "run": self.run_id, **header}
            self._write({"kind": "header", **self.header})

    def end(self, decision: Decision, answer: str) -> None:
        """Write the last line."""
        self.decision, self.answer = decision, answer
        record = decision.model_dump(mode="json")
        self._write({"kind": "decision", "decision": record, "answer": answer})
        self.sync()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def sync(self) -> None:
        if self._file is not None:
            with self._write_lock:
                os.fsync(self._file.fileno())

    # -- writing -----------------------------------------------------------------

    def _called(self, tool: str, key: str, request: Mapping[str, Any]) -> None:
        self._write({"kind": "call", "tool": tool, "hash": key, "request": dict(request)})

    def _finished(
        self, tool: str, key: str, result: Frozen, seconds: float, models: Sequence[ModelCall]
    ) -> None:
        self._write(
            {
                "kind": "result",
                "tool": tool,
                "hash": key,
                "seconds": round(seconds, 6),
                **_spent(models),
                **_typed(result),
            }
        )

    def _failed(self, tool: str, key: str, error: VidocqError, models: Sequence[ModelCall]) -> None:
        fault = error.fault if isinstance(error, BackendError) else type(error).__name__
        line = {"kind": "failed", "tool": tool, "hash": key, "error": str(error), "fault": fault}
        self._write({**line, **_spent(models)})

    def _noted(self, key: str, record: Frozen) -> None:
        self._write({"kind": "note", "hash": key, **_typed(record)})

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            return
        stamped = {"t": round(self.elapsed, 4), **line}
        text = json.dumps(stamped, default=_plain, separators=(",", ":"), ensure_ascii=False)
        rest = memoryview(text.encode() + b"\n")
        with self._write_lock:
            start = os.fstat(self._file.fileno()).st_size
            try:
                while rest:  # unbuffered, so that a full disk is noticed at the line it cuts
                    rest = rest[self._file.write(rest) or 0 :]
            except OSError as error:
                # Another thread may still have room for a shorter line: none may follow half a one.
                with suppress(OSError):
                    self._file.truncate(start)
                raise _cannot_write(self.path, error, self.run_id) from error

    # -- reading -----------------------------------------------------------------

    def _load(self) -> int:
        """Take up what the file holds; the length of its whole lines in bytes."""
        whole = 0
        for number, (line, end) in enumerate(read_lines(self.path), 1):
            try:
                self._take(line)
            except (KeyError, ValidationError, TypeError) as error:
                raise StoreError(
                    f"{self.path}:{number}: not a trace line of schema {SCHEMA}: {error}",
                    remedy="ask the question again",
                ) from error
            whole = end
            self._begun = time.monotonic() - float(line.get("t", 0.0))
        return whole

    def _take(self, line: dict[str, Any]) -> None:
        match line["kind"]:
            case "header":
                if line["schema"] != SCHEMA:
                    raise TypeError(f"unknown schema {line['schema']!r}")
                self.header = {k: v for k, v in line.items() if k not in {"kind", "t"}}
            case "result" | "note":
                record = RECORDS[line["type"]].model_validate(line["record"])
                self.results[line["hash"]] = record
                self._index(record)
                self._take_spent(line)
                if line["kind"] == "result":
                    self._use(line["tool"], line["hash"])
                    self.calls.append(
                        Called(tool=line["tool"], request=line["hash"], seconds=line["seconds"])
                    )
            case "decision":
                self.decision = Decision.model_validate(line["decision"])
                self.answer = line["answer"]
            case "failed":
                self._take_spent(line)
            case "call":
                pass
            case other:
                raise TypeError(f"unknown kind {other!r}")

    def _take_spent(self, line: dict[str, Any]) -> None:
        for call in line.get("models", ()):
            self.purse.restore(ModelCall.model_validate(call))


def read_lines(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Whole lines of a trace, each with the byte offset of its end. A cut last line is left out."""
    offset = 0
    try:
        with path.open("rb") as file:
            for raw in file:
                if not raw.endswith(b"\n"):
                    return
                try:
                    line = json.loads(raw)
                except ValueError as error:
                    raise StoreError(
                        f"{path}: damaged after byte {offset}: {error}",
                        remedy="ask the question again",
                    ) from error
                offset += len(raw)
                yield line, offset
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error


def _spent(models: Sequence[ModelCall]) -> dict[str, Any]:
    return {"models": [m.model_dump(exclude_defaults=True) for m in models]} if models else {}


def _typed(record: Frozen) -> dict[str, Any]:
    return {"type": type(record).__name__, "record": record.model_dump(mode="json")}


def _plain(value: Any) -> Any:
    if isinstance(value, Frozen):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written to a trace")


def _cannot_write(path: Path, error: OSError, run_id: str) -> StoreError:
    return StoreError(
        f"{path}: cannot be written: {error.strerror}",
        remedy=f"free some space, then: vidocq ask --resume {run_id}",
    )


class TraceStore:
    """Runs kept as folders of traces: ``folder/RUN/trace.jsonl``.

    Args:
        folder: where the runs are.
        header: makes what every header holds besides the question (settings, versions, prompts).
    """

    def __init__(self, folder: Path, header: Callable[[], Mapping[str, Any]] = dict) -> None:
        self.folder = folder
        self._header = header
        self._open: dict[str, tuple[Trace, FileLock]] = {}
        self._lock = threading.Lock()

    def path(self, run_id: str) -> Path:
        """The run's folder. Raises UserError for a name that is none."""
        if not RUN_NAME.fullmatch(run_id) or run_id in {".", ".."}:
            raise UserError(f"{run_id!r} is not the name of a run", remedy="letters, digits, . _ -")
        return self.folder / run_id

    def open(self, run_id: str, header: Mapping[str, Any] | None = None) -> Trace:
        """Begin a run, or take it up again. Raises StoreError; UserError while another has it."""
        with self._lock:
            known = self._open.get(run_id)
            if known is None:
                known = self._take_up(run_id)
                self._open[run_id] = known
        trace = known[0]
        if header is not None:
            trace.begin({**header, **self._header()})
        return trace

    def _take_up(self, run_id: str) -> tuple[Trace, FileLock]:
        folder = self.path(run_id)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / "lock", thread_local=False)
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"run {run_id} is in progress in another process", remedy="wait for it to end"
            ) from None
        except OSError as error:
            raise _cannot_write(folder, error, run_id) from error
        try:
            return Trace(run_id, folder / "trace.jsonl"), lock
        except StoreError:
            lock.release()
            raise

    def read(self, run_id: str) -> Trace:
        """An earlier run, to look things up. Raises UserError where there is none."""
        with self._lock:
            known = self._open.get(run_id)
        if known is not None:
            return known[0]
        path = self.path(run_id) / "trace.jsonl"
        if not path.is_file():
            traces = sorted(self.folder.glob("*/trace.jsonl"), key=lambda p: p.stat().st_mtime)
            names = [p.parent.name for p in traces]
            raise UserError(
                f"no run {run_id} in {self.folder}",
                remedy=f"the last runs are: {', '.join(names[-3:]) or 'none yet'}",
            )
        return Trace(run_id, path, writable=False)

    def release(self, run_id: str) -> None:
        """Let a run go that did not finish; it can be resumed."""
        with self._lock:
            known = self._open.pop(run_id, None)
        if known is not None:
            known[0].close()
            known[1].release()

    def finish(self, ledger: Ledger, decision: Decision, answer: str) -> None:
        """Write the decision and let the run go."""
        with self._lock:
            known = self._open.pop(ledger.run_id, None)
        if known is not None:
            trace, lock = known
            try:
                trace.end(decision, answer)
            finally:
                trace.close()
                lock.release()

    def close(self) -> None:
        """Let go of runs that did not finish; they can be resumed."""
        with self._lock:
            for trace, lock in self._open.values():
                trace.close()
                lock.release()
            self._open.clear()
