"""A server that misbehaves in every way: each gives an error that names its kind, never a reply."""

from __future__ import annotations

import base64
import io
import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import av
import pytest

from evals.bench.modelserver import ModelServer, Reply, chat_body
from tests.brain import Brain
from tests.models.conftest import QUICK
from tools.backends.served.client import ServedModel, parse_address
from tools.backends.served.patience import Breaker, Gate, Patience
from tools.backends.served.wire import retry_after
from tools.errors import BackendError, BudgetSpent, UserError
from tools.models.asking import ask_grade, ask_json
from tools.models.chat import ChatRequest, user
from tools.models.spending import Purse, tallied

ASKED = ChatRequest((user("What is seen?"),), 8, purpose="look")
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["n"],
    "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 9}},
}
Connect = Callable[..., ServedModel]


def refused(status: int, said: str = "no", **headers: str) -> Reply:
    return Reply({"error": {"message": said}}, status, headers)


ONCE = {
    "denied": refused(401, "bad key"),
    "unknown_model": refused(404, "The model does not exist."),
    "too_large": refused(413, "request too large"),
    "rejected": refused(400, "unknown parameter"),
    "refusal": Reply(chat_body(None, refusal="I cannot look at people.")),
    "length": Reply(chat_body(None, finish="length")),
}
"""Fault → an answer that comes back with the same request, so that it is sent once."""
EVERY_TIME = {
    "busy": refused(429, "slow down"),
    "server": refused(500, "CUDA out of memory"),
    "cut": Reply(chat_body("A person walks."), cut=40),
    "timeout": Reply(chat_body("late"), delay=9.0),
}
"""Fault → an answer worth another try."""


def waiting(fault: str) -> Patience:
    """Patience that a late answer outlasts, and nothing else does."""
    return Patience(read_s=0.4 if fault == "timeout" else 30.0, tries=3, first_wait_s=0.01)


@pytest.mark.parametrize("fault", sorted(ONCE))
def test_what_cannot_pass_is_sent_once_and_named(
    fault: str, brain: Brain, model: ServedModel
) -> None:
    brain.always = lambda _: ONCE[fault]
    with pytest.raises(BackendError) as caught:
        model.chat(ASKED)
    assert caught.value.fault == fault
    assert not caught.value.passing
    assert len(brain.asked) == 1


@pytest.mark.parametrize("fault", sorted(EVERY_TIME))
def test_what_may_pass_is_tried_again_and_then_named(
    fault: str, brain: Brain, connect: Connect
) -> None:
    model = connect(patience=waiting(fault))
    brain.always = lambda _: EVERY_TIME[fault]
    with pytest.raises(BackendError) as caught:
        model.chat(ASKED)
    assert caught.value.fault == fault
    assert caught.value.passing
    assert len(brain.asked) == 3


@pytest.mark.parametrize("fault", sorted(EVERY_TIME))
def test_a_bad_moment_costs_no_reply(fault: str, brain: Brain, connect: Connect) -> None:
    model = connect(patience=waiting(fault))
    brain.faults = [EVERY_TIME[fault]]
    assert model.chat(ASKED).text.startswith("Hello")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"choices": []}, "empty"),
        (chat_body(""), "empty"),
        ({"choices": [{"message": None}]}, "empty"),
        ({"object": "list"}, "failed"),
        (b"<html>It works!</html>", "failed"),
        ([], "failed"),
        (chat_body(None, finish="content_filter"), "refusal"),
        (chat_body("7", chances=[{"7": 3.0}]), "off_scale"),
        (b'{"choices": [{"message": {"content": "7"}, "logprobs": {"content": [{"token": "7", '
         b'"logprob": NaN}]}}]}', "off_scale"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_answer(
    body: object, fault: str, brain: Brain, model: ServedModel
) -> None:
    brain.always = lambda _: Reply(body)
    with pytest.raises(BackendError) as caught:
        model.chat(ASKED)
    assert caught.value.fault == fault


def test_a_dead_server_is_named_with_a_remedy(server: ModelServer, model: ServedModel) -> None:
    server.stop()
    with pytest.raises(BackendError, match="cannot be reached") as caught:
        model.chat(ASKED)
    assert caught.value.fault == "unreachable"
    assert "address" in caught.value.remedy


def test_a_prompt_beyond_the_context_is_too_large(brain: Brain, model: ServedModel) -> None:
    said = "This model's maximum context length is 2048 tokens."
    brain.always = lambda _: refused(400, said)
    with pytest.raises(BackendError, match="2048") as caught:
        model.chat(ASKED)
    assert caught.value.fault == "too_large"


# ---------------------------------------------------------------- replies that a schema refuses


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("I see a person.", "not_json"),
        ('{"n": 12}', "off_scale"),
        ('{"m": 1}', "schema"),
        ('{"n": 1} or {"n": 2}', "unclear"),
        ("walks and walks and " * 40, "runaway"),
    ],
)
def test_a_reply_that_stays_wrong_is_refused_after_one_repair(
    text: str, fault: str, brain: Brain, model: ServedModel
) -> None:
    brain.always = lambda _: Reply(chat_body(text))
    with pytest.raises(BackendError) as caught:
        ask_json(model, (user("How many?"),), SCHEMA, max_tokens=20, purpose="look")
    assert caught.value.fault == fault
    assert len(brain.asked) == 2


def test_a_reply_is_repaired_once_and_told_what_was_wrong(brain: Brain, model: ServedModel) -> None:
    brain.faults = [Reply(chat_body('{"n": 12}'))]
    brain.always = lambda r: Reply(chat_body('{"n": 3}')) if "cannot be used" in str(r) else None
    told = ask_json(model, (user("How many?"),), SCHEMA, max_tokens=20, purpose="look")
    assert told.value == {"n": 3}
    assert "12" in told.note


def test_a_reply_cut_at_its_last_token_is_no_json(brain: Brain, model: ServedModel) -> None:
    brain.always = lambda _: Reply(chat_body('{"n": ', finish="length"))
    with pytest.raises(BackendError) as caught:
        ask_json(model, (user("How many?"),), SCHEMA, max_tokens=2, purpose="look", repairs=0)
    assert caught.value.fault == "length"


@pytest.mark.parametrize("text", ["11", "-1", "high", "8 or 9"])
def test_an_answer_off_the_scale_is_refused(text: str, brain: Brain, model: ServedModel) -> None:
    brain.always = lambda _: Reply(chat_body(text))
    with pytest.raises(BackendError) as caught:
        ask_grade(model, (user("How clearly?"),), purpose="judge")
    assert caught.value.fault == "off_scale"


# ---------------------------------------------------------------- patience


def test_retry_after_is_waited_for(brain: Brain, model: ServedModel) -> None:
    brain.faults = [refused(429, **{"Retry-After": "0.3"})]
    begun = time.monotonic()
    model.chat(ASKED)
    assert time.monotonic() - begun >= 0.3


def test_a_server_that_asks_for_too_long_a_wait_is_given_up(
    brain: Brain, model: ServedModel
) -> None:
    brain.faults = [refused(429, **{"Retry-After": "3600"})]
    with pytest.raises(BackendError) as caught:
        model.chat(ASKED)
    assert (caught.value.fault, len(brain.asked)) == ("busy", 1)
    assert "3600 s" in caught.value.remedy


def test_retry_after_may_be_a_date() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    waited = retry_after(in_a_minute)
    assert waited is not None
    assert 50 < waited <= 60
    assert retry_after("soon") is None
    assert retry_after(None) is None


def test_waits_double_are_jittered_and_end() -> None:
    patience = Patience(tries=4, first_wait_s=1.0, longest_wait_s=3.0)
    assert [patience.wait(n, None, lambda: 1.0) for n in (1, 2, 3, 4)] == [1.0, 2.0, 3.0, None]
    assert patience.wait(1, None, lambda: 0.0) == 0.5
    assert patience.wait(1, 2.0, lambda: 0.0) == 2.05


def test_a_dead_server_is_left_alone(brain: Brain, connect: Connect) -> None:
    model = connect(patience=Patience(tries=1, failures=2, pause_s=60))
    brain.always = lambda _: refused(503)
    for _ in range(2):
        with pytest.raises(BackendError, match="503"):
            model.chat(ASKED)
    with pytest.raises(BackendError) as caught:
        model.chat(ASKED)
    assert caught.value.fault == "paused"
    assert len(brain.asked) == 2


def test_the_breaker_does_not_mind_requests_that_are_refused(
    brain: Brain, connect: Connect
) -> None:
    model = connect(patience=Patience(tries=1, failures=2))
    brain.always = lambda _: refused(400)
    for _ in range(5):
        with pytest.raises(BackendError, match="400"):
            model.chat(ASKED)


def test_after_the_pause_one_call_tries_the_server_for_all() -> None:
    now = 0.0
    breaker = Breaker("it", Patience(failures=1, pause_s=10), lambda: now)
    breaker.told(BackendError("it is on fire", fault="server"))
    now = 11.0
    breaker.check()
    with pytest.raises(BackendError, match=r"left alone.*on fire"):
        breaker.check()
    breaker.told(None)
    breaker.check()


def test_a_busy_server_gets_fewer_calls_at_once_and_slowly_more() -> None:
    gate = Gate(16)
    gate.busy()
    gate.busy()
    assert gate.limit == 4
    for _ in range(200):
        gate.fine()
    assert gate.limit == 16


def test_no_more_calls_run_at_once_than_allowed(server: ModelServer, connect: Connect) -> None:
    server.latency = 0.02
    model = connect(parallel=4)
    replies = model.chat_all([ChatRequest((user(str(n)),), 8) for n in range(24)])
    assert all(not isinstance(r, BackendError) for r in replies)
    assert server.most_in_flight == 4


def test_replies_come_in_the_order_of_the_requests_and_failures_in_their_place(
    brain: Brain, model: ServedModel
) -> None:
    def echo(request: dict[str, object]) -> Reply:
        text = str(request["messages"][0]["content"])  # type: ignore[index]
        return refused(400) if text == "3" else Reply(chat_body(text))

    brain.always = echo
    replies = model.chat_all([ChatRequest((user(str(n)),), 8) for n in range(8)])
    told = [r.fault if isinstance(r, BackendError) else r.text for r in replies]
    assert told == ["0", "1", "2", "rejected", "4", "5", "6", "7"]


# ---------------------------------------------------------------- spending and secrets


def test_calls_are_counted_as_the_server_counts_them(
    server: ModelServer, brain: Brain, model: ServedModel
) -> None:
    purse = Purse()
    brain.faults = [Reply(chat_body(None, refusal="no words for this")), refused(429)]
    with tallied(purse) as tally:
        with pytest.raises(BackendError):
            model.chat(ASKED)
        model.chat_all([ASKED] * 5)
    assert purse.tokens == server.prompt_tokens + server.generated_tokens
    assert sum(c.prompt for c in tally.calls) == server.prompt_tokens
    assert [c.fault for c in tally.calls].count("refusal") == 1
    assert sorted(c.tries for c in tally.calls) == [1, 1, 1, 1, 1, 2]


def test_the_bound_on_calls_holds_however_many_run_at_once(
    brain: Brain, model: ServedModel
) -> None:
    purse = Purse()
    purse.max_calls = 7
    with tallied(purse), pytest.raises(BudgetSpent, match="7 model calls"):
        model.chat_all([ASKED] * 20)
    assert len(brain.asked) <= 7


def test_the_bound_on_tokens_ends_the_spending(model: ServedModel) -> None:
    purse = Purse()
    purse.max_tokens = 10  # fewer than one call costs
    with tallied(purse):
        model.chat(ASKED)
        with pytest.raises(BudgetSpent, match="10 model tokens"):
            model.chat(ASKED)


def test_the_key_is_sent_and_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("VIDOCQ_MODEL_KEY", "s3cret-key")
    brain = Brain()
    with ModelServer(brain, key="s3cret-key") as server:
        good = ServedModel("tiny", server.url, patience=QUICK)
        assert good.chat(ASKED).text
        bad = ServedModel("tiny", server.url, patience=QUICK, key="wr0ng-key")
        with pytest.raises(BackendError) as caught:
            bad.chat(ASKED)
        shown = f"{caplog.text} {caught.value} {good!r} {vars(good)!r} {bad.name}"
        good.close()
        bad.close()
    assert "s3cret" not in shown
    assert "wr0ng" not in shown


def test_the_key_of_openai_goes_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, server: ModelServer, brain: Brain
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    server.key = "sk-mine"
    model = ServedModel("tiny", server.url, patience=QUICK)
    with pytest.raises(BackendError) as caught:
        model.chat(ASKED)
    model.close()
    assert caught.value.fault == "denied"


@pytest.mark.parametrize(
    "text",
    ["tiny", "tiny@", "@http://h/v1", "tiny@ftp://h/v1", "tiny@h:80/v1", "a@http://u:p@h/v1"],
)
def test_an_address_that_is_none_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_address(text)
    assert caught.value.remedy


def test_an_address_is_split_at_its_last_at() -> None:
    assert parse_address("org/m@rev@http://h:8000/v1/") == ("org/m@rev", "http://h:8000/v1")


# ---------------------------------------------------------------- what a server can do


@pytest.mark.parametrize(
    "missing",
    [frozenset(), *({m} for m in ("logprobs", "json_schema", "choice", "images", "video"))],
)
def test_capabilities_are_found_by_trying(
    missing: frozenset[str], brain: Brain, connect: Connect
) -> None:
    brain.able = brain.able - frozenset(missing)
    able = connect().capabilities
    assert (able.context, able.version) == (2048, "0.0-loopback")
    found = {
        "logprobs": able.logprobs > 0,
        "json_schema": able.json_schema,
        "choice": able.choice,
        "images": able.images > 0,
        "video": able.video,
    }
    assert {name for name, there in found.items() if not there} == set(missing)
    assert able.prefix_cache


def test_a_model_that_says_nothing_unasked_is_found_out_all_the_same(
    brain: Brain, server: ModelServer, connect: Connect
) -> None:
    def silent(request: dict[str, object]) -> Reply:
        closed = {"structured_outputs", "response_format", "logprobs"} & set(request)
        return brain(request) if closed else Reply(chat_body(""))

    server.answer = silent
    able = connect().capabilities
    assert (able.choice, able.json_schema, able.images > 0, able.video) == (True,) * 4


def film_sent(request: dict[str, object]) -> str:
    """The address of the film in a request; empty for none."""
    content = request["messages"][0]["content"]  # type: ignore[index]
    parts = [] if isinstance(content, str) else content
    return next((p["video_url"]["url"] for p in parts if p["type"] == "video_url"), "")


def test_a_server_is_asked_for_video_with_a_film_that_can_be_played(
    server: ModelServer, connect: Connect
) -> None:
    assert connect().capabilities.video is True
    (url,) = filter(None, map(film_sent, server.requests))
    head, _, data = url.partition(",")
    assert head == "data:video/mp4;base64"
    with av.open(io.BytesIO(base64.b64decode(data, validate=True))) as film:
        shown = [f.to_ndarray(format="gray") for f in film.decode(video=0)]
    assert [s.shape for s in shown] == [(64, 64)] * 8
    assert len({s.tobytes() for s in shown}) == 8  # it moves


@pytest.mark.parametrize(
    ("reply", "found", "tries"),
    [
        (refused(400, "this model takes no video"), False, 1),
        (refused(422, "unknown content type video_url"), False, 1),
        (refused(500, "unsupported content[].type"), False, 1),
        (Reply(chat_body("Hello!") | {"usage": {"prompt_tokens": 2}}), False, 1),  # left out
        (Reply(chat_body("")), True, 1),  # taken, and nothing said to it
        (Reply(b"<html>It works!</html>"), None, 1),
        (refused(429, "slow down"), None, 1),
        (Reply(chat_body("Hello!"), cut=40), None, 1),
        (Reply(chat_body("late"), delay=9.0), None, 1),
    ],
)
def test_what_a_server_makes_of_a_film(
    reply: Reply, found: bool | None, tries: int, brain: Brain, server: ModelServer,
    connect: Connect,
) -> None:  # fmt: skip
    server.answer = lambda request: reply if film_sent(request) else brain(request)
    able = connect(patience=Patience(read_s=1.0, tries=3, first_wait_s=0.01)).capabilities
    assert able.video is found
    assert (able.images > 0, able.choice) == (True, True)  # the rest is found out all the same
    assert sum(bool(film_sent(r)) for r in server.requests) == tries


def test_pictures_that_a_server_leaves_out_are_not_seen(
    brain: Brain, server: ModelServer, connect: Connect
) -> None:
    def blind(request: dict[str, Any]) -> Reply:
        content = request["messages"][0]["content"]
        if isinstance(content, str):
            return brain(request)
        return Reply(chat_body("Hello!") | {"usage": {"prompt_tokens": 2}})

    server.answer = blind
    able = connect().capabilities
    assert (able.images, able.video) == (0, False)


# ---------------------------------------------------------------- models that think aloud


def thinking(asked: dict[str, Any], *, apart: bool) -> Reply | None:
    """What a model that thinks first answers to a few tokens; None where it is told not to."""
    if asked.get("chat_template_kwargs", {}).get("enable_thinking") is False:
        return None
    thought = "Okay, the user"
    if apart:  # as behind vLLM's --reasoning-parser
        return Reply(chat_body(None, finish="length", reasoning=thought))
    return Reply(chat_body(f"<think>\n{thought}", finish="length"))


@pytest.mark.parametrize("apart", [True, False])
def test_a_model_that_can_be_told_not_to_think_gives_verdicts_of_one_token(
    apart: bool, brain: Brain, server: ModelServer, connect: Connect
) -> None:
    server.answer = lambda request: thinking(request, apart=apart) or brain(request)
    model = connect()
    assert not model.capabilities.thinks
    graded = ask_grade(model, (user("How clearly?"),), purpose="judge")
    assert (graded.doubt, graded.written) == ("", False)
    assert brain.asked[0]["max_tokens"] == 1
    assert brain.asked[0]["chat_template_kwargs"]["thinking"] is False


@pytest.mark.parametrize("apart", [True, False])
def test_a_model_that_thinks_all_the_same_is_refused_as_a_judge(
    apart: bool, brain: Brain, server: ModelServer, connect: Connect
) -> None:
    server.answer = lambda request: thinking({}, apart=apart) or brain(request)
    model = connect()
    assert model.capabilities.thinks
    with pytest.raises(BackendError, match="thinks aloud") as caught:
        ask_grade(model, (user("How clearly?"),), purpose="judge")
    assert (caught.value.fault, caught.value.passing) == ("incapable", False)
    assert "instruct" in caught.value.remedy
    assert not brain.asked


def test_a_server_that_knows_no_such_switch_is_not_sent_it(brain: Brain, connect: Connect) -> None:
    brain.able = brain.able - {"plainly"}
    model = connect()
    assert (model.capabilities.choice, model.capabilities.thinks) == (True, False)
    ask_grade(model, (user("How clearly?"),), purpose="judge")
    assert "chat_template_kwargs" not in brain.asked[0]


def test_a_server_that_wants_the_newer_names_is_sent_those(brain: Brain, connect: Connect) -> None:
    brain.able = (brain.able - {"plainly"}) | {"newer"}
    model = connect()
    assert model.capabilities.choice
    ask_grade(model, (user("How clearly?"),), purpose="judge")
    asked = brain.asked[0]
    assert asked["max_completion_tokens"] == 1
    assert {"max_tokens", "temperature", "seed", "chat_template_kwargs"}.isdisjoint(asked)


def test_tokens_that_end_among_the_thoughts_are_named(brain: Brain, model: ServedModel) -> None:
    brain.always = lambda _: Reply(chat_body(None, finish="length", reasoning="Let me see"))
    with pytest.raises(BackendError, match="still thinking") as caught:
        model.chat(ASKED)
    assert (caught.value.fault, len(brain.asked)) == ("thinking", 1)


def test_chances_of_thoughts_are_no_chances_of_the_answer(brain: Brain, model: ServedModel) -> None:
    told = [{"9": -0.1}, {"</think>": -0.1}, {"2": -0.1}]
    brain.always = lambda _: Reply(chat_body("2", chances=told, reasoning="9"))
    graded = ask_grade(model, (user("How clearly?"),), purpose="judge")
    assert (round(9 * graded.value), graded.written) == (2, True)


def test_a_model_that_is_not_served_is_named_with_those_that_are(
    server: ModelServer, connect: Connect
) -> None:
    server.model = "other"
    with pytest.raises(BackendError, match="it serves other") as caught:
        _ = connect().capabilities
    assert caught.value.fault == "unknown_model"


def test_calls_of_several_threads_find_out_once(server: ModelServer, connect: Connect) -> None:
    model = connect()
    threads = [threading.Thread(target=lambda: model.capabilities) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = len(server.requests)
    _ = connect().capabilities
    assert len(server.requests) in {2 * alone - 1, 2 * alone}  # what is cached, one may spare


def test_pictures_go_as_jpeg_and_texts_stay_texts(brain: Brain, model: ServedModel) -> None:
    from tools.models.chat import Picture

    model.chat(ChatRequest((user("before", Picture(b"\xff\xd8jpeg"), "after"),), 8))
    parts = brain.asked[0]["messages"][0]["content"]
    assert [p["type"] for p in parts] == ["text", "image_url", "text"]
    assert parts[1]["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert json.dumps(parts)
