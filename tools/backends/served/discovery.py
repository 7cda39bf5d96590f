"""What a server can do, by trying it: acceptance proves nothing, for unknown fields are ignored."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from tools.backends.served.wire import ChoiceStyle, fault_of
from tools.errors import BackendError
from tools.models.chat import Capabilities, ChatReply, ChatRequest, Picture, user

__all__ = ["discover"]

Get = Callable[[str], tuple[int, bytes]]
Probe = Callable[[ChatRequest, ChoiceStyle], ChatReply]

MARK = "zq7"
"""An answer nobody gives unasked."""
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["mark"],
    "properties": {"mark": {"enum": [MARK]}},
}
FEW = 4
"""Tokens of a probe: a first token alone may be a blank, which is no reply."""
SILENT = frozenset({"empty", "length", "refusal"})
"""Faults of a reply to a request that the server took."""
MOST_IMAGES = (16, 8, 4, 1)
LOGPROBS = (20, 5)
GREY = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywt"
    "QFdBRkxOUlNSMj5aYVpQYEpRUk//wAALCAAcABwBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAA"
    "AAAAAAAAAAD/2gAIAQEAAD8AAAAAAP/Z"
)
"""A grey picture of 28 × 28 pixels."""


def discover(get: Get, probe: Probe, where: str) -> tuple[Capabilities, ChoiceStyle]:
    """What the model at a server can do, and how it takes a closed list of answers.

    A handful of requests of a few tokens each. Raises BackendError where the server cannot be
    reached, does not know the model, or denies the key.
    """
    context, version = _served(get, probe, where)
    logprobs = next((n for n in LOGPROBS if _gives_chances(probe, n)), 0)
    styles: tuple[ChoiceStyle, ...] = ("structured_outputs", "guided_choice")
    choice: ChoiceStyle = next((s for s in styles if _keeps_choice(probe, s)), "")
    able = Capabilities(
        logprobs=logprobs,
        json_schema=_keeps_schema(probe),
        choice=bool(choice),
        images=next((n for n in MOST_IMAGES if _sees(probe, n)), 0),
        prefix_cache=_keeps_prefixes(probe),
        context=context,
        version=version,
    )
    return able, choice


def _served(get: Get, probe: Probe, where: str) -> tuple[int | None, str]:
    """Context length and version as the server declares them; a first request must succeed."""
    status, raw = get("/models")
    if status in {401, 403}:
        raise fault_of(status, raw, where)
    listed = _json(raw).get("data") if status == 200 else None
    model = where.partition(" at ")[0]
    names = [m.get("id") for m in listed if isinstance(m, dict)] if listed else []
    if names and model not in names:
        raise BackendError(
            f"{where}: there is no such model; it serves {', '.join(map(str, names[:5]))}",
            remedy="correct the name, or start the server with --served-model-name",
            fault="unknown_model",
        )
    _accepted(probe, ChatRequest((user("Hello"),), FEW))
    mine: dict[str, Any] = next((m for m in listed or () if m.get("id") == model), {})
    length = mine.get("max_model_len")
    status, raw = get("/version")
    version = _json(raw).get("version") if status == 200 else None
    context = length if isinstance(length, int) and length > 0 else None
    return context, version if isinstance(version, str) else ""


def _accepted(probe: Probe, request: ChatRequest) -> ChatReply | None:
    """The reply to what the server takes, None where it says nothing. Raises where it refuses."""
    try:
        return probe(request, "")
    except BackendError as error:
        if error.fault not in SILENT:
            raise
        return None


def _tried(probe: Probe, request: ChatRequest, choice: ChoiceStyle = "") -> ChatReply | None:
    """The reply, or None where the server will not have it. Raises where the server is at fault."""
    try:
        return probe(request, choice)
    except BackendError as error:
        if error.passing and error.fault not in {"empty", "server"}:
            raise
        return None


def _gives_chances(probe: Probe, count: int) -> bool:
    reply = _tried(probe, ChatRequest((user("Hello"),), FEW, chances=count))
    return reply is not None and bool(reply.tokens) and len(reply.tokens[0].top) >= min(count, 2)


def _keeps_choice(probe: Probe, style: ChoiceStyle) -> bool:
    asked = ChatRequest((user("Say hello."),), 8, choices=(MARK,))
    reply = _tried(probe, asked, style)
    return reply is not None and reply.text.strip() == MARK


def _keeps_schema(probe: Probe) -> bool:
    reply = _tried(probe, ChatRequest((user("Say hello."),), 32, schema=SCHEMA))
    return reply is not None and _json(reply.text.encode()) == {"mark": MARK}


def _sees(probe: Probe, count: int) -> bool:
    pictures = (Picture(GREY),) * count
    try:
        _accepted(probe, ChatRequest((user(*pictures, "Hello"),), FEW))
    except BackendError as error:
        if error.passing and error.fault != "server":
            raise
        return False
    return True


def _keeps_prefixes(probe: Probe) -> bool:
    """Whether the same long prompt sent again is reported as cached."""
    long = ChatRequest((user("The same words once more. " * 24),), FEW)
    return any((r := _tried(probe, long)) is not None and r.usage.cached > 0 for _ in range(2))


def _json(raw: bytes) -> dict[str, Any]:
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
