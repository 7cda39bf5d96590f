"""A model behind a server: a :class:`~tools.models.chat.ChatModel` over HTTP."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from time import sleep
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tools.backends.served.discovery import discover
from tools.backends.served.patience import Breaker, Gate, Patience, jitter
from tools.backends.served.wire import (
    Dialect,
    body_of,
    fault_of,
    reply_of,
    retry_after,
    usage_of,
)
from tools.errors import BackendError, UserError
from tools.models.chat import Capabilities, ChatModel, ChatReply, ChatRequest, Usage
from tools.models.spending import DISCOVERY, ModelCall, allowed, charge
from tools.sidebyside import side_by_side

__all__ = ["ServedModel", "parse_address"]

KEY = "VIDOCQ_MODEL_KEY"
LOCAL = {"localhost", "127.0.0.1", "::1"}
BRIEF_S = 20.0
"""Longest wait for the answer to something that is only asked to know it."""


def parse_address(text: str) -> tuple[str, str]:
    """Model and base address of ``MODEL@http://host:8000/v1``. Raises UserError."""
    model, at, url = text.rpartition("@")
    parts = urlsplit(url)
    if not at or not model or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UserError(
            f"openai:{text} names no model and address",
            remedy="write it like openai:Qwen/Qwen2.5-VL-7B-Instruct@http://127.0.0.1:8000/v1",
        )
    if parts.username or parts.password:
        raise UserError(
            "the address of a model server holds a name or password",
            remedy=f"leave it out and set {KEY}",
        )
    return model, url.rstrip("/")


class ServedModel(ChatModel):
    """Keeps connections open, bounds how many calls run at once, retries what may pass.

    Args:
        model: name of the model as the server knows it.
        url: base address, up to and with ``/v1``.
        parallel: calls at the same time at most.
        key: sent as a bearer token, shown nowhere; None: from the environment.
    """

    def __init__(
        self,
        model: str,
        url: str,
        *,
        parallel: int = 32,
        patience: Patience | None = None,
        key: str | None = None,
    ) -> None:
        self._model, self.url = model, url
        self._patience = patience or Patience()
        self._where = f"{model} at {url}"
        self._gate = Gate(parallel)
        self._breaker = Breaker(self._where, self._patience)
        self._able: Capabilities | None = None
        self._dialect = Dialect(choice="structured_outputs")
        self._finding = threading.Lock()
        secret = _key(url) if key is None else key
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._http = httpx2.Client(
            headers={**headers, "User-Agent": "vidocq"},
            limits=httpx2.Limits(
                max_connections=parallel, max_keepalive_connections=parallel, keepalive_expiry=30
            ),
            trust_env=urlsplit(url).hostname not in LOCAL,
        )

    @property
    def name(self) -> str:
        return f"openai:{self._model}"

    @property
    def at_once(self) -> int:
        """Calls at the same time at most."""
        return self._gate.most

    @property
    def capabilities(self) -> Capabilities:
        """What the server shows to be able to, found out once. Raises BackendError."""
        with self._finding:
            if self._able is None:
                self._breaker.check()
                try:
                    self._able, self._dialect = discover(self._get, self._probe, self._where)
                except BackendError as error:
                    self._breaker.told(error)
                    raise
            return self._able

    def close(self) -> None:
        self._http.close()

    # ---------------------------------------------------------------- calling

    def chat(self, request: ChatRequest) -> ChatReply:
        """See :class:`~tools.models.chat.ChatModel`."""
        if request.choices is not None or request.schema is not None:
            self.capabilities  # noqa: B018  (how this server takes them)
        body = body_of(request, self._model, self._dialect)
        with self._gate.entered():
            self._breaker.check()
            allowed()
            begun = time.perf_counter()
            outcome, tries, usage = self._tried(body)
            self._breaker.told(outcome if isinstance(outcome, BackendError) else None)
            self._charge(request, outcome, tries, usage, begun)
        if isinstance(outcome, BackendError):
            raise outcome
        return outcome

    def chat_all(self, requests: Sequence[ChatRequest]) -> tuple[ChatReply | BackendError, ...]:
        """See :class:`~tools.models.chat.ChatModel`; as many at once as the server bears."""
        return tuple(side_by_side(self._chat_or_error, requests, self.at_once))

    def _chat_or_error(self, request: ChatRequest) -> ChatReply | BackendError:
        try:
            return self.chat(request)
        except BackendError as error:
            return error

    def _charge(
        self,
        request: ChatRequest,
        outcome: ChatReply | BackendError,
        tries: int,
        usage: Usage,
        begun: float,
    ) -> None:
        charge(
            ModelCall(
                model=self.name, purpose=request.purpose, key=request.key,
                prompt=usage.prompt, generated=usage.generated, cached=usage.cached,
                seconds=round(time.perf_counter() - begun, 6), tries=tries,
                fault=outcome.fault if isinstance(outcome, BackendError) else "",
            )
        )  # fmt: skip

    def _tried(
        self, body: dict[str, Any], *, brief: bool = False
    ) -> tuple[ChatReply | BackendError, int, Usage]:
        """The reply or the error after the last try, the number of tries, what it cost."""
        tried = 0
        read_s = min(BRIEF_S, self._patience.read_s) if brief else self._patience.read_s
        while True:
            tried += 1
            asked = None
            try:
                status, raw, asked, seconds = self._post(body, read_s)
            except BackendError as error:
                failed = error
            else:
                if status == 200:
                    self._gate.fine()
                    return _read(raw, seconds), tried, usage_of(raw)
                failed = fault_of(status, raw, self._where)
                if failed.fault == "busy" or status == 503:
                    self._gate.busy()
            again = failed.passing and not brief
            wait = self._patience.wait(tried, asked, jitter) if again else None
            if wait is None:
                if again and asked is not None and tried < self._patience.tries:
                    failed.remedy = f"the server asks to wait {asked:.0f} s"
                return failed, tried, Usage()
            sleep(wait)

    def _post(self, body: dict[str, Any], read_s: float) -> tuple[int, bytes, float | None, float]:
        begun = time.perf_counter()
        answer = self._sent("POST", "/chat/completions", body, read_s)
        return (
            answer.status_code,
            answer.content,
            retry_after(answer.headers.get("retry-after")),
            time.perf_counter() - begun,
        )

    def _get(self, path: str) -> tuple[int, bytes]:
        """A page of the server; ``/version`` lies beside ``/v1``."""
        answer = self._sent("GET", path, None, self._patience.read_s)
        return answer.status_code, answer.content

    def _probe(
        self, request: ChatRequest, dialect: Dialect, *, brief: bool = False
    ) -> tuple[ChatReply | BackendError, Usage]:
        """A request to find out about the model, outside any bound."""
        begun = time.perf_counter()
        body = body_of(request, self._model, dialect)
        outcome, tries, usage = self._tried(body, brief=brief)
        self._charge(replace(request, purpose=DISCOVERY), outcome, tries, usage, begun)
        return outcome, usage

    def _sent(
        self, method: str, path: str, body: dict[str, Any] | None, read_s: float
    ) -> httpx2.Response:
        base = self.url.removesuffix("/v1") if path == "/version" else self.url
        try:
            patience = httpx2.Timeout(read_s, connect=self._patience.connect_s, pool=None)
            return self._http.request(method, base + path, json=body, timeout=patience)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise BackendError(
                f"{self._where} cannot be reached: {error or 'no connection in time'}",
                remedy="start the server, or correct its address",
                fault="unreachable",
            ) from None
        except httpx2.TimeoutException:
            raise BackendError(
                f"{self._where} did not answer within {read_s:g} s",
                remedy="raise model_timeout_s, or lower model_parallel",
                fault="timeout",
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise BackendError(
                f"the answer of {self._where} was cut: {error}", fault="cut"
            ) from None


def _key(url: str) -> str:
    """The key for a server. The key of OpenAI's own service is sent nowhere else."""
    if KEY in os.environ:
        return os.environ[KEY]
    if urlsplit(url).hostname == "api.openai.com":
        return os.environ.get("OPENAI_API_KEY", "")
    return ""


def _read(raw: bytes, seconds: float) -> ChatReply | BackendError:
    try:
        return reply_of(raw, seconds)
    except BackendError as error:
        return error
