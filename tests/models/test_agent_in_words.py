"""A captioner that gives words, judged by rules and by what normal footage was said to be."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent import Decision, Label, build_agent, induce_scene, open_stores
from agent.cli import app
from evals.bench.modelserver import ModelServer
from tests.brain import Brain
from tests.walkway import ANYTHING, Walkway, shared_walkway

WORDS = "words"
USUAL = (
    "A man is walking near the fountain.",
    "Two people are walking past the fountain with a bag.",
    "A woman is standing by the entrance, talking on a phone.",
    "One person is walking. Other than people, there are trees and a bench.",
)


@dataclass
class Teller(Brain):
    """Says of each look the next of its sentences."""

    sentences: Sequence[str] = USUAL
    looks: list[str] = field(default_factory=list)

    def reply(self, keys: set[str], text: str) -> Any:
        if "things" not in keys:
            return super().reply(keys, text)
        self.looks.append(self.sentences[len(self.looks) % len(self.sentences)])
        return {"summary": self.looks[-1], "things": []}


@pytest.fixture(scope="module")
def walkway(tmp_path_factory: pytest.TempPathFactory) -> Walkway:
    return shared_walkway(tmp_path_factory)


@pytest.fixture(scope="module")
def learned(walkway: Walkway, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("words") / "home"
    with ModelServer(Teller()) as server:
        name = f"openai:tiny@{server.url}"
        record = induce_scene(walkway.normal, WORDS, home=home, captioner=name)
    assert record.captions_version == 1
    return home


@pytest.fixture
def home(learned: Path, tmp_path: Path) -> Path:
    return shutil.copytree(learned, tmp_path / "home")


@contextmanager
def answered(
    home: Path, walkway: Walkway, *sentences: str, **more: Any
) -> Iterator[tuple[Decision, str]]:
    with ModelServer(Teller(sentences=sentences)) as server:
        stores = open_stores(home=home, captioner=f"openai:tiny@{server.url}", model_cache=False)
        with closing(build_agent(stores)) as agent:
            asked = {"query": ANYTHING, "videos": [walkway.bike], "scene": WORDS, **more}
            out = agent.invoke(asked)
            yield out["decision"], out["answer"]


def test_what_is_new_is_reported_with_the_nearest_normal_caption(
    home: Path, walkway: Walkway
) -> None:
    with answered(home, walkway, "A man is juggling near the fountain.") as (decision, answer):
        assert decision.label is not Label.ANOMALOUS
        assert decision.dropped_steps == 0
        assert "“A man is juggling near the fountain” is new here: novelty 0." in answer
        assert "the nearest normal caption says “A man is walking near the fountain”" in answer
        cited = [r for s in decision.explanation for r in s.evidence if r.startswith("normal:")]
    (ref,) = set(cited)
    with closing(open_stores(home=home)) as stores:
        assert stores.archive.normal_caption(ref).text == USUAL[0]


def test_what_breaks_a_rule_tells_rule_version_match_and_strength(
    home: Path, walkway: Walkway
) -> None:
    said = "A man is riding a bicycle past the fountain."
    with answered(home, walkway, said) as (decision, answer):
        assert decision.label is Label.ANOMALOUS
        assert decision.dropped_steps == 0
        assert "falls under rule unsaid-ride-" in answer
        assert "lexical match, strength 1.00" in answer
        assert "held-out normal footage could check" not in answer  # nothing was measured
        assert "reaches it only by breaking a rule; nothing was measured" in answer


def test_a_question_about_something_named_is_put_to_the_words(home: Path, walkway: Walkway) -> None:
    said, query = "A man is riding a bicycle past the fountain.", "Was anyone riding a bicycle?"
    with answered(home, walkway, said, query=query) as (decision, answer):
        assert decision.label is Label.ANOMALOUS
        assert decision.dropped_steps == 0
        assert "falls under what was asked for: “riding”, lexical match" in answer
        assert "was read in captions by its words" in answer
        assert "swinging limbs" not in answer  # nothing was measured
        (line,) = decision.timelines
        assert set(line.scores) == {1.0}


def test_scores_of_captions_are_smoothed_by_the_method_that_is_set(
    home: Path, walkway: Walkway, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "A man is riding a bicycle past the fountain."
    for method, how in (("majority", "offline"), ("none", "none")):
        monkeypatch.setenv("VIDOCQ_SMOOTHING_METHOD", method)
        with answered(home, walkway, said, USUAL[0]) as (decision, _):
            (line,) = decision.timelines
            assert line.smoothing == how
            assert max(line.scores) == 1.0


def test_what_words_cannot_tell_stays_open(home: Path, walkway: Walkway) -> None:
    said, query = "A group of people is walking.", "Was there a group?"
    with answered(home, walkway, said, query=query) as (decision, answer):
        assert decision.label is Label.UNCERTAIN
        assert "what was asked for cannot be read in captions" in answer
        assert "was read in captions by its words" not in answer


def test_a_scene_from_before_captions_were_kept_says_so_once(home: Path, walkway: Walkway) -> None:
    with closing(sqlite3.connect(home / "record.db")) as connection:
        (text,) = connection.execute("SELECT record FROM scenes").fetchone()
        old = {k: v for k, v in json.loads(text).items() if k != "captions_version"}
        connection.execute("UPDATE scenes SET record = ?", (json.dumps(old),))
        connection.commit()
    with answered(home, walkway, "A man is juggling near the fountain.") as (decision, answer):
        assert answer.count("keeps no captions of normal footage") == 1
        assert "induce it again: vidocq induce NORMAL... --scene words" in answer
        assert decision.dropped_steps == 0
    said = "A man is riding a bicycle past the fountain."
    with answered(home, walkway, said) as (decision, _):
        assert decision.label is Label.ANOMALOUS  # rules decide all the same


def test_each_rule_that_is_named_has_the_clause_that_breaks_it(
    home: Path, walkway: Walkway
) -> None:
    said = "A man is riding a bicycle.", "A woman is sleeping by the entrance."
    with answered(home, walkway, *said) as (decision, answer):
        assert decision.dropped_steps == 0
        (found,) = (e for e in decision.events if e.label is Label.ANOMALOUS)
        assert len(found.rules) == 2  # side by side they are one happening
        for text, rule in zip(said, ("unsaid-ride-", "unsaid-lie-"), strict=True):
            assert f"“{text.rstrip('.')}” falls under rule {rule}" in answer
            assert answer.count(f"falls under rule {rule}") == 1


def test_words_are_not_judged_by_priors_that_only_measure(home: Path, walkway: Walkway) -> None:
    said = "A man is riding a bicycle past the fountain."
    with answered(home, walkway, said, scene=None, scene_free=True) as (decision, answer):
        assert decision.label is Label.UNCERTAIN
        assert "no rule at hand says what would be unusual" in answer
        assert "judged by general priors" not in answer
    asked = "Anything unusual? Riding counts as unusual here."
    with answered(home, walkway, said, query=asked, scene=None, scene_free=True) as (decision, _):
        assert decision.label is Label.ANOMALOUS


def test_what_a_question_defines_is_told_without_saying_it_twice(
    home: Path, walkway: Walkway
) -> None:
    query = "Anything unusual? Walking counts as unusual here."
    with answered(home, walkway, "A man is walking.", query=query) as (decision, answer):
        assert decision.dropped_steps == 0
        assert "“A man is walking” falls under rule question-" in answer
        assert ": predicate match, strength 1.00" in answer
        assert "(written by this question): Unusual here: Walking (walking)." in answer
    with answered(home, walkway, "A man asks a question.", query=query) as (decision, answer):
        assert "falls under rule question-" not in answer


def test_a_scene_learned_by_words_reads_so_whichever_captioner_is_set(home: Path) -> None:
    def vidocq(*arguments: str) -> Any:
        return CliRunner().invoke(
            app, ["rules", *arguments, "--scene", WORDS], env={"VIDOCQ_HOME": str(home)}
        )

    listed = vidocq("list").stdout
    assert "read in captions: “Running”" in listed
    assert "of held-out normal footage (" in listed
    assert "calibrated threshold" not in listed
    assert vidocq("lint").exit_code == 0


def test_kept_captions_and_readings_are_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def vidocq(*arguments: str) -> Any:
        env = {"VIDOCQ_HOME": str(home), "VIDOCQ_CAPTIONER": "openai:tiny@http://127.0.0.1:9"}
        return CliRunner().invoke(app, [*arguments, "--scene", WORDS], env=env)

    listed = vidocq("rules", "captions")
    assert listed.exit_code == 0, listed.output
    assert USUAL[0] in listed.stdout
    assert "normal0.mp4 00:00.0" in listed.stdout
    kept = json.loads(vidocq("rules", "captions", "--json").stdout)
    assert {c["version"] for c in kept} == {1}
    assert {c["text"] for c in kept} <= set(USUAL)
    ref = f"normal:{kept[2]['id']}@1"
    (cited,) = json.loads(vidocq("rules", "captions", ref, "--json").stdout)
    assert cited == kept[2]
    unknown = vidocq("rules", "captions", "normal:nobody@1")
    assert unknown.exit_code == 2
    assert "no normal caption “normal:nobody@1”" in unknown.stderr
    rules = vidocq("rules", "list").stdout
    assert "read in captions: “Running”" in rules
    assert "speed >" not in rules
    assert f"compared with {len(kept)} captions of normal footage" in rules
    monkeypatch.setattr("tools.deduction.missing.wordnet", lambda: None)
    added = vidocq("rules", "add", "Nobody may feed pigeons", "--yes")
    assert added.exit_code == 0, added.output
    assert "without WordNet, “feed”, “pigeon” are found by no other word" in added.stderr
    assert "pip install 'vidocq[wordnet]'" in added.stderr
    assert "language model" not in added.stderr
    assert "read in captions: “feed pigeons”" in added.stdout
    linted = vidocq("rules", "lint")
    assert linted.exit_code == 0, linted.output  # all of them are read in words
    assert "without WordNet, “feed”" in linted.stderr
    exported = vidocq("rules", "export")
    assert "normal captions stay with the scene" in exported.stderr
