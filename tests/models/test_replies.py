"""Replies: the verdict a careful reader finds, or a refusal of a stated kind; no third way."""

import json
import random

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.bench.replies import DAMAGE, SCHEMAS, broken, recorded, table
from tools.errors import BackendError
from tools.models.replies import parsed, runs_away

FLAG = SCHEMAS["vila-13b/few"]
TWO = SCHEMAS["internVL2-2B/binary"]
MANY = SCHEMAS["internVL2-2B/classification"]
DIGIT = {"type": "string", "enum": list("0123456789")}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
ANSWER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["answer", "visible"],
    "properties": {
        "answer": {"type": "string", "maxLength": 200},
        "visible": {"type": "boolean"},
    },
}
LIST = {
    "type": "object",
    "required": ["rules"],
    "properties": {
        "rules": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["kind", "text"],
                "properties": {
                    "kind": {"enum": ["normal", "anomalous"]},
                    "text": {"type": "string"},
                },
            },
        }
    },
}
LONG = "She picks up the package and sets it down. " * 12


def read(text, schema):
    """The verdict of a reply, or the fault it is refused for."""
    try:
        value, _ = parsed(text, schema)
    except BackendError as error:
        return error.fault
    return value[schema["required"][0]] if isinstance(value, dict) else value


@pytest.mark.parametrize(
    ("schema", "text", "verdict"),
    [
        (FLAG, '{"anomaly": 1}', 1),
        (FLAG, '```json\n{"reasoning": "calm", "anomaly": 0}\n```', 0),
        (FLAG, 'Here it is:\n```json\n{"anomaly": 0}\n```\nLet me know!', 0),
        (FLAG, '```\n{"anomaly": 0}', 0),
        (FLAG, '{"video_description": "a"\n"reasoning": "b"\n"anomaly": 0}', 0),
        (FLAG, '{"reasoning": "He said "stop" and left", "anomaly": 1}', 1),
        (FLAG, '{"reasoning": “calm”, "anomaly": 1,}', 1),
        (FLAG, "{'anomaly': True, 'reasoning': 'a ladder'}", 1),
        (FLAG, '{"reasoning": "two\nlines", "anomaly": 1}}', 1),
        (FLAG, '{"Anomaly": "1"}', 1),
        (FLAG, '[{"anomaly": 1.0}]', 1),
        (FLAG, '{anomaly: 1}', 1),
        (FLAG, '{"anomaly": 1, "reasoning": "the man is', 1),
        (FLAG, '{"anomaly": 0}\n{"anomaly": 0}', 0),
        (FLAG, "anomaly: 1", 1),
        (FLAG, "1", 1),
        (FLAG, '{"anomaly": "No"}', 0),
        (FLAG, "**Reasoning:** the anomaly is that he runs.\n**Anomaly:** 1", 1),
        (TWO, "The category is normal because people walk.", "normal"),
        (TWO, 'category": "Normal"}', "normal"),
        (TWO, '{"category": Normal}', "normal"),
        (TWO, '{"category": "Normal"', "normal"),
        (TWO, "**Category:** Abnormal\nA fight breaks out.", "abnormal"),
        (TWO, "The category is abnormal.", "abnormal"),
        (MANY, '{"category": "Road_Accident"}', "RoadAccidents"),
        (MANY, '{"category": "FIGHTING", "confidence": "high"}', "Fighting"),
        (DIGIT, " 7\n", "7"),
        (DIGIT, "**7**", "7"),
        (DIGIT, "The answer is 7.", "7"),
        (DIGIT, "7", "7"),
        (SHARE, "It looks calm, at most 0.5, so:\n</think>\n\n[0.3]", 0.3),
        (SHARE, "The rating is [0.2].", 0.2),
        (SHARE, "Score: .5", 0.5),
        (ANSWER, '{"answer": "a man" "visible": "yes"}', "a man"),
        (LIST, '{"rules": [{"kind": "Normal" "text": "People walk"}]}', [
            {"kind": "normal", "text": "People walk"}
        ]),
    ],
)  # fmt: skip
def test_a_clear_reply_is_read(schema, text, verdict):
    found = read(text, schema)
    assert found == verdict
    assert type(found) is type(verdict)


@pytest.mark.parametrize(
    ("schema", "text", "fault"),
    [
        (FLAG, "", "empty"),
        (FLAG, " \n\t", "empty"),
        (FLAG, "I'm sorry, I can't help with that.", "refusal"),
        (FLAG, "A man walks by.", "not_json"),
        (FLAG, '{"video_description": "' + LONG, "runaway"),
        (FLAG, '{"reasoning": "' + LONG + '", "anomaly": 0}', "runaway"),
        (FLAG, '{"video_description": "A man walks', "length"),
        (FLAG, '{"anomaly": 0', "length"),
        (FLAG, '{"anomaly": "1', "unclear"),
        (FLAG, '{"reasoning": "calm"}', "schema"),
        (FLAG, '{"anomaly": }', "off_scale"),
        (FLAG, '{"anomaly": null}', "off_scale"),
        (FLAG, '{"anomaly": 2}', "off_scale"),
        (FLAG, '{"anomaly": 0.5}', "off_scale"),
        (FLAG, '{"anomaly": 0 or 1}', "unclear"),
        (FLAG, '{"anomaly": 1/0}', "off_scale"),
        (FLAG, '{"anomaly": 1, "anomaly": 0}', "unclear"),
        (FLAG, '{"anomaly": 0} {"anomaly": 1}', "unclear"),
        (FLAG, '{"anomaly": 0}\nWait, that is wrong.', "unclear"),
        (FLAG, '{"reasoning": "the "anomaly": 1, "anomaly": 0}', "unclear"),
        (FLAG, '{"anomaly": 1 "inner": {"anomaly": 0}}', "unclear"),
        (FLAG, 'Answer {"anomaly": 0 or 1}: {"anomaly": 1}', "unclear"),
        (TWO, '{"category": "not normal"}', "off_scale"),
        (TWO, '{"category": "normal" or "abnormal"}', "off_scale"),
        (TWO, "The category is not normal.", "unclear"),
        (TWO, "I do not think the category is abnormal.", "unclear"),
        (TWO, "Is the category: normal?", "unclear"),
        (TWO, "Category: abnormal\nCategory: normal", "unclear"),
        (MANY, '{"category": "Traffic jam"}', "off_scale"),
        (MANY, '{"category": "Non-Normal"}', "off_scale"),
        (MANY, '{"category": "Fighting, Assault"}', "off_scale"),
        (DIGIT, "7/10", "not_json"),
        (DIGIT, "Between 3 and 4", "not_json"),
        (DIGIT, "-3", "off_scale"),
        (DIGIT, "10", "off_scale"),
        (DIGIT, "7.5", "off_scale"),
        (SHARE, "[1.3]", "off_scale"),
        (SHARE, "[0.3, 0.4]", "schema"),
        (SHARE, "[0.2] or [0.3]", "unclear"),
        (SHARE, "[0.2]\nNo, the score is 0.9.", "unclear"),
        (DIGIT, "[1] He runs. The answer is 7.", "unclear"),
        (SHARE, "<think> it may be [0.3]", "length"),
        (SHARE, "NaN", "not_json"),
        (SHARE, "1e999", "not_json"),
        (SHARE, "0,3", "not_json"),
        (ANSWER, '{"answer": , "visible": true}', "schema"),
        (ANSWER, '{"answer": "a man", "visible": tr', "length"),
        (LIST, '{"rules": [{"kind": "normal", "text": "People wal', "length"),
        (LIST, "[" * 5000, "runaway"),
    ],
)
def test_a_doubtful_reply_is_refused(schema, text, fault):
    assert read(text, schema) == fault


def test_what_ends_with_the_bound_on_tokens_may_go_on():
    assert parsed("The answer is 1", DIGIT)[0] == "1"
    with pytest.raises(BackendError) as caught:
        parsed("The answer is 1", DIGIT, cut=True)
    assert caught.value.fault == "length"
    assert parsed('{"anomaly": 1}', FLAG, cut=True) == ({"anomaly": 1}, "")


def test_only_what_is_mended_carries_a_note():
    assert parsed('{"anomaly": 1}', FLAG)[1] == ""
    assert parsed('```json\n{"anomaly": "1"}\n```', FLAG)[1] == (
        "taken out of a code fence, number written as text"
    )


def test_no_text_of_a_reply_steers_a_terminal():
    told, note = parsed('{"answer": "a \\u001b[31mman\\u0000", "visible": true}', ANSWER)
    assert (told["answer"], note) == ("a [31mman", "")


def test_a_row_of_dots_is_no_runaway():
    assert not runs_away("Wait" + "." * 40)
    assert runs_away("the " * 20)
    assert runs_away(LONG + "She picks up the")


words = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=60)


@given(st.text(max_size=200) | st.text("{}[]\"':,01 anomaly\n`", max_size=80))
def test_any_text_is_read_or_refused(text):
    for schema in (FLAG, MANY, DIGIT, LIST):
        try:
            value, _ = parsed(text, schema)
        except BackendError:
            continue
        jsonschema.validate(value, schema)


@given(words, words, st.sampled_from([0, 1]), st.sampled_from(sorted(DAMAGE)), st.integers())
def test_no_damage_turns_a_verdict(seen, thought, verdict, damage, seed):
    whole = {"video_description": seen, "reasoning": thought, "anomaly": verdict}
    text = DAMAGE[damage](json.dumps(whole, indent=1, ensure_ascii=False), random.Random(seed))
    try:
        value, _ = parsed(text, FLAG)
    except BackendError:
        return
    assert value["anomaly"] == verdict


@pytest.mark.data
def test_recorded_replies_of_real_models(data_dir):
    counts = recorded(data_dir)
    assert {c.source for c in counts} >= set(SCHEMAS)
    for count in counts:
        assert count.wrong == 0
        assert count.refused.total() <= 0.02 * count.total
    assert "| vila-13b/few | 1203 |" in table(counts)
    (no_commas,) = broken(data_dir, kinds=["no commas between fields"])
    assert (no_commas.wrong, no_commas.refused.total()) == (0, 0)
