"""Replies kept: the same request is put to a model once, whoever asks and whenever.

On disk under the hash of model and request, written whole or not at all. Only replies are kept,
never failures. Requests of several threads for the same reply wait for the one that is under way.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tools.errors import BackendError
from tools.models.chat import (
    Capabilities,
    ChatModel,
    ChatReply,
    ChatRequest,
    TokenChances,
    Usage,
)
from tools.models.spending import ModelCall, charge
from tools.types import content_id

__all__ = ["Kept"]

SCHEMA = "vidocq-reply/1"


class Kept(ChatModel):
    """A model whose replies are kept.

    Args:
        model: whoever answers what is not kept yet.
        folder: where replies are kept; None: in no place, requests are only coalesced.
        scope: what else tells this model from another of its name, such as its address.
    """

    def __init__(self, model: ChatModel, folder: Path | None, *, scope: str = "") -> None:
        self._model, self._folder, self._scope = model, folder, scope
        self._under_way: dict[str, Future[ChatReply]] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def at_once(self) -> int:
        return self._model.at_once

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    def close(self) -> None:
        self._model.close()

    def chat(self, request: ChatRequest) -> ChatReply:
        """See :class:`~tools.models.chat.ChatModel`."""
        key = content_id(self.name, self._scope, request.key, length=32)
        known = self._read(key)
        if known is not None:
            return self._free(known, request)
        with self._lock:
            waiting = self._under_way.get(key)
            mine: Future[ChatReply] = Future()
            if waiting is None:
                self._under_way[key] = mine
        if waiting is not None:
            return self._free(waiting.result(), request)
        try:
            reply = self._model.chat(request)
            self._write(key, reply)
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(reply)
            return reply
        finally:
            with self._lock:
                del self._under_way[key]

    def chat_all(self, requests: Sequence[ChatRequest]) -> tuple[ChatReply | BackendError, ...]:
        """See :class:`~tools.models.chat.ChatModel`; each different request is sent once."""
        keys = [content_id(self.name, self._scope, r.key, length=32) for r in requests]
        found: dict[str, ChatReply | BackendError] = {}
        ask: dict[str, ChatRequest] = {}
        for key, request in zip(keys, requests, strict=True):
            known = None if key in ask or key in found else self._read(key)
            if known is not None:
                found[key] = known
            elif key not in found:
                ask.setdefault(key, request)
        fresh = set(ask)
        for key, outcome in zip(ask, self._model.chat_all(tuple(ask.values())), strict=True):
            found[key] = outcome
            if isinstance(outcome, ChatReply):
                self._write(key, outcome)
        told: list[ChatReply | BackendError] = []
        for key, request in zip(keys, requests, strict=True):
            outcome = found[key]
            if key in fresh or isinstance(outcome, BackendError):
                fresh.discard(key)
                told.append(outcome)
            else:
                told.append(self._free(outcome, request))
        return tuple(told)

    def _free(self, reply: ChatReply, request: ChatRequest) -> ChatReply:
        charge(ModelCall(model=self.name, purpose=request.purpose, key=request.key, kept=True))
        return replace(reply, usage=Usage(), seconds=0.0, kept=True)

    # ---------------------------------------------------------------- on disk

    def _path(self, key: str) -> Path | None:
        return None if self._folder is None else self._folder / key[:2] / f"{key}.json"

    def _read(self, key: str) -> ChatReply | None:
        path = self._path(key)
        if path is None or not path.is_file():
            return None
        try:
            return _reply(json.loads(path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            return None  # cut or of another version: asked again and written anew

    def _write(self, key: str, reply: ChatReply) -> None:
        path = self._path(key)
        if path is None:
            return
        text = json.dumps({"schema": SCHEMA, **asdict(reply)}, separators=(",", ":"))
        part = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)  # a full disk costs a call later, not this reply


def _reply(told: dict[str, Any]) -> ChatReply:
    if told.pop("schema") != SCHEMA:
        raise ValueError("another version")
    tokens = tuple(
        TokenChances(t["token"], t["logprob"], tuple((str(a), float(b)) for a, b in t["top"]))
        for t in told.pop("tokens")
    )
    return ChatReply(**{**told, "tokens": tokens, "usage": Usage(**told["usage"])})
