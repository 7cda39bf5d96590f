"""What the loopback server of the tests answers: fixed words, and faults where a test wants them.

It knows prompts by what they ask for (their schema or their choices) and pretends to no insight:
``things`` are what it sees in any picture, ``verdict`` the chances of each digit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evals.bench.modelserver import Reply, chat_body

__all__ = ["ABLE", "Brain", "peaked", "text_of", "uniform"]

Request = dict[str, Any]
ABLE = frozenset({"logprobs", "json_schema", "choice", "images", "video", "plainly"})
UNIFORM = math.log(0.1)


def peaked(digit: int, sharp: float = 2.0) -> dict[str, float]:
    """Log-probabilities of the digits around one."""
    weights = {str(d): math.exp(-sharp * abs(d - digit)) for d in range(10)}
    total = sum(weights.values())
    return {d: math.log(w / total) for d, w in weights.items()}


def uniform() -> dict[str, float]:
    """As of a model that knows nothing."""
    return {str(d): UNIFORM - 0.001 * d for d in range(10)}


def text_of(request: Request) -> str:
    """All text of a request's messages."""
    found: list[str] = []
    for message in request["messages"]:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        found += [p["text"] for p in parts if p["type"] == "text"]
    return "\n".join(found)


def pictures_of(request: Request, kind: str = "image_url") -> int:
    """How many pictures a request holds, or films (``video_url``)."""
    return sum(
        part["type"] == kind
        for message in request["messages"]
        if not isinstance(message["content"], str)
        for part in message["content"]
    )


def walker() -> list[dict[str, Any]]:
    return [{"subject": "person", "activity": "walks", "where": "on the path", "frame": 1}]


@dataclass
class Brain:
    """Answers requests; see the module docstring. ``able``: what its server can do."""

    able: frozenset[str] = ABLE
    things: Sequence[Mapping[str, Any]] = field(default_factory=walker)
    verdict: Callable[[str], Mapping[str, float]] = lambda _: peaked(0)
    answer: str = "A person walks along the path."
    plan: Mapping[str, Any] = field(default_factory=lambda: {"intent": "anomaly", "targets": []})
    rule: str = "1"
    thing: str = "1"
    faults: list[Reply | Callable[[Request], Reply | None]] = field(default_factory=list)
    """Taken one by one before anything is answered; a function may decline with None."""
    always: Callable[[Request], Reply | None] | None = None
    asked: list[Request] = field(default_factory=list)
    """Requests of the agent, without those that find out what the server can do."""

    def __call__(self, request: Request) -> Reply:
        probe = _is_probe(request)
        if not probe:
            self.asked.append(request)
            if self.always is not None and (reply := self.always(request)) is not None:
                return reply
            if self.faults:
                fault = self.faults.pop(0)
                reply = fault(request) if callable(fault) else fault
                if reply is not None:
                    return reply
        if pictures_of(request) and "images" not in self.able:
            return Reply({"error": {"message": "this model takes no images"}}, 400)
        if pictures_of(request, "video_url") and "video" not in self.able:
            return Reply({"error": {"message": "this model takes no video"}}, 400)
        if "chat_template_kwargs" in request and "plainly" not in self.able:
            return Reply({"error": {"message": "Unrecognized request argument"}}, 400)
        if "newer" in self.able and not {"max_tokens", "temperature", "seed"}.isdisjoint(request):
            return Reply({"error": {"message": "Use 'max_completion_tokens' instead."}}, 400)
        return Reply(self._body(request))

    def _body(self, request: Request) -> dict[str, Any]:
        choices = request.get("structured_outputs", {}).get("choice")
        if choices is not None and "choice" in self.able:
            return self._chosen(request, choices)
        schema = request.get("response_format", {}).get("json_schema", {}).get("schema")
        text = text_of(request)
        if schema is not None and "json_schema" in self.able:
            return chat_body(json.dumps(self.reply(set(schema["properties"]), text)))
        if request.get("logprobs") and "logprobs" in self.able:
            return self._digits(request)
        if "fits this JSON schema" in text:
            keys = set(json.loads(text.rpartition("nothing else:\n")[2])["properties"])
            return chat_body(json.dumps(self.reply(keys, text)))
        if "Your answer:" in text:
            told = self.verdict(text)
            return chat_body(max(told, key=lambda t: told[t]))
        return chat_body("Hello! How can I help?")

    def _chosen(self, request: Request, choices: Sequence[str]) -> dict[str, Any]:
        if "?" in choices:
            return self._digits(request)
        last = text_of(request).rpartition("\n")[0].rpartition("Which ")[2]
        wanted = self.thing if last.startswith("thing") else self.rule
        return chat_body(wanted if wanted in choices else choices[0])

    def _digits(self, request: Request) -> dict[str, Any]:
        told = dict(self.verdict(text_of(request)))
        best = max(told, key=lambda t: told[t])
        return chat_body(best, chances=[told] if request.get("logprobs") else None)

    def reply(self, keys: set[str], text: str) -> Mapping[str, Any]:
        """The JSON it answers to a prompt that asks for these keys."""
        if "things" in keys:
            said = "; ".join(f"{t['subject']} {t['activity']}" for t in self.things)
            return {"summary": said or "Nothing moves.", "things": list(self.things)}
        if "visible" in keys:
            return {"visible": bool(self.answer), "answer": self.answer}
        if "questions" in keys:
            return {"questions": ["What is the person on the path doing?"]}
        if "findings" in keys:
            return {"findings": [{"statement": "1", "shown": "unclear", "because": "little"}]}
        if "intent" in keys:
            return self.plan
        return {"mark": "zq7"}


def _is_probe(request: Request) -> bool:
    text = text_of(request)
    return text in {"Hello", "Say hello."} or text.startswith("The same words once more.")
