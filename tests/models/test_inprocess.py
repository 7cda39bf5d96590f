"""A model in this process: batches, constraints, probabilities, and what goes wrong."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from prompts import load
from tests.tinymodels import CONTEXT, SCHEMA, picture, text_model, vision_model
from tools.backends.inprocess.loading import located
from tools.backends.inprocess.model import TransformersChat
from tools.errors import BackendError, BudgetSpent, UserError
from tools.models.asking import ask_grade, ask_json, grade_request
from tools.models.chances import DIGITS, UNTOLD
from tools.models.chat import ChatReply, ChatRequest, user
from tools.models.spending import Purse, tallied

HOW = (user("How clearly does it break a rule?"),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return text_model(tmp_path_factory.mktemp("models") / "reads")


@pytest.fixture(scope="module")
def reads(folder: Path) -> TransformersChat:
    return TransformersChat(str(folder), device="cpu")


@pytest.fixture(scope="module")
def sees(tmp_path_factory: pytest.TempPathFactory) -> TransformersChat:
    folder = vision_model(tmp_path_factory.mktemp("models") / "sees")
    return TransformersChat(str(folder), device="cpu")


def fault(call: Callable[[], object]) -> str:
    with pytest.raises(BackendError) as caught:
        call()
    return caught.value.fault


def test_random_weights_give_a_score_near_one_half_and_no_opinion(reads: TransformersChat) -> None:
    graded = ask_grade(reads, HOW, purpose="judge")
    assert graded.value == pytest.approx(0.5, abs=0.05)
    assert graded.entropy > 0.98
    assert len(graded.chances) == len(DIGITS)
    assert graded.doubt
    assert not graded.written


def test_probabilities_are_the_models_own_before_the_constraint(reads: TransformersChat) -> None:
    request = grade_request(reads, HOW, purpose="judge")
    held = reads.chat(request).tokens[0]
    free = reads.chat(replace(request, choices=None)).tokens[0]
    assert {*DIGITS, UNTOLD} <= {token for token, _ in held.top}
    assert set(free.top) <= set(held.top)
    assert free.logprob == max(logprob for _, logprob in held.top)


def test_one_verdict_is_one_token(reads: TransformersChat) -> None:
    reply = reads.chat(grade_request(reads, HOW, purpose="judge"))
    assert (reply.usage.generated, reply.finish) == (1, "stop")
    assert reply.text in {*DIGITS, UNTOLD}


def test_json_holds_to_its_schema(reads: TransformersChat, sees: TransformersChat) -> None:
    for model in (reads, sees):
        told = ask_json(model, HOW, SCHEMA, max_tokens=80, purpose="ask", repairs=0)
        assert told.note == ""
        assert set(told.value) == {"seen", "count", "sure"}


def test_a_choice_may_begin_like_another(reads: TransformersChat) -> None:
    choices = ("1", "10", "walk", "walking")
    for seed in range(6):
        request = ChatRequest(HOW, 8, choices=choices, temperature=2.0, seed=seed)
        reply = reads.chat(request)
        assert reply.text in choices
        assert reply.finish == "stop"


def test_a_draw_depends_on_its_seed_alone(reads: TransformersChat) -> None:
    request = ChatRequest(HOW, 12, temperature=1.0, seed=1)
    texts = [r.text for r in reads.chat_all([request, replace(request, seed=2), request])]
    assert texts[0] == texts[2] == reads.chat(request).text
    assert texts[0] != texts[1]


def test_a_batch_answers_as_one_by_one(sees: TransformersChat) -> None:
    asked = [
        ChatRequest((user("Look: ", *[picture(60 * n)] * n, f"what is it? {n}"),), 6, chances=2)
        for n in (1, 2, 1, 3)
    ]
    together = sees.chat_all(asked)
    alone = [sees.chat(request) for request in asked]
    for one, other in zip(together, alone, strict=True):
        assert isinstance(one, ChatReply)
        assert (one.text, one.finish, one.usage) == (other.text, other.finish, other.usage)
        for a, b in zip(one.tokens, other.tokens, strict=True):
            assert a.logprob == pytest.approx(b.logprob, abs=2e-3)


def test_pictures_change_what_is_told(sees: TransformersChat) -> None:
    def told(shade: int) -> float:
        return (
            sees.chat(ChatRequest((user(picture(shade), "what?"),), 1, chances=1)).tokens[0].logprob
        )

    assert told(10) == told(10)
    assert told(10) != told(240)
    few = sees.chat(ChatRequest((user(picture(9), "what?"),), 1)).usage.prompt
    more = sees.chat(ChatRequest((user(picture(9), picture(9), "what?"),), 1)).usage.prompt
    assert more > few


def test_requests_of_many_threads_run_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = TransformersChat(str(folder), device="cpu", batch=16)
    requests = [ChatRequest((user(f"what is number {n}?"),), 5) for n in range(16)]
    alone = [model.chat(request).text for request in requests]
    sizes: list[int] = []
    run = model._run

    def counted(jobs: list[object]) -> None:
        sizes.append(len(jobs))
        run(jobs)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "_run", counted)
    with ThreadPoolExecutor(16) as pool:
        with model._running:  # somebody else has the turn
            asked = [pool.submit(model.chat, request) for request in requests]
            while len(model._waiting) < len(requests):
                time.sleep(0.001)
        replies = [future.result().text for future in asked]
    assert replies == alone
    assert sizes == [16]


def test_tokens_are_counted_and_bounded(reads: TransformersChat) -> None:
    purse = Purse()
    purse.max_calls = 2
    with tallied(purse) as tally:
        reply = reads.chat(ChatRequest(HOW, 4, purpose="judge"))
        reads.chat(ChatRequest(HOW, 4, purpose="judge"))
        with pytest.raises(BudgetSpent):
            reads.chat(ChatRequest(HOW, 4, purpose="judge"))
    assert [c.generated for c in tally.calls] == [4, 4]
    assert tally.calls[0].prompt == reply.usage.prompt > 0
    assert purse.tokens == 2 * (reply.usage.prompt + 4)


def test_what_it_cannot_do_is_a_stated_fault(
    reads: TransformersChat, sees: TransformersChat
) -> None:
    looked = ChatRequest((user(picture(9), "what?"),), 4)
    assert fault(lambda: reads.chat(looked)) == "incapable"
    long = ChatRequest((user("walk " * CONTEXT),), 4)
    assert fault(lambda: reads.chat(long)) == "too_large"
    broken = ChatRequest(HOW, 4, schema={"type": "no such type"})
    assert fault(lambda: reads.chat(broken)) == "rejected"
    many = ChatRequest((user(*[picture(9)] * 17),), 4)
    assert fault(lambda: sees.chat(many)) == "too_large"
    mixed = reads.chat_all([long, ChatRequest(HOW, 2), looked])
    assert [isinstance(reply, ChatReply) for reply in mixed] == [False, True, False]


def test_every_prompt_of_ours_can_be_held_to(sees: TransformersChat) -> None:
    schemas = {n: load(n).output for n in ("describe", "ask", "plan", "questions", "weigh")}
    for name, schema in schemas.items():
        assert sees._matcher(ChatRequest(HOW, 4, schema=schema)) is not None, name


def test_the_name_tells_weights_apart_and_no_path(folder: Path, tmp_path: Path) -> None:
    name = TransformersChat(str(folder)).name
    assert str(folder.parent) not in name
    assert TransformersChat(str(shutil.copytree(folder, tmp_path / folder.name))).name == name
    other = text_model(tmp_path / "other" / folder.name, seed=1)
    assert TransformersChat(str(other)).name != name


def test_a_folder_without_a_model_is_the_users_error(folder: Path, tmp_path: Path) -> None:
    for given, match in {
        str(tmp_path / "none"): "no such folder",
        "./none": "no such folder",
        "": "needs a model",
        str(tmp_path): "config.json",
    }.items():
        with pytest.raises(UserError, match=match):
            TransformersChat(given)
    bare = shutil.copytree(folder, tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no weights"):
        TransformersChat(str(bare))
    assert located("owner/name") is None


def test_a_model_that_cannot_be_asked_is_the_users_error(folder: Path, tmp_path: Path) -> None:
    mute = shutil.copytree(folder, tmp_path / "mute")
    (mute / "chat_template.jinja").unlink()
    with pytest.raises(UserError, match="no chat template"):
        TransformersChat(str(mute), device="cpu").chat(ChatRequest(HOW, 2))
    odd = shutil.copytree(folder, tmp_path / "odd")
    told = json.loads((odd / "config.json").read_text())
    (odd / "config.json").write_text(json.dumps(told | {"model_type": "unheard-of"}))
    with pytest.raises(UserError, match="no model can be loaded"):
        TransformersChat(str(odd), device="cpu").chat(ChatRequest(HOW, 2))
    with pytest.raises(UserError, match="cannot run on"):
        TransformersChat(str(folder), device="cuda:7").chat(ChatRequest(HOW, 2))


def test_a_name_of_the_hub_is_asked_for_there_and_nowhere_else() -> None:
    with pytest.raises(UserError, match="owner/name: no model can be loaded"):
        TransformersChat("owner/name", device="cpu").chat(ChatRequest(HOW, 2))
