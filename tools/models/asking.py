"""From a prompt to a checked reply: constrained where the model can be, validated always."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tools.errors import BackendError, VidocqError
from tools.models.chances import DIGITS, UNTOLD, Graded, grade
from tools.models.chat import ChatModel, ChatReply, ChatRequest, Message, user
from tools.models.replies import parsed, runs_away

__all__ = ["Told", "ask_grade", "ask_json", "ask_json_of", "grade_request", "read_json"]

GRADE_TOKENS = 1
FREE_TOKENS = 4
"""Tokens for an answer of the scale where the server cannot constrain it: room for a blank."""
Check = Callable[[Mapping[str, Any]], object]
UNHELD = "Answer with one JSON object that fits this JSON schema, and nothing else:"
AGAIN = (
    "That reply cannot be used: {why}. Answer the same question again, "
    "with one JSON object that fits the schema and nothing else:\n{schema}"
)


@dataclass(frozen=True)
class Told:
    """A reply's JSON, and what had to be done to get it (empty: nothing)."""

    value: Mapping[str, Any]
    note: str = ""


def _anything(value: Mapping[str, Any]) -> None:
    """Nothing is asked beyond the schema."""


def _checked(told: Told, check: Check) -> None:
    try:
        check(told.value)
    except BackendError:
        raise
    except VidocqError as error:
        raise BackendError(str(error), fault="schema") from None


def json_request(
    model: ChatModel,
    messages: tuple[Message, ...],
    schema: Mapping[str, Any],
    *,
    max_tokens: int,
    purpose: str,
) -> ChatRequest:
    """A request for JSON; where the server cannot hold the model to a schema, it is told it."""
    if model.capabilities.json_schema:
        return ChatRequest(messages, max_tokens, schema=dict(schema), purpose=purpose)
    told = f"{UNHELD}\n{_text(schema)}"
    last = messages[-1]
    said = replace(last, parts=(*last.parts, told))
    return ChatRequest((*messages[:-1], said), max_tokens, purpose=purpose)


def read_json(reply: ChatReply, schema: Mapping[str, Any]) -> Told:
    """The JSON of a reply. Raises BackendError saying why there is none."""
    if reply.finish == "length" and not runs_away(reply.text):
        try:
            value, note = parsed(reply.text, schema, cut=True)
        except BackendError:
            raise BackendError("the reply was cut where its tokens ended", fault="length") from None
        return Told(value, note)
    return Told(*parsed(reply.text, schema))


def ask_json(
    model: ChatModel,
    messages: tuple[Message, ...],
    schema: Mapping[str, Any],
    *,
    max_tokens: int,
    purpose: str,
    repairs: int = 1,
    check: Check = _anything,
) -> Told:
    """JSON that fits a schema; a reply that does not fit is sent back, with what is wrong, once.

    ``check`` looks at what the schema cannot say, and raises a VidocqError for what is wrong.

    Raises BackendError where the repaired reply cannot be used either; BudgetSpent.
    """
    request = json_request(model, messages, schema, max_tokens=max_tokens, purpose=purpose)
    return ask_json_of(model, request, model.chat(request), schema, repairs=repairs, check=check)


def ask_json_of(
    model: ChatModel,
    request: ChatRequest,
    reply: ChatReply,
    schema: Mapping[str, Any],
    *,
    repairs: int = 1,
    check: Check = _anything,
) -> Told:
    """As :func:`ask_json`, beginning with a first reply that is there already."""
    for left in range(repairs, -1, -1):
        try:
            told = read_json(reply, schema)
            _checked(told, check)
        except BackendError as error:
            if not left:
                raise
            why = error.message
        else:
            return told if left == repairs else replace(told, note=f"asked again, for {why}")
        again = AGAIN.format(why=why, schema=_text(schema))
        said = reply.text[:2000] or "(nothing)"
        messages = (*request.messages, Message("assistant", (said,)), user(again))
        reply = model.chat(replace(request, messages=messages, purpose=f"{request.purpose}:repair"))
    raise AssertionError("a loop that returns or raises")


def grade_request(
    model: ChatModel,
    messages: tuple[Message, ...],
    *,
    scale: tuple[str, ...] = DIGITS,
    purpose: str,
) -> ChatRequest:
    """A request for one answer of a scale: one token, with the probabilities of the others.

    Raises BackendError where the model thinks aloud first: its tokens are no answer then.
    """
    able = model.capabilities
    if able.thinks:
        raise BackendError(
            f"{model.name} thinks aloud before it answers, although told not to: no verdict of "
            "one token can be read from it",
            remedy="name an instruct model as verifier",
            fault="incapable",
        )
    return ChatRequest(
        messages,
        GRADE_TOKENS if able.choice else FREE_TOKENS,
        choices=(*scale, UNTOLD) if able.choice else None,
        chances=min(20, able.logprobs),
        purpose=purpose,
    )


def ask_grade(
    model: ChatModel,
    messages: tuple[Message, ...],
    *,
    scale: tuple[str, ...] = DIGITS,
    purpose: str,
) -> Graded:
    """A place on a scale, read from token probabilities. Raises BackendError, BudgetSpent."""
    return grade(model.chat(grade_request(model, messages, scale=scale, purpose=purpose)), scale)


def _text(schema: Mapping[str, Any]) -> str:
    return json.dumps(dict(schema), separators=(",", ":"), ensure_ascii=False)
