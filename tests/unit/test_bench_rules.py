"""Small versions of the benches: planted rules are found, edits and kills lose nothing."""

from __future__ import annotations

from evals.bench.rulebooks import EVERY_PART, apart, pairs
from evals.bench.rules import edits, kills, retrieval


def test_planted_rules_are_found_by_their_own_words() -> None:
    found = retrieval(rules=400, scenes=2, planted=4)
    assert found.terms == 1.0
    assert found.reworded >= 0.8
    assert (found.queries, found.embedder) == (36, "hashed-ngrams-512/1")


def test_a_rule_alone_on_its_subject_meets_no_other_that_names_it() -> None:
    planted = [("Nobody may light a fire on the stairs.", "No flames on the steps.")]
    parts = apart(EVERY_PART, planted)
    assert ("on the stairs", "on the steps") in EVERY_PART.places
    assert [p for p in EVERY_PART.places if p not in parts.places] == [
        ("on the stairs", "on the steps")
    ]
    assert parts.times == EVERY_PART.times
    said = pairs()
    assert {name: len(found) for name, found in said.items()} == {"known": 50, "held_out": 150}
    assert len({text for found in said.values() for pair in found for text in pair}) == 400


def test_edits_side_by_side_lose_nothing() -> None:
    found = edits(processes=3, each=20, rules=5)
    assert (found.acknowledged, found.lost, found.doubled) == (60, 0, 0)
    assert not found.index_differs


def test_kills_lose_nothing_and_leave_nothing_half_done() -> None:
    found = kills(count=10, rules=10, longest_s=0.2)
    assert (found.kills, found.damaged) == (10, 2)
    assert (found.lost, found.half_imported, found.half_kept) == (0, 0, 0)
    assert (found.unreadable, found.index_differed) == (0, 0)
