"""An optional judge of free-text reasons: a language model with a pinned name and rubric.

The model is named by the caller and must answer with that very name; the rubric is the text below,
and its hash belongs beside every figure. A judge's labels are worth what their agreement with
people's labels is (:func:`evals.metrics.explanations.agreement`). No judge, no figure.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Protocol

from tools.backends.served.client import ServedModel
from tools.backends.served.patience import Patience
from tools.errors import BackendError
from tools.models.chat import ChatRequest, Message, user
from tools.types import content_id

__all__ = ["RUBRIC", "Judge", "Opinion", "ServedJudge", "rubric_id"]

RUBRIC = """You grade the reason given for a verdict about a surveillance video.
You are given a reference description of what happened and the reason that was given.
The reason is "right" if what it says happened is what the reference says, even in other words;
it is "wrong" if it names something else, contradicts the reference, or gives no reason.
Do not reward length or style. Answer with JSON only: {"reason": "right"} or {"reason": "wrong"}."""
MOST_TOKENS = 40
WORDLESS = frozenset({"empty", "refusal", "length", "thinking"})
"""Faults of a judge that was asked and said nothing to the point: unanswered, no failure."""


def rubric_id() -> str:
    """Hash of the rubric."""
    return content_id(RUBRIC)


@dataclass(frozen=True)
class Opinion:
    """What a judge said of one reason."""

    right: bool | None
    """None where the judge's answer cannot be read: counted as unanswered, never guessed."""
    reply: str
    """The judge's own words; where it gave none, why."""


class Judge(Protocol):
    """Says whether a reason is right."""

    @property
    def model(self) -> str:
        """The pinned model, as it belongs beside every figure."""

    def opinion(self, reference: str, said: str) -> Opinion:
        """Raises BackendError where there is none."""


class ServedJudge:
    """A model behind a server that speaks the OpenAI protocol (vLLM and others).

    Args:
        url: base address, such as ``http://127.0.0.1:8000/v1``.
        model: the pinned model.
        key: sent as a bearer token, shown nowhere.
        patience: how long and how often the server is tried.
    """

    def __init__(self, url: str, model: str, *, key: str = "", patience: Patience) -> None:
        self.model, self._url = model, url
        self._chat = ServedModel(model, url.rstrip("/"), patience=patience, key=key)

    def opinion(self, reference: str, said: str) -> Opinion:
        """Raises BackendError where the server cannot be reached, answers no completion, or is
        another model."""
        question = f"Reference: {reference}\n\nReason given: {said}"
        request = ChatRequest(
            (Message("system", (RUBRIC,)), user(question)), MOST_TOKENS, purpose="opinion"
        )
        try:
            reply = self._chat.chat(request)
        except BackendError as error:
            if error.fault not in WORDLESS:
                raise
            return Opinion(None, error.message)
        if reply.model != self.model:
            raise BackendError(
                f"{self._url} answers as {reply.model!r}, not as {self.model!r}",
                remedy="name the model that the server serves",
            )
        return Opinion(_read(reply.text), reply.text)

    def close(self) -> None:
        """Let go of the connection."""
        self._chat.close()


def _read(text: str) -> bool | None:
    """The verdict of a reply that is the JSON asked for, in a code fence or not; else None."""
    bare = re.sub(r"^```(?:json)?\s*|\s*```$", "", text.strip())
    try:
        verdict = json.loads(bare)["reason"]
    except (KeyError, TypeError, ValueError):
        return None
    return {"right": True, "wrong": False}.get(verdict) if isinstance(verdict, str) else None
