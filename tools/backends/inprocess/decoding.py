"""Generate replies for a batch, each row under its own constraint, bound and draw.

Rows differ in what they may say and how long; one pass of the model serves them all. The
probabilities that are told are the model's own, before any constraint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from tools.models.chat import ChatRequest, TokenChances

if TYPE_CHECKING:
    import torch

    from tools.backends.inprocess.loading import Loaded

__all__ = ["Constraints", "Row", "generate"]

MOST_ALLOWED = 64
"""Allowed tokens up to this number are all told with their probabilities."""


class Constraints:
    """Compiles schemas and choices for one tokenizer. Raises ImportError without xgrammar."""

    def __init__(self, loaded: Loaded) -> None:
        import xgrammar

        info = xgrammar.TokenizerInfo.from_huggingface(
            loaded.tokenizer, vocab_size=loaded.vocabulary, stop_token_ids=_ends(loaded)
        )
        self._make = xgrammar.GrammarMatcher
        self._compiler = xgrammar.GrammarCompiler(info, max_threads=2)  # it caches

    def matcher(
        self, schema: Mapping[str, Any] | None, choices: Sequence[str] | None
    ) -> Any | None:
        """What follows a reply token by token; None where nothing is constrained.

        Raises RuntimeError or ValueError for a schema that xgrammar cannot hold to.
        """
        if choices is not None:
            grammar = "root ::= " + " | ".join(json.dumps(c, ensure_ascii=False) for c in choices)
            return self._make(self._compiler.compile_grammar(grammar))
        if schema is not None:
            told = json.dumps(dict(schema))
            return self._make(self._compiler.compile_json_schema(told, any_whitespace=False))
        return None


@dataclass(eq=False)
class Row:
    """One reply in the making."""

    request: ChatRequest
    matcher: Any | None
    draw: torch.Generator | None = None
    ids: list[int] = field(default_factory=list)
    chances: list[TokenChances] = field(default_factory=list)
    finish: Literal["stop", "length"] | None = None


def generate(loaded: Loaded, inputs: Any, rows: Sequence[Row]) -> None:
    """Fill ``ids``, ``chances`` and ``finish`` of the rows.

    Args:
        inputs: what the model takes, one row each, padded on the left.
    """
    import torch

    for row in rows:
        if row.request.temperature > 0:
            row.draw = torch.Generator().manual_seed(row.request.seed)
    step = _Step(loaded, rows)
    with torch.inference_mode():
        loaded.model.generate(
            **inputs,
            max_new_tokens=max(r.request.max_tokens for r in rows),
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            repetition_penalty=None,
            pad_token_id=loaded.tokenizer.pad_token_id,
            eos_token_id=_ends(loaded),
            logits_processor=LogitsProcessorList([step]),
            stopping_criteria=StoppingCriteriaList([_Ended(rows)]),
        )


class _Step(LogitsProcessor):
    """Before each choice of tokens: what may be said, and by which draw. It notes what is chosen.

    The choice itself is the likeliest; a draw adds Gumbel noise of the row's own first, which makes
    the likeliest a sample that does not depend on the other rows.
    """

    def __init__(self, loaded: Loaded, rows: Sequence[Row]) -> None:
        import torch

        self._torch, self._rows = torch, rows
        self._tokenizer, self._ends = loaded.tokenizer, set(_ends(loaded))
        self._mask = torch.zeros((1, (loaded.vocabulary + 31) // 32), dtype=torch.int32)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        chosen = scores.clone()
        for n, row in enumerate(self._rows):
            if row.finish is not None:
                continue
            allowed = self._constrain(row, chosen[n : n + 1])
            if row.draw is not None:
                chosen[n] = chosen[n] / row.request.temperature + self._noise(row, chosen[n])
            self._take(row, int(chosen[n].argmax()), scores[n], allowed)
        return chosen

    def _constrain(self, row: Row, scores: torch.Tensor) -> list[int]:
        """Rule out what the constraint does not allow; the allowed tokens where they are told."""
        if row.matcher is None:
            return []
        import xgrammar

        if self._allowed(row):
            xgrammar.apply_token_bitmask_inplace(scores, self._mask.to(scores.device))
        if not row.request.chances:
            return []
        finite = self._torch.isfinite(scores[0])
        few = int(finite.sum()) <= MOST_ALLOWED
        return [int(i) for i in finite.nonzero()[:, 0]] if few else []

    def _allowed(self, row: Row) -> bool:
        """Fill the mask with the tokens that may follow; whether it rules any out."""
        assert row.matcher is not None
        self._mask.fill_(-1)
        return bool(row.matcher.fill_next_token_bitmask(self._mask, 0))

    def _noise(self, row: Row, like: torch.Tensor) -> torch.Tensor:
        uniform = self._torch.rand(like.shape, generator=row.draw).clamp_(1e-12, 1 - 1e-7)
        return (-(-uniform.log()).log()).to(like.device)

    def _take(self, row: Row, token: int, scores: torch.Tensor, allowed: list[int]) -> None:
        request = row.request
        ended = token in self._ends
        row.ids.append(token)
        if request.chances and not ended:
            row.chances.append(self._told(token, scores, allowed, request.chances))
        if row.matcher is not None:
            row.matcher.accept_token(token)
        if ended or self._said(row):
            row.finish = "stop"
        elif len(row.ids) >= request.max_tokens:
            row.finish = "length"

    def _said(self, row: Row) -> bool:
        """Whether a choice is complete, and at its bound or unable to go on: it needs no end."""
        matcher, request = row.matcher, row.request
        if matcher is None or request.choices is None or not matcher.is_completed():
            return False
        if len(row.ids) >= request.max_tokens:
            return True
        self._allowed(row)
        words = enumerate(self._mask[0].tolist())
        return all(
            32 * n + bit in self._ends for n, w in words for bit in range(32) if w >> bit & 1
        )

    def _told(
        self, token: int, scores: torch.Tensor, allowed: list[int], count: int
    ) -> TokenChances:
        logs = scores.float().log_softmax(-1)
        likeliest = logs.topk(min(count, len(logs))).indices.tolist()
        ids = list(dict.fromkeys([*likeliest, *allowed]))
        told = tuple((self._text(i), round(float(logs[i]), 4)) for i in ids if i not in self._ends)
        return TokenChances(self._text(token), round(float(logs[token]), 4), told)

    def _text(self, token: int) -> str:
        return str(self._tokenizer.decode([token]))


class _Ended(StoppingCriteria):
    """Which rows have their reply."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        import torch

        ended = [row.finish is not None for row in self._rows]
        return torch.tensor(ended, device=input_ids.device)


def _ends(loaded: Loaded) -> list[int]:
    """Tokens that end a reply."""
    told = loaded.model.generation_config.eos_token_id
    found = told if isinstance(told, list) else [told]
    return [int(e) for e in dict.fromkeys([*found, loaded.tokenizer.eos_token_id]) if e is not None]
