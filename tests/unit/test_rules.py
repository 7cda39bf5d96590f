"""Ranking of rules, ids, and that a home opens without Chroma until a rule is searched for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.rulebook.book import induced_id
from tools.rulebook.predicates import parse
from tools.rulebook.retrieval import rank, words
from tools.types import (
    Attribute,
    Interval,
    Observation,
    Rule,
    RuleCategory,
    RuleKind,
    TimeBase,
)


def rule(name: str, text: str, predicate: str = "") -> Rule:
    return Rule(
        id=name,
        scene="gate",
        version=1,
        kind=RuleKind.ANOMALOUS,
        category=RuleCategory.MOTION,
        text=text,
        predicate=parse(predicate) if predicate else None,
    )


FAST = rule("fast", "Something moves faster than people walk.", "speed > 2")
GLIDE = rule("glide", "Something glides.", "glide > 1")
DOG = rule("dog", "Dogs are not allowed.")


def observe(name: str, **values: float) -> Observation:
    return Observation(
        id=name,
        video_id="v",
        interval=Interval(start=0, end=9, time_base=TimeBase(num=1, den=10)),
        subject="person",
        activity="moves",
        text="",
        key_frame=1,
        attributes=tuple(Attribute(name=n, value=v) for n, v in values.items()),
    )


def test_words_are_content_words_without_endings() -> None:
    assert words("The people are walking, 3.5 walks") == ("peopl", "walk", "walk")


@pytest.mark.parametrize(
    ("query", "first"),
    [("a dog runs about", "dog"), ("it glides", "glide"), ("people walk fast", "fast")],
)
def test_words_alone_find_the_rule(query: str, first: str) -> None:
    assert rank([FAST, GLIDE, DOG], query, {})[0].rule.id == first


def test_similarity_alone_finds_the_rule() -> None:
    (hit,) = rank([FAST, GLIDE, DOG], "skating", {"glide": 0.4, "dog": -0.1})
    assert hit.rule is GLIDE
    assert hit.reason == "similarity 0.40, rank 1"
    assert hit.score == pytest.approx(0.5)


def test_first_by_words_and_by_similarity_scores_one() -> None:
    (hit,) = rank([GLIDE], "glides", {"glide": 0.9})
    assert hit.score == pytest.approx(1.0)


def test_a_predicate_that_holds_goes_first_and_names_the_strongest_observation() -> None:
    seen = [observe("o1", speed=3.0), observe("o2", speed=5.0), observe("o3", speed=1.0)]
    hits = rank([FAST, GLIDE, DOG], "a dog", {"dog": 0.9, "fast": 0.1}, seen)
    assert [h.rule.id for h in hits] == ["fast", "dog"]
    assert hits[0].reason.startswith("its predicate speed > 2 holds for o2")


def test_nothing_in_common_is_no_hit() -> None:
    assert rank([FAST, GLIDE, DOG], "umbrella", {}) == ()
    assert rank([], "dog", {}) == ()


def test_ids_of_induced_rules_are_readable_and_stable() -> None:
    name = induced_id("gate", "speed/limit")
    assert name.startswith("speed-limit-")
    assert name == induced_id("gate", "speed/limit") != induced_id("yard", "speed/limit")


def test_opening_a_home_loads_no_chroma(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tools.archive import Archive;"
        "from tools.backends.embedded.embedder import HashedEmbedder;"
        "Archive(Path(sys.argv[1]), HashedEmbedder()).scenes();"
        "import tools.induction.inducing;"
        "print([m for m in ('chromadb', 'cv2', 'torch', 'av', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
