"""The seam to language models: one request, one reply, and what a model can do.

Everything above it (captioner, verifier, planner, drafting of rules) is written against
:class:`ChatModel`; a server, a model in process and a recording are only that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

from tools.errors import BackendError
from tools.types import content_id

__all__ = [
    "Capabilities",
    "ChatModel",
    "ChatReply",
    "ChatRequest",
    "Film",
    "Message",
    "Picture",
    "TokenChances",
    "Usage",
    "user",
]

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Picture:
    """A picture to look at: JPEG bytes, upright, already at the size it is to be sent."""

    jpeg: bytes = field(repr=False)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.jpeg).hexdigest()


@dataclass(frozen=True)
class Film:
    """A moving picture to look at, as one: MP4 bytes."""

    mp4: bytes = field(repr=False)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.mp4).hexdigest()


Part = str | Picture | Film


@dataclass(frozen=True)
class Message:
    """One turn: texts and pictures in the order in which the model reads them."""

    role: Role
    parts: tuple[Part, ...]


def user(*parts: Part) -> Message:
    """A message of the user's."""
    return Message("user", parts)


@dataclass(frozen=True)
class ChatRequest:
    """What is asked of a model.

    Args:
        messages: what does not change from request to request comes first, so that a server's
            prefix cache can keep it.
        max_tokens: most tokens to generate.
        schema: JSON schema the reply has to satisfy; None for plain text.
        choices: the reply is to be one of these; None for any.
        chances: how many likeliest tokens are wanted with their probabilities at each position;
            0 for none. A model gives as many as it can, or none (see Capabilities.logprobs).
        temperature: 0 for the likeliest reply.
        seed: for models that draw.
        purpose: for the trace: ``look``, ``ask``, ``judge`` … Does not change the reply.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    schema: Mapping[str, Any] | None = None
    choices: tuple[str, ...] | None = None
    chances: int = 0
    temperature: float = 0.0
    seed: int = 0
    purpose: str = ""

    @cached_property
    def key(self) -> str:
        """Content hash of all that can change the reply."""
        said = [[m.role, [_said(p) for p in m.parts]] for m in self.messages]
        schema = None if self.schema is None else dict(self.schema)
        return content_id(
            said, self.max_tokens, schema, self.choices, self.chances, self.temperature, self.seed,
            length=32,
        )  # fmt: skip


def _said(part: Part) -> str | dict[str, str]:
    """A part of a message as it goes into the hash of a request."""
    if isinstance(part, str):
        return part
    return {"jpeg" if isinstance(part, Picture) else "mp4": part.sha256}


@dataclass(frozen=True)
class TokenChances:
    """One generated token and the likeliest tokens at its place, as natural logarithms."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Usage:
    """Tokens of one call as the model counts them. ``cached``: prompt tokens it had at hand."""

    prompt: int = 0
    generated: int = 0
    cached: int = 0


@dataclass(frozen=True)
class ChatReply:
    """What a model answered. Never empty, never a refusal, never cut in transit: those are errors.

    ``finish`` is ``length`` where ``max_tokens`` ended it.
    """

    text: str
    finish: Literal["stop", "length"] = "stop"
    tokens: tuple[TokenChances, ...] = ()
    """One per generated token where chances were asked for and can be given; else empty."""
    usage: Usage = Usage()
    seconds: float = 0.0
    model: str = ""
    """The name under which a server answered; empty where it says none."""
    kept: bool = False
    """Whether it comes from a cache, so that nothing was spent on it."""


@dataclass(frozen=True)
class Capabilities:
    """What a model can do, as found out or declared; ``context`` in tokens, None: unknown."""

    logprobs: int = 0
    """Likeliest tokens that it gives at each position; 0: none."""
    json_schema: bool = False
    choice: bool = False
    images: int = 0
    """Pictures in one request; 0: none."""
    video: bool | None = False
    """Whether it takes a moving picture as one; None: it gave no answer to that."""
    thinks: bool = False
    """Whether it thinks aloud before every answer, although told not to."""
    prefix_cache: bool = False
    context: int | None = None
    version: str = ""
    """Version of the server or library."""


class ChatModel(Protocol):
    """A language model, with eyes or without. Safe to use from several threads."""

    @property
    def name(self) -> str:
        """Backend, model and what else changes its replies; no address, no key."""

    @property
    def at_once(self) -> int:
        """How many calls at the same time are worth it."""

    @property
    def capabilities(self) -> Capabilities:
        """Found out at first use. Raises BackendError where that fails."""

    def chat(self, request: ChatRequest) -> ChatReply:
        """One reply. Raises BackendError (with its ``fault``), BudgetSpent.

        A reply that a constraint should have shaped is not checked here: see tools.models.asking.
        """

    def chat_all(self, requests: Sequence[ChatRequest]) -> tuple[ChatReply | BackendError, ...]:
        """Replies in the order of the requests, side by side or in one batch as suits the model.

        What fails stands as its error in its place. Raises BudgetSpent.
        """

    def close(self) -> None:
        """Let go of connections or memory. It may not be used after."""
