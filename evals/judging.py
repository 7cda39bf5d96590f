"""An optional judge of free-text reasons: a language model with a pinned name and rubric.

The model is named by the caller and must answer with that very name; the rubric is the text below,
and its hash belongs beside every figure. A judge's labels are worth what their agreement with
people's labels is (:func:`evals.metrics.explanations.agreement`). No judge, no figure.
"""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Protocol

from tools.errors import BackendError
from tools.types import content_id

__all__ = ["RUBRIC", "HttpJudge", "Judge", "Opinion", "rubric_id"]

RUBRIC = """You grade the reason given for a verdict about a surveillance video.
You are given a reference description of what happened and the reason that was given.
The reason is "right" if what it says happened is what the reference says, even in other words;
it is "wrong" if it names something else, contradicts the reference, or gives no reason.
Do not reward length or style. Answer with JSON only: {"reason": "right"} or {"reason": "wrong"}."""
TRIES = 3
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that may be the moment's: tried again, after a wait."""


def rubric_id() -> str:
    """Hash of the rubric."""
    return content_id(RUBRIC)


@dataclass(frozen=True)
class Opinion:
    """What a judge said of one reason."""

    right: bool | None
    """None where the judge's answer cannot be read: counted as unanswered, never guessed."""
    reply: str
    """The judge's own words."""


class Judge(Protocol):
    """Says whether a reason is right."""

    @property
    def model(self) -> str:
        """The pinned model, as it belongs beside every figure."""

    def opinion(self, reference: str, said: str) -> Opinion:
        """Raises BackendError where there is none."""


@dataclass(frozen=True)
class HttpJudge:
    """A model behind an OpenAI-compatible ``/chat/completions`` (vLLM and others).

    Args:
        url: base address, such as ``http://127.0.0.1:8000/v1``.
        model: the pinned model.
        timeout_s: seconds to wait for an answer.
        api_key: sent as a bearer token, shown nowhere.
        wait_s: seconds before the second try of a request that failed; doubled before the third.
    """

    url: str
    model: str
    timeout_s: float = 60.0
    api_key: str = field(default="", repr=False)
    wait_s: float = 1.0

    def opinion(self, reference: str, said: str) -> Opinion:
        """Raises BackendError where the server cannot be reached, answers no completion, or is
        another model."""
        body = {
            "model": self.model,
            "temperature": 0,
            "seed": 0,
            "max_tokens": 40,
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
        except (KeyError, IndexError, TypeError):
            raise BackendError(f"the judge at {self.url} answers no chat completion") from None
        return Opinion(_read(text), text if isinstance(text, str) else "")

    def _post(self, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        request = urllib.request.Request(
            f"{self.url.rstrip('/')}/chat/completions", json.dumps(body).encode(), headers
        )
        reply = self._sent(request)
        if not isinstance(reply, dict):
            raise BackendError(f"the judge at {self.url} answers no JSON object")
        return reply

    def _sent(self, request: urllib.request.Request) -> Any:
        """The reply as JSON, at the third try at last. Raises BackendError."""
        why: Exception | None = None
        for number in range(TRIES):
            if number:
                time.sleep(self.wait_s * 2 ** (number - 1))
            try:
                with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                error.close()
                why = error
                if error.code not in PASSING:
                    break
            except (OSError, HTTPException) as error:  # unreachable, timed out or cut
                why = error
            except ValueError as error:
                raise BackendError(f"the judge at {self.url} answers no JSON: {error}") from error
        did = "answers with" if isinstance(why, urllib.error.HTTPError) else "cannot be reached:"
        raise BackendError(f"the judge at {self.url} {did} {why}") from why


def _read(text: Any) -> bool | None:
    """The verdict of a reply that is the JSON asked for, in a code fence or not; else None."""
    if not isinstance(text, str):
        return None
    bare = re.sub(r"^```(?:json)?\s*|\s*```$", "", text.strip())
    try:
        verdict = json.loads(bare)["reason"]
    except (KeyError, TypeError, ValueError):
        return None
    return {"right": True, "wrong": False}.get(verdict) if isinstance(verdict, str) else None
