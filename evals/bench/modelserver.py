"""A server of our own that speaks the OpenAI protocol over loopback: for benches and tests.

It is no model: what it answers is a function given to it. It counts tokens (words and signs), keeps
prefixes as vLLM does (in blocks of 16 tokens) and can take a fixed time per request. Faults are
answers like any other (:class:`Reply` with a status, headers, half a body …).

As a process of its own, so that it does not share the client's interpreter::

    python -m evals.bench.modelserver --port 8123 --latency 0.2
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

__all__ = ["ModelServer", "Reply", "chat_body", "digit_body", "plain_answer", "tokens_of"]

WORD = re.compile(r"\w+|[^\w\s]")
BLOCK = 16
PICTURE_TOKENS = 64
STATUS = {200: "OK"}


@dataclass(frozen=True)
class Reply:
    """What goes over the wire. ``cut``: the connection ends after that many bytes of the body."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: int | None = None
    drop: bool = False
    """Close without any answer."""


Answerer = Callable[[dict[str, Any]], Reply]


def chat_body(
    text: str | None,
    *,
    finish: str = "stop",
    chances: list[dict[str, float]] | None = None,
    **message: Any,
) -> dict[str, Any]:
    """The body of a chat completion; ``chances`` holds token → logprob per generated token."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": text, **message},
        "finish_reason": finish,
    }
    if chances is not None:
        choice["logprobs"] = {
            "content": [
                {
                    "token": max(at, key=lambda t: at[t]),
                    "logprob": max(at.values()),
                    "top_logprobs": [{"token": t, "logprob": p} for t, p in at.items()],
                }
                for at in chances
            ]
        }
    return {"object": "chat.completion", "choices": [choice]}


def digit_body(chances: Mapping[str, float]) -> dict[str, Any]:
    """A one-token verdict with these log-probabilities."""
    told = dict(chances)
    return chat_body(max(told, key=lambda t: told[t]), chances=[told])


def plain_answer(request: Mapping[str, Any]) -> Reply:
    """What needs no thought: the closed answer asked for, else a walking person."""
    choices = request.get("structured_outputs", {}).get("choice")
    if choices is not None and "?" not in choices:
        return Reply(chat_body(choices[0]))
    if choices is not None or request.get("logprobs"):
        return Reply(digit_body({"1": -0.1, "0": -3.0, "2": -4.0}))
    schema = request.get("response_format", {}).get("json_schema", {}).get("schema", {})
    if "things" in schema.get("properties", {}):
        thing = {"subject": "person", "activity": "walks", "where": "on the path", "frame": 1}
        return Reply(chat_body(json.dumps({"summary": "A person walks.", "things": [thing]})))
    return Reply(chat_body("Hello!" if not schema else json.dumps({"mark": "zq7"})))


def tokens_of(request: Mapping[str, Any]) -> list[str]:
    """The prompt of a request as this server counts it."""
    found: list[str] = []
    for message in request.get("messages", ()):
        found.append(f"<{message['role']}>")
        content = message["content"]
        parts: list[dict[str, Any]] = (
            [{"type": "text", "text": content}] if isinstance(content, str) else content
        )
        for part in parts:
            kind = part["type"]
            if kind == "text":
                found += WORD.findall(part["text"])
            else:
                found += [part[kind]["url"][-40:]] * PICTURE_TOKENS
    return found


class ModelServer:
    """Runs in a thread of its own while it is entered.

    Args:
        answer: from a request's JSON to the reply; may be replaced at any time.
        model: the one model it serves.
        latency: seconds before each answer.
        key: the API key it asks for; empty for none.
        max_model_len: context length it declares.
    """

    def __init__(
        self,
        answer: Answerer,
        *,
        model: str = "tiny",
        latency: float = 0.0,
        key: str = "",
        port: int = 0,
        max_model_len: int | None = 2048,
    ) -> None:
        self.answer = answer
        self.model, self.latency, self.key = model, latency, key
        self.max_model_len = max_model_len
        self.port = port
        self.requests: list[dict[str, Any]] = []
        self.prompt_tokens = self.generated_tokens = self.cached_tokens = 0
        self.in_flight = self.most_in_flight = 0
        self.busy_s = 0.0
        self._blocks: set[int] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def counts(self) -> dict[str, float]:
        """What it has done so far; also at ``/counts``. ``busy_s`` sums over chat requests."""
        return {
            "requests": len(self.requests),
            "prompt": self.prompt_tokens,
            "generated": self.generated_tokens,
            "cached": self.cached_tokens,
            "busy_s": self.busy_s,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait(10)
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends at once, as a process that is killed: connections are cut."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    def _run(self, started: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self.serve(started))

    async def serve(self, started: threading.Event | None = None) -> None:
        """Serve until stopped."""
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        if started is not None:
            started.set()
        await self._stopping.wait()
        server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    # ---------------------------------------------------------------- the wire

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        begun = time.monotonic()
        try:
            reply = await self._reply(method, path, headers, body)
            await asyncio.sleep(reply.delay)
        finally:
            self.in_flight -= 1
            if method == "POST":
                self.busy_s += time.monotonic() - begun
        if reply.drop:
            return False
        text = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        more = "".join(f"{k}: {v}\r\n" for k, v in reply.headers.items())
        status = f"HTTP/1.1 {reply.status} {STATUS.get(reply.status, 'Trouble')}\r\n"
        shape = f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        whole = f"{status}{shape}{more}\r\n".encode() + (
            text if reply.cut is None else text[: reply.cut]
        )
        writer.write(whole)
        await writer.drain()
        return reply.cut is None

    async def _reply(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            return Reply({"error": {"message": "Unauthorized"}}, 401)
        if path == "/version":
            return Reply({"version": "0.0-loopback"})
        if path == "/counts":
            return Reply(self.counts)
        if path == "/v1/models":
            told = {"id": self.model, "object": "model", "max_model_len": self.max_model_len}
            return Reply({"object": "list", "data": [told]})
        if (method, path) != ("POST", "/v1/chat/completions"):
            return Reply({"error": {"message": "Not Found"}}, 404)
        request = json.loads(body)
        self.requests.append(request)
        if request["model"] != self.model:
            text = f"The model `{request['model']}` does not exist."
            return Reply({"error": {"message": text, "type": "NotFoundError"}}, 404)
        if self.latency:
            await asyncio.sleep(self.latency)
        return self._counted(request, self.answer(request))

    def _counted(self, request: Mapping[str, Any], reply: Reply) -> Reply:
        """The reply with what it cost, as the server itself keeps count."""
        if reply.status != 200 or not isinstance(reply.body, dict) or "choices" not in reply.body:
            return reply
        prompt = tokens_of(request)
        hashes, known = [], 0
        running = 0
        for start in range(0, len(prompt) - BLOCK + 1, BLOCK):
            running = hash((running, *prompt[start : start + BLOCK]))
            hashes.append(running)
        for mark in hashes:
            if mark not in self._blocks:
                break
            known += BLOCK
        self._blocks.update(hashes)
        generated = 0
        for choice in reply.body["choices"]:
            logprobs = choice.get("logprobs")
            text = (choice.get("message") or {}).get("content") or ""
            generated += len(logprobs["content"]) if logprobs else len(WORD.findall(text))
        self.prompt_tokens += len(prompt)
        self.generated_tokens += generated
        self.cached_tokens += known
        usage = {
            "prompt_tokens": len(prompt),
            "completion_tokens": generated,
            "prompt_tokens_details": {"cached_tokens": known},
        }
        told = {"model": self.model, "usage": usage, **reply.body}
        return Reply(told, reply.status, reply.headers, reply.delay, reply.cut, reply.drop)


def main() -> None:
    """A server of fixed latency: every verdict is the digit 1, every look sees a person walk."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.2)
    given = parser.parse_args()
    server = ModelServer(plain_answer, latency=given.latency, port=given.port)
    asyncio.run(server.serve())


if __name__ == "__main__":
    main()
