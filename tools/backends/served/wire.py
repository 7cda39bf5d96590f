"""The protocol: a request as JSON, an answer as a reply or as an error that names its kind."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Literal

from tools.errors import BackendError, Fault
from tools.models.chat import ChatReply, ChatRequest, Film, Message, TokenChances, Usage

__all__ = [
    "ChoiceStyle",
    "Dialect",
    "body_of",
    "fault_of",
    "reply_of",
    "retry_after",
    "usage_of",
]

ChoiceStyle = Literal["structured_outputs", "guided_choice", ""]
"""How a server takes a closed list of answers: vLLM now, vLLM before 0.11, or not at all."""

PLAINLY = {"enable_thinking": False, "thinking": False}
"""What chat templates call the switch: Qwen3, GLM, Gemma the first; DeepSeek, Granite the second.
A template that knows neither does not see them."""


@dataclass(frozen=True)
class Dialect:
    """What a server has beside the protocol that all share."""

    choice: ChoiceStyle = ""
    plainly: bool = False
    """Whether it takes ``chat_template_kwargs``, by which a model is told not to think aloud."""
    newer: bool = False
    """Whether it wants ``max_completion_tokens`` for ``max_tokens``, and neither temperature nor
    seed, as OpenAI's reasoning models do."""


FAULTS: Mapping[int, tuple[Fault, str]] = {
    401: ("denied", "set VIDOCQ_MODEL_KEY to a key the server knows"),
    403: ("denied", "set VIDOCQ_MODEL_KEY to a key that may use this model"),
    404: ("unknown_model", "name a model the server serves, and its address up to /v1"),
    408: ("timeout", "see: vidocq doctor"),
    413: ("too_large", "raise the server's limit, or look at shorter events"),
    425: ("busy", "lower model_parallel"),
    429: ("busy", "lower model_parallel, or ask later"),
}
LONG = ("context length", "too long", "maximum model length", "max_model_len", "too large")


def body_of(request: ChatRequest, model: str, dialect: Dialect) -> dict[str, Any]:
    """The JSON of a request."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(m) for m in request.messages],
    }
    if dialect.newer:
        body["max_completion_tokens"] = request.max_tokens
    else:
        body |= {
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
        }
    if request.chances:
        body |= {"logprobs": True, "top_logprobs": request.chances}
    if request.schema is not None:
        held = {"name": "reply", "schema": dict(request.schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": held}
    if request.choices is not None and dialect.choice == "structured_outputs":
        body["structured_outputs"] = {"choice": list(request.choices)}
    elif request.choices is not None and dialect.choice == "guided_choice":
        body["guided_choice"] = list(request.choices)
    if dialect.plainly:
        body["chat_template_kwargs"] = PLAINLY
    return body


def _message(message: Message) -> dict[str, Any]:
    if all(isinstance(part, str) for part in message.parts):
        return {"role": message.role, "content": "\n".join(map(str, message.parts))}
    content: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, str):
            content.append({"type": "text", "text": part})
        elif isinstance(part, Film):
            url = {"url": f"data:video/mp4;base64,{base64.b64encode(part.mp4).decode()}"}
            content.append({"type": "video_url", "video_url": url})
        else:
            data = base64.b64encode(part.jpeg).decode()
            url = {"url": f"data:image/jpeg;base64,{data}"}
            content.append({"type": "image_url", "image_url": url})
    return {"role": message.role, "content": content}


def reply_of(raw: bytes, seconds: float) -> ChatReply:
    """The reply an answer with status 200 holds.

    Raises BackendError: ``failed`` for no completion at all, ``empty``, ``refusal``, ``length``,
    ``thinking`` where its tokens ended among the thoughts that a server keeps apart.
    """
    try:
        told = json.loads(raw)
        choice = told["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
    except IndexError:
        raise BackendError("the server answered without any choice", fault="empty") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BackendError(
            f"the server answered no chat completion: {_short(raw)!r}",
            remedy="check that its address ends in /v1",
        ) from None
    if not isinstance(message, dict):
        raise BackendError("the server answered a choice without a message", fault="empty")
    if message.get("refusal") or finish == "content_filter":
        said = message.get("refusal") or "content filter"
        raise BackendError(f"the model refused: {_short(said)}", fault="refusal")
    text = message.get("content")
    thoughts = message.get("reasoning") or message.get("reasoning_content")
    if not isinstance(text, str) or not text:
        if finish == "length" and thoughts:
            raise BackendError(
                "the tokens ended while the model was still thinking aloud",
                remedy="serve a model that does not, or one that can be told not to",
                fault="thinking",
            )
        if finish == "length":
            raise BackendError("the tokens ended before any answer", fault="length")
        raise BackendError("the model answered nothing", fault="empty")
    return ChatReply(
        text=text,
        finish="length" if finish == "length" else "stop",
        # Probabilities begin with those of the thoughts, where there are any.
        tokens=() if thoughts else _tokens(choice.get("logprobs")),
        usage=usage_of(raw),
        seconds=seconds,
        model=told["model"] if isinstance(told.get("model"), str) else "",
    )


def _tokens(told: Any) -> tuple[TokenChances, ...]:
    """Token chances where they are well formed; where one is not, none are to be had."""
    content = told.get("content") if isinstance(told, dict) else None
    if not isinstance(content, list):
        return ()
    try:
        return tuple(
            TokenChances(
                str(at["token"]),
                _logprob(at["logprob"]),
                tuple(
                    (str(t["token"]), _logprob(t["logprob"])) for t in at.get("top_logprobs") or ()
                ),
            )
            for at in content
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BackendError(
            f"the server's token probabilities cannot be read: {error}", fault="off_scale"
        ) from None


def _logprob(value: Any) -> float:
    found = float(value)
    if math.isnan(found) or found > 1e-3:
        raise ValueError(f"{found} is no logarithm of a probability")
    return min(found, 0.0)


def usage_of(raw: bytes) -> Usage:
    """The tokens an answer says it cost; zeros where it says nothing."""
    try:
        told = json.loads(raw).get("usage")
    except (ValueError, AttributeError, RecursionError):
        return Usage()

    def count(of: Any, name: str) -> int:
        value = of.get(name) if isinstance(of, dict) else None
        return value if isinstance(value, int) and value >= 0 else 0

    details = told.get("prompt_tokens_details") if isinstance(told, dict) else None
    return Usage(
        count(told, "prompt_tokens"), count(told, "completion_tokens"),
        count(details, "cached_tokens"),
    )  # fmt: skip


def fault_of(status: int, raw: bytes, where: str) -> BackendError:
    """The error a status other than 200 stands for."""
    said = _said(raw)
    fault, remedy = FAULTS.get(
        status, ("server", "see the server's log") if status >= 500 else ("rejected", "")
    )
    if fault == "rejected" and any(sign in said.casefold() for sign in LONG):
        fault, remedy = "too_large", "serve it with a longer context, or look at shorter events"
    return BackendError(f"{where} answers {status}: {said}", remedy=remedy, fault=fault)


def _said(raw: bytes) -> str:
    """The server's own words for what is wrong."""
    try:
        told = json.loads(raw)
        error = told.get("error", told)
        text = error.get("message", error) if isinstance(error, dict) else error
    except (ValueError, AttributeError, RecursionError):
        text = raw.decode("utf-8", "replace")
    return _short(str(text)) or "(nothing)"


def retry_after(value: str | None) -> float | None:
    """Seconds a ``Retry-After`` header asks to wait: a number or a date; None for neither."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None


def _short(said: str | bytes) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    text = " ".join(text.split())
    return text if len(text) <= 200 else text[:197] + "…"
