"""An optional judge of free-text reasons: a language model with a pinned name and rubric.

The model is named by the caller and must answer with that very name; the rubric is the text below,
and its hash belongs beside every figure. A judge's labels are worth what their agreement with
people's labels is (:func:`evals.metrics.explanations.agreement`). No judge, no figure.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tools.errors import BackendError
from tools.types import content_id

__all__ = ["RUBRIC", "HttpJudge", "Judge", "rubric_id"]

RUBRIC = """You grade the reason given for a verdict about a surveillance video.
You are given a reference description of what happened and the reason that was given.
The reason is "right" if what it says happened is what the reference says, even in other words;
it is "wrong" if it names something else, contradicts the reference, or gives no reason.
Do not reward length or style. Answer with JSON only: {"reason": "right"} or {"reason": "wrong"}."""


def rubric_id() -> str:
    """Hash of the rubric."""
    return content_id(RUBRIC)


class Judge(Protocol):
    """Says whether a reason is right."""

    @property
    def name(self) -> str:
        """Model and rubric, as they belong beside every figure."""

    def reason_right(self, reference: str, said: str) -> bool | None:
        """None where the judge's answer cannot be read: counted as unanswered, never guessed."""


@dataclass(frozen=True)
class HttpJudge:
    """A model behind an OpenAI-compatible ``/chat/completions`` (vLLM and others).

    Args:
        url: base address, such as ``http://127.0.0.1:8000/v1``.
        model: the pinned model.
        timeout_s: seconds to wait for an answer.
    """

    url: str
    model: str
    timeout_s: float = 60.0
    api_key: str = ""

    @property
    def name(self) -> str:
        return f"{self.model} rubric:{rubric_id()}"

    def reason_right(self, reference: str, said: str) -> bool | None:
        """Raises BackendError where the server cannot be reached or is another model."""
        body = {
            "model": self.model,
            "temperature": 0,
            "seed": 0,
            "max_tokens": 20,
            "messages": [
                {"role": "system", "content": RUBRIC},
                {"role": "user", "content": f"Reference: {reference}\n\nReason given: {said}"},
            ],
        }
        reply = self._post(body)
        if reply.get("model") != self.model:
            raise BackendError(
                f"{self.url} answers as {reply.get('model')!r}, not as {self.model!r}",
                remedy="name the model that the server serves",
            )
        try:
            text = reply["choices"][0]["message"]["content"]
            verdict = json.loads(text)["reason"]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
        return {"right": True, "wrong": False}.get(verdict) if isinstance(verdict, str) else None

    def _post(self, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        request = urllib.request.Request(
            f"{self.url.rstrip('/')}/chat/completions", json.dumps(body).encode(), headers
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:
                reply = json.load(answer)
        except (urllib.error.URLError, TimeoutError, OSError) as error:
            raise BackendError(f"the judge at {self.url} cannot be reached: {error}") from error
        except ValueError as error:
            raise BackendError(f"the judge at {self.url} answers no JSON: {error}") from error
        if not isinstance(reply, dict):
            raise BackendError(f"the judge at {self.url} answers no JSON object")
        return reply
