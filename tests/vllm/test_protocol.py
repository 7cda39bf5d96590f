"""What vLLM makes of our requests: chat, probabilities, JSON, choices, pictures, 16 at once."""

from __future__ import annotations

import pytest

from tests.tinymodels import CONTEXT, SCHEMA, picture
from tests.vllm.server import NAME, VllmServer
from tools.backends.served.client import ServedModel
from tools.backends.served.wire import Dialect, body_of, reply_of, usage_of
from tools.errors import BackendError
from tools.models.asking import ask_grade, ask_json, grade_request
from tools.models.chances import DIGITS, UNTOLD
from tools.models.chat import ChatReply, ChatRequest, Picture, user

HOW = (user("How clearly does the event break a rule? Answer with one digit."),)


def test_capabilities_are_found_by_trying(reads: ServedModel, sees: ServedModel) -> None:
    for model, images in ((reads, 0), (sees, 8)):
        able = model.capabilities
        assert (able.logprobs, able.json_schema, able.choice) == (20, True, True)
        assert (able.images, able.context) == (images, CONTEXT)
        assert able.prefix_cache
        assert able.video is False  # vLLM refuses what its model does not take
        assert not able.thinks
        assert able.version


def test_chat_counts_its_tokens_as_the_server_does(
    reads: ServedModel, servers: dict[str, VllmServer]
) -> None:
    before = servers["reads"].metrics()
    reply = reads.chat(ChatRequest(HOW, 12))
    after = servers["reads"].metrics()
    assert reply.text
    assert reply.usage.prompt == after["prompt_tokens"] - before["prompt_tokens"]
    assert reply.usage.generated == after["generation_tokens"] - before["generation_tokens"]


def test_a_verdict_is_one_token_near_one_half_without_an_opinion(reads: ServedModel) -> None:
    reply = reads.chat(grade_request(reads, HOW, purpose="judge"))
    assert reply.usage.generated == 1
    assert reply.text in {*DIGITS, UNTOLD}
    graded = ask_grade(reads, HOW, purpose="judge")
    assert graded.value == pytest.approx(0.5, abs=0.06)
    assert graded.entropy > 0.97
    assert graded.doubt
    assert not graded.written


def test_a_model_that_is_not_told_not_to_think_has_no_answer_in_one_token(
    reads: ServedModel, servers: dict[str, VllmServer]
) -> None:
    asked = grade_request(reads, HOW, purpose="judge")
    plain = body_of(asked, NAME, Dialect(choice="structured_outputs"))
    told = body_of(asked, NAME, Dialect(choice="structured_outputs", plainly=True))
    prompt = usage_of(servers["reads"].chat(plain)).prompt
    assert usage_of(servers["reads"].chat(told)).prompt > prompt  # an empty thought is added
    with pytest.raises(BackendError) as caught:
        reply_of(servers["reads"].chat(plain), 0.0)
    assert caught.value.fault == "thinking"
    assert reply_of(servers["reads"].chat(told), 0.0).text in {*DIGITS, UNTOLD}


def test_json_holds_to_its_schema(reads: ServedModel, sees: ServedModel) -> None:
    for model in (reads, sees):
        told = ask_json(model, HOW, SCHEMA, max_tokens=120, purpose="ask", repairs=0)
        assert set(told.value) == {"seen", "count", "sure"}
        # xgrammar lets control characters into texts, which strict JSON does not.
        assert told.note in {"", "broken JSON repaired"}


def test_a_choice_is_one_of_those_given(reads: ServedModel) -> None:
    choices = ("walks", "rides", "stands")
    assert reads.chat(ChatRequest(HOW, 8, choices=choices)).text in choices


def test_pictures_are_seen(sees: ServedModel) -> None:
    def told(*pictures: Picture) -> ChatReply:
        return sees.chat(ChatRequest((user("Look: ", *pictures, "what?"),), 1, chances=5))

    one, two = told(picture(20)), told(picture(20), picture(230))
    assert two.usage.prompt > one.usage.prompt
    assert told(picture(230)).tokens[0].top != one.tokens[0].top


def test_a_model_without_eyes_refuses_pictures(reads: ServedModel) -> None:
    with pytest.raises(BackendError) as caught:
        reads.chat(ChatRequest((user(picture(20), "what?"),), 1))
    assert not caught.value.passing


def test_a_prompt_too_long_is_a_fault(reads: ServedModel) -> None:
    with pytest.raises(BackendError) as caught:
        reads.chat(ChatRequest((user("walk " * CONTEXT),), 4))
    assert caught.value.fault in {"too_large", "rejected"}


def test_sixteen_at_once_answer_as_one_by_one(reads: ServedModel) -> None:
    asked = [ChatRequest((user(f"What is number {n}?"),), 8) for n in range(16)]
    together = reads.chat_all(asked)
    assert [r.text for r in together if isinstance(r, ChatReply)] == [
        reads.chat(request).text for request in asked
    ]
