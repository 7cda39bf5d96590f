"""Prompts are data: they load, they declare what they take, their version is their content."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import pytest

import prompts
from prompts import Prompt, PromptError, load, names, parse

FRONT = "---\nname: t\nvariables: [a, b]\n---\nSay {{a}} and {{ b }}.\n"


def test_the_prompts_of_the_product_are_there() -> None:
    assert {"plan", "ask", "induce", "aggregate", "verify", "explain"} <= set(names())


@pytest.mark.parametrize("name", names())
def test_every_prompt_loads_and_renders(name: str) -> None:
    prompt = load(name)
    assert prompt.name == name
    assert prompt.description
    text = prompt.render(**{v: f"<<{v}>>" for v in prompt.variables})
    assert "{{" not in text
    assert all(f"<<{v}>>" in text for v in prompt.variables)


@pytest.mark.parametrize("name", names())
def test_the_version_is_the_hash_of_the_file(name: str) -> None:
    raw = (files(prompts) / f"{name}.md").read_bytes()
    assert load(name).version == hashlib.sha256(raw).hexdigest()[:12]


@pytest.mark.parametrize("name", names())
def test_replies_are_bounded(name: str) -> None:
    """Small models run away on unbounded strings and lists; every schema sets an end."""

    def unbounded(schema: dict[str, object], where: str) -> list[str]:
        found: list[str] = []
        if schema.get("type") == "string" and not {"maxLength", "enum"} & set(schema):
            found.append(where)
        if schema.get("type") == "array" and "maxItems" not in schema:
            found.append(where)
        if schema.get("type") == "integer" and "maximum" not in schema:
            found.append(where)
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            found.append(where)
        inner = {"items": schema["items"]} if "items" in schema else schema.get("properties", {})
        for key, value in inner.items():
            found.extend(unbounded(value, f"{where}.{key}"))
        return found

    assert unbounded(dict(load(name).output), name) == []


@pytest.mark.parametrize("name", ["verify", "find", "conclude"])
def test_the_verifier_answers_with_one_of_ten_tokens_or_cannot_tell(name: str) -> None:
    assert load(name).output["enum"] == [*"0123456789", "?"]


def test_the_frames_are_asked_without_the_hypothesis() -> None:
    assert set(load("ask").variables) == {"frames", "question", "times"}


def test_another_text_is_another_version() -> None:
    assert parse("t", FRONT).version != parse("t", FRONT.replace("Say", "Tell")).version


def test_a_missing_or_unknown_variable_is_refused() -> None:
    prompt = parse("t", FRONT)
    assert prompt.render(a="x", b="{{a}}") == "Say x and {{a}}.\n"  # values are not read again
    with pytest.raises(PromptError, match=r"prompt t: missing \['b'\], unknown \[\]"):
        prompt.render(a="x")
    with pytest.raises(PromptError, match=r"missing \[\], unknown \['c'\]"):
        prompt.render(a="x", b="y", c="z")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("Say {{a}}.", "no front matter"),
        ("---\nname: [\n---\nx\n", "front matter is not YAML"),
        (FRONT.replace("name: t", "name: u"), "front matter needs name: t"),
        (FRONT.replace("name: t", "name: t\ncolour: red"), "front matter needs name: t"),
        ("---\njust words\n---\nx\n", "front matter needs name: t"),
        (FRONT.replace("[a, b]", "[a]"), r"declares \['a'\] but uses \['a', 'b'\]"),
        (FRONT.replace("[a, b]", "[a, b, c]"), "declares .*'c'"),
    ],
)
def test_a_file_that_does_not_hold_together_is_refused(source: str, problem: str) -> None:
    with pytest.raises(PromptError, match=problem):
        parse("t", source)


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(PromptError, match="no prompt 'plam'; there are: aggregate, ask"):
        load("plam")
    with pytest.raises(PromptError):
        load("../README")


def test_a_prompt_is_frozen() -> None:
    prompt: Prompt = load("ask")
    with pytest.raises(AttributeError):
        prompt.text = "x"  # type: ignore[misc]
