"""What a server can do, by trying it: acceptance proves nothing, for unknown fields are ignored."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeGuard

from tools.backends.served.film import tiny_film
from tools.backends.served.wire import ChoiceStyle, Dialect, fault_of
from tools.errors import BackendError
from tools.models.chat import (
    Capabilities,
    ChatReply,
    ChatRequest,
    Film,
    Picture,
    Usage,
    user,
)

__all__ = ["Probe", "discover"]

Get = Callable[[str], tuple[int, bytes]]


class Probe(Protocol):
    """Sends a request to find something out."""

    def __call__(
        self, request: ChatRequest, dialect: Dialect, *, brief: bool = False
    ) -> tuple[ChatReply | BackendError, Usage]:
        """What came of it, and what it cost. ``brief``: tried once, and not waited for long."""


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
HELLO = ChatRequest((user("Hello"),), FEW)
SILENT = frozenset({"empty", "length", "refusal", "thinking"})
"""Faults of a reply to a request that the server took."""
MOST_IMAGES = (16, 8, 4, 1)
LOGPROBS = (20, 5)
GREY = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywt"
    "QFdBRkxOUlNSMj5aYVpQYEpRUk//wAALCAAcABwBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAA"
    "AAAAAAAAAAD/2gAIAQEAAD8AAAAAAP/Z"
)
"""A grey picture of 28 × 28 pixels."""


@dataclass(frozen=True)
class _Greeted:
    """What a first, plain request told."""

    dialect: Dialect
    thinks: bool
    prompt: int
    """Tokens of the request as the server counts them; 0 where it does not say."""


def discover(get: Get, probe: Probe, where: str) -> tuple[Capabilities, Dialect]:
    """What the model at a server can do, and what the server has beside the common protocol.

    A handful of requests of a few tokens each. Raises BackendError where the server cannot be
    reached, does not know the model, or denies the key.
    """
    listed = _listed(get, where)
    greeted = _greeted(probe)
    plain = greeted.dialect
    logprobs = next((n for n in LOGPROBS if _gives_chances(probe, plain, n)), 0)
    styles: tuple[ChoiceStyle, ...] = ("structured_outputs", "guided_choice")
    ways = (replace(plain, choice=style) for style in styles)
    dialect = next((way for way in ways if _keeps_choice(probe, way)), plain)
    able = Capabilities(
        logprobs=logprobs,
        json_schema=_keeps_schema(probe, plain),
        choice=bool(dialect.choice),
        images=next((n for n in MOST_IMAGES if _sees(probe, greeted, n)), 0),
        video=_watches(probe, greeted),
        thinks=greeted.thinks,
        prefix_cache=_keeps_prefixes(probe, plain),
        context=_context(listed),
        version=_version(get),
    )
    return able, dialect


def _listed(get: Get, where: str) -> dict[str, Any]:
    """What the server says of the model; empty where it says nothing."""
    status, raw = get("/models")
    if status in {401, 403}:
        raise fault_of(status, raw, where)
    told = _json(raw).get("data") if status == 200 else None
    models = [m for m in told if isinstance(m, dict)] if isinstance(told, list) else []
    model = where.partition(" at ")[0]
    names = [m.get("id") for m in models]
    if names and model not in names:
        raise BackendError(
            f"{where}: there is no such model; it serves {', '.join(map(str, names[:5]))}",
            remedy="correct the name, or start the server with --served-model-name",
            fault="unknown_model",
        )
    return next((m for m in models if m.get("id") == model), {})


def _context(listed: dict[str, Any]) -> int | None:
    length = listed.get("max_model_len")
    return length if isinstance(length, int) and length > 0 else None


def _version(get: Get) -> str:
    status, raw = get("/version")
    version = _json(raw).get("version") if status == 200 else None
    return version if isinstance(version, str) else ""


def _greeted(probe: Probe) -> _Greeted:
    """A first request, which must succeed in one of the dialects: told not to think aloud, where
    it may be told so."""
    for dialect in (Dialect(plainly=True), Dialect(), Dialect(newer=True)):
        outcome, usage = probe(HELLO, dialect)
        if not (isinstance(outcome, BackendError) and outcome.fault == "rejected"):
            break
    if isinstance(outcome, ChatReply):
        thinks = outcome.text.lstrip().casefold().startswith(("<think", "[think"))
    elif outcome.fault in SILENT:
        thinks = outcome.fault == "thinking"
    else:
        raise outcome
    return _Greeted(dialect, thinks, usage.prompt)


def _tried(probe: Probe, request: ChatRequest, dialect: Dialect) -> ChatReply | None:
    """The reply, or None where the server will not have it. Raises where the server is at fault."""
    outcome, _ = probe(request, dialect)
    if isinstance(outcome, ChatReply):
        return outcome
    if outcome.passing and outcome.fault not in {"empty", "server"}:
        raise outcome
    return None


def _gives_chances(probe: Probe, plain: Dialect, count: int) -> bool:
    reply = _tried(probe, replace(HELLO, chances=count), plain)
    return reply is not None and bool(reply.tokens) and len(reply.tokens[0].top) >= min(count, 2)


def _keeps_choice(probe: Probe, dialect: Dialect) -> bool:
    asked = ChatRequest((user("Say hello."),), 8, choices=(MARK,))
    reply = _tried(probe, asked, dialect)
    return reply is not None and reply.text.strip() == MARK


def _keeps_schema(probe: Probe, plain: Dialect) -> bool:
    reply = _tried(probe, ChatRequest((user("Say hello."),), 32, schema=SCHEMA), plain)
    return reply is not None and _json(reply.text.encode()) == {"mark": MARK}


def _sees(probe: Probe, greeted: _Greeted, count: int) -> bool:
    pictures = (Picture(GREY),) * count
    outcome, usage = probe(ChatRequest((user(*pictures, "Hello"),), FEW), greeted.dialect)
    if _refused(outcome):
        if outcome.passing and outcome.fault != "server":
            raise outcome
        return False
    return _read(usage, greeted)


def _watches(probe: Probe, greeted: _Greeted) -> bool | None:
    """Whether it takes a film; None where it is not to be found out, which costs no more."""
    asked = ChatRequest((user(Film(tiny_film()), "Hello"),), FEW)
    outcome, usage = probe(asked, greeted.dialect, brief=True)
    if not _refused(outcome):
        return _read(usage, greeted)
    if outcome.fault == "unreachable":
        raise outcome
    return None if outcome.passing and outcome.fault != "server" else False


def _refused(outcome: ChatReply | BackendError) -> TypeGuard[BackendError]:
    """Whether the server did not take a request; saying nothing to it is no refusal."""
    return isinstance(outcome, BackendError) and outcome.fault not in SILENT


def _read(usage: Usage, greeted: _Greeted) -> bool:
    """Whether what was sent beside the text came before the model: its tokens are counted."""
    return usage.prompt > greeted.prompt or not greeted.prompt


def _keeps_prefixes(probe: Probe, plain: Dialect) -> bool:
    """Whether the same long prompt sent again is reported as cached."""
    long = ChatRequest((user("The same words once more. " * 24),), FEW)
    return any(
        (r := _tried(probe, long, plain)) is not None and r.usage.cached > 0 for _ in range(2)
    )


def _json(raw: bytes) -> dict[str, Any]:
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
