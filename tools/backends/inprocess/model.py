"""A ChatModel in this process. Requests that come from several threads run as one batch."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

from tools.backends.inprocess.loading import DTYPES, Loaded, identity, load, located
from tools.errors import BackendError, UserError
from tools.models.chat import (
    Capabilities,
    ChatModel,
    ChatReply,
    ChatRequest,
    Film,
    Message,
    Picture,
    Usage,
)
from tools.models.spending import ModelCall, allowed, charge

__all__ = ["TransformersChat"]

SHORT = 8
"""Replies of at most this many tokens do not wait for longer ones in their batch."""
MOST_PICTURES = 16
MOST_CHANCES = 20


class TransformersChat(ChatModel):
    """See the module docstring. Weights are loaded at the first request.

    Args:
        reference: a folder, or a name on the hub, from where transformers downloads it.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        device: ``auto``, ``cpu``, ``cuda`` …
        batch: requests that run together at most.

    Raises UserError: no such folder, no weights in it, no such dtype.
    """

    def __init__(
        self, reference: str, *, dtype: str = "auto", device: str = "auto", batch: int = 8
    ) -> None:
        if dtype not in DTYPES:
            raise UserError(
                f"model_dtype: there is no {dtype!r}", remedy=f"one of {', '.join(DTYPES)}"
            )
        folder = located(reference)
        self._reference, self._dtype, self._device, self._batch = reference, dtype, device, batch
        self._named = reference if folder is None else f"{folder.name}@{identity(folder)[:8]}"
        self._loading, self._running, self._queueing = (threading.Lock() for _ in range(3))
        self._waiting: list[_Job] = []

    @property
    def name(self) -> str:
        return f"transformers/1:{self._named}" + (
            "" if self._dtype == "auto" else f":{self._dtype}"
        )

    @property
    def at_once(self) -> int:
        """Requests that run as one batch."""
        return self._batch

    def close(self) -> None:
        """Let go of the weights; a further request would load them again."""
        with self._running, self._loading:
            self.__dict__.pop("_model", None)

    @property
    def capabilities(self) -> Capabilities:
        """Loads the model. Raises UserError where it cannot be loaded."""
        import transformers

        loaded, held = self._loaded, self._constraints is not None
        return Capabilities(
            logprobs=MOST_CHANCES,
            json_schema=held,
            choice=held,
            images=MOST_PICTURES if loaded.sees else 0,
            context=loaded.context,
            version=f"transformers {transformers.__version__}",
        )

    def chat(self, request: ChatRequest) -> ChatReply:
        """One reply; what other threads ask meanwhile runs with it. Raises BackendError."""
        (reply,) = self.chat_all([request])
        if isinstance(reply, BackendError):
            raise reply
        return reply

    def chat_all(self, requests: Sequence[ChatRequest]) -> tuple[ChatReply | BackendError, ...]:
        """Replies in order, in batches. Raises BudgetSpent."""
        jobs = []
        for request in requests:
            allowed()
            jobs.append(_Job(request))
        with self._queueing:
            self._waiting += jobs
        while any(job.reply is None for job in jobs):
            with self._running:  # whoever has the turn runs what waits, others' requests as well
                self._run_next()
        replies = []
        for job in jobs:
            assert job.reply is not None
            charge(self._call(job.request, job.reply))
            replies.append(job.reply)
        return tuple(replies)

    # ---------------------------------------------------------------- batches

    def _run_next(self) -> None:
        with self._queueing:
            if not self._waiting:
                return
            kind = self._waiting[0].kind
            taken = [job for job in self._waiting if job.kind == kind][: self._batch]
            self._waiting = [job for job in self._waiting if job not in taken]
        try:
            self._run(taken)
        except UserError as error:
            _fail(taken, BackendError(error.message, remedy=error.remedy, fault="denied"))
            raise
        finally:
            _fail(taken, BackendError(f"{self.name} was interrupted", fault="failed"))

    def _run(self, jobs: Sequence[_Job]) -> None:
        """One batch; where memory does not hold it, its halves."""
        import torch

        from tools.backends.inprocess.decoding import Row, generate

        rows = []
        for job in jobs:
            try:
                self._check(job.request)
                rows.append((job, Row(job.request, self._matcher(job.request))))
            except BackendError as error:
                job.reply = error
        if not rows:
            return
        begun = time.perf_counter()
        try:
            inputs, lengths = self._inputs([job.request for job, _ in rows])
            fits = [self._fits(job, length) for (job, _), length in zip(rows, lengths, strict=True)]
            if not all(fits):
                self._run([job for (job, _), fit in zip(rows, fits, strict=True) if fit])
                return
            generate(self._loaded, inputs, [row for _, row in rows])
        except torch.OutOfMemoryError:
            if len(rows) > 1:
                half = len(rows) // 2
                self._run([job for job, _ in rows[:half]])
                self._run([job for job, _ in rows[half:]])
            else:
                rows[0][0].reply = BackendError(
                    f"{self.name} has not the memory for this request",
                    remedy="set model_dtype = bfloat16, or use a smaller model",
                    fault="too_large",
                )
            return
        except (RuntimeError, ValueError, IndexError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            _fail(jobs, BackendError(f"{self.name} failed: {reason[:200]}", fault="failed"))
            return
        seconds = time.perf_counter() - begun
        for (job, row), length in zip(rows, lengths, strict=True):
            job.reply = self._reply(row, length, seconds)

    def _reply(self, row: Any, prompt: int, seconds: float) -> ChatReply | BackendError:
        text = self._loaded.tokenizer.decode(row.ids, skip_special_tokens=True)
        if not text.strip():
            return BackendError(f"{self.name} gave an empty reply", fault="empty")
        return ChatReply(
            text=text,
            finish=row.finish or "length",
            tokens=tuple(row.chances),
            usage=Usage(prompt=prompt, generated=len(row.ids)),
            seconds=seconds,
        )

    # ---------------------------------------------------------------- inputs

    def _check(self, request: ChatRequest) -> None:
        if any(isinstance(p, Film) for m in request.messages for p in m.parts):
            raise BackendError(
                f"{self.name} takes no films", remedy="send key frames", fault="incapable"
            )
        pictures = sum(isinstance(p, Picture) for m in request.messages for p in m.parts)
        if pictures and not self._loaded.sees:
            raise BackendError(
                f"{self.name} takes no pictures",
                remedy="name a vision-language model as captioner",
                fault="incapable",
            )
        if pictures > MOST_PICTURES:
            raise BackendError(f"{pictures} pictures in one request", fault="too_large")

    def _matcher(self, request: ChatRequest) -> Any | None:
        if request.schema is None and request.choices is None:
            return None
        if self._constraints is None:
            raise BackendError(
                "holding a model to JSON or to choices needs xgrammar",
                remedy="pip install 'vidocq[models]'",
                fault="incapable",
            )
        try:
            return self._constraints.matcher(request.schema, request.choices)
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0][:200]
            raise BackendError(
                f"the schema cannot be held to: {reason}", fault="rejected"
            ) from None

    def _inputs(self, requests: Sequence[ChatRequest]) -> tuple[Any, list[int]]:
        """What the model takes, and the prompt tokens of each row."""
        loaded = self._loaded
        texts = [self._prompt(request.messages) for request in requests]
        pictures = [_opened(request) for request in requests]
        if any(pictures):
            inputs = loaded.processor(
                text=texts, images=pictures, padding=True, return_tensors="pt",
                add_special_tokens=False,
            )  # fmt: skip
        else:
            inputs = loaded.tokenizer(
                texts, padding=True, return_tensors="pt", add_special_tokens=False
            )
        inputs.pop("token_type_ids", None)
        lengths = [int(n) for n in inputs["attention_mask"].sum(dim=1)]
        kind = next(loaded.model.parameters()).dtype
        inputs = inputs.to(loaded.device)
        return {k: v.to(kind) if v.is_floating_point() else v for k, v in inputs.items()}, lengths

    def _prompt(self, messages: Sequence[Message]) -> str:
        """The conversation in the model's own form. A template may ignore ``enable_thinking``."""
        turns = [{"role": m.role, "content": self._content(m)} for m in messages]
        loaded = self._loaded
        return str(
            loaded.tokenizer.apply_chat_template(
                turns,
                chat_template=getattr(loaded.processor, "chat_template", None),
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,
            )
        )

    def _content(self, message: Message) -> str | list[dict[str, str]]:
        if not self._loaded.sees:
            return "\n".join(p for p in message.parts if isinstance(p, str))
        return [
            {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
            for part in message.parts
        ]

    def _fits(self, job: _Job, length: int) -> bool:
        context = self._loaded.context
        if context is None or length + job.request.max_tokens <= context:
            return True
        job.reply = BackendError(
            f"{length} tokens and {job.request.max_tokens} more do not fit the {context} that "
            f"{self.name} takes",
            fault="too_large",
        )
        return False

    # ---------------------------------------------------------------- model

    @cached_property
    def _model(self) -> tuple[Loaded, Any | None]:
        loaded = load(self._reference, dtype=self._dtype, device=self._device)
        try:
            from tools.backends.inprocess.decoding import Constraints

            return loaded, Constraints(loaded)
        except ImportError:
            return loaded, None

    @property
    def _loaded(self) -> Loaded:
        with self._loading:
            return self._model[0]

    @property
    def _constraints(self) -> Any | None:
        with self._loading:
            return self._model[1]

    def _call(self, request: ChatRequest, reply: ChatReply | BackendError) -> ModelCall:
        if isinstance(reply, BackendError):
            return ModelCall(
                model=self.name, purpose=request.purpose, key=request.key, fault=reply.fault
            )
        return ModelCall(
            model=self.name,
            purpose=request.purpose,
            key=request.key,
            prompt=reply.usage.prompt,
            generated=reply.usage.generated,
            seconds=reply.seconds,
        )


class _Job:
    """A request that waits, and its reply once there is one."""

    def __init__(self, request: ChatRequest) -> None:
        self.request = request
        self.reply: ChatReply | BackendError | None = None
        sees = any(isinstance(p, Picture) for m in request.messages for p in m.parts)
        self.kind: tuple[bool, Literal["short", "long"]] = (
            sees,
            "short" if request.max_tokens <= SHORT else "long",
        )


def _fail(jobs: Sequence[_Job], error: BackendError) -> None:
    """Answer whatever has no reply yet."""
    for job in jobs:
        job.reply = job.reply or error


def _opened(request: ChatRequest) -> list[Any]:
    from PIL import Image

    parts = [p for m in request.messages for p in m.parts if isinstance(p, Picture)]
    return [Image.open(io.BytesIO(p.jpeg)).convert("RGB") for p in parts]
