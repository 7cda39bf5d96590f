"""The same request is put to a model once, whoever asks and whenever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from evals.bench.modelserver import ModelServer, Reply
from tests.brain import Brain, peaked
from tools.backends.served.client import ServedModel
from tools.errors import BackendError
from tools.models.chat import ChatReply, ChatRequest, Picture, user
from tools.models.kept import Kept
from tools.models.spending import Purse, tallied

ASKED = ChatRequest((user("How clearly?", "Your answer:"),), 1, chances=20, purpose="judge")


def test_a_reply_is_kept_whole_and_costs_nothing_again(
    brain: Brain, model: ServedModel, tmp_path: Path
) -> None:
    brain.verdict = lambda _: peaked(6)
    first = Kept(model, tmp_path).chat(ASKED)
    purse = Purse()
    with tallied(purse):
        again = Kept(model, tmp_path).chat(ASKED)
    assert (again.text, again.tokens, again.finish) == (first.text, first.tokens, first.finish)
    assert (again.kept, first.kept) == (True, False)
    assert (purse.calls, purse.tokens, purse.kept) == (0, 0, 1)
    assert len(brain.asked) == 1


def test_what_can_change_a_reply_is_another_request() -> None:
    picture = ChatRequest((user(Picture(b"a")),), 1)
    keys = {
        ASKED.key,
        ChatRequest(ASKED.messages, 2, chances=20).key,
        ChatRequest(ASKED.messages, 1).key,
        ChatRequest(ASKED.messages, 1, chances=20, seed=1).key,
        ChatRequest(ASKED.messages, 1, chances=20, choices=("1",)).key,
        picture.key,
        ChatRequest((user(Picture(b"b")),), 1).key,
    }
    assert len(keys) == 7
    assert ChatRequest(ASKED.messages, 1, chances=20, purpose="other").key == ASKED.key


def test_another_server_of_the_same_name_is_asked_itself(
    brain: Brain, model: ServedModel, tmp_path: Path
) -> None:
    Kept(model, tmp_path, scope="one").chat(ASKED)
    Kept(model, tmp_path, scope="two").chat(ASKED)
    assert len(brain.asked) == 2


def test_failures_are_not_kept(brain: Brain, model: ServedModel, tmp_path: Path) -> None:
    kept = Kept(model, tmp_path)
    brain.faults = [Reply({"error": "no"}, 400)]
    with pytest.raises(BackendError):
        kept.chat(ASKED)
    assert kept.chat(ASKED).text


def test_a_file_that_was_cut_is_written_anew(
    brain: Brain, model: ServedModel, tmp_path: Path
) -> None:
    kept = Kept(model, tmp_path)
    kept.chat(ASKED)
    (path,) = tmp_path.glob("*/*.json")
    path.write_bytes(path.read_bytes()[:50])
    assert not kept.chat(ASKED).kept
    assert kept.chat(ASKED).kept
    assert not list(tmp_path.glob("*/*.part"))


def test_threads_that_ask_alike_wait_for_one_reply(
    brain: Brain, server: ModelServer, model: ServedModel
) -> None:
    gate = threading.Event()

    def slow(_: object) -> None:
        gate.wait(20)

    kept = Kept(model, None)
    server.answer = lambda request: slow(request) or brain(request)  # type: ignore[func-returns-value]
    replies: list[ChatReply] = []
    threads = [threading.Thread(target=lambda: replies.append(kept.chat(ASKED))) for _ in range(5)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert len({r.text for r in replies}) == 1
    assert len(brain.asked) + sum(r.kept for r in replies) == 5


def test_of_a_batch_each_different_request_is_sent_once(
    brain: Brain, connect: Callable[..., ServedModel], tmp_path: Path
) -> None:
    kept = Kept(connect(), tmp_path)
    other = ChatRequest((user("Another."),), 8)
    replies = kept.chat_all([ASKED, other, ASKED, ASKED])
    told = [r.kept for r in replies if isinstance(r, ChatReply)]
    assert told == [False, False, True, True]
    assert len(brain.asked) == 2
    assert all(r.kept for r in kept.chat_all([other, ASKED]) if isinstance(r, ChatReply))
