"""Rules that a language model proposes: voted on, merged, held against measured ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tests.unit.test_induction import (
    ScriptedCaptioner,
    ScriptedSource,
    StillDetector,
    normal_clips,
    walkers,
)
from tools.errors import BackendError
from tools.induction.drafts import draft_proposals, settled
from tools.induction.heldout import FalseAlarms
from tools.induction.inducing import Induced, induce
from tools.induction.proposals import Proposal
from tools.ports import Draft
from tools.rulebook.predicates import parse
from tools.types import (
    Caption,
    Interval,
    Provenance,
    Rule,
    RuleCategory,
    RuleKind,
    RuleStatus,
    TimeBase,
)
from tools.verification import embedded_verifier

NORMAL, ANOMALOUS = RuleKind.NORMAL, RuleKind.ANOMALOUS
ATTRIBUTES = {"speed": "× usual walking speed", "dwell": "s"}


def said(text: str, kind: RuleKind = ANOMALOUS) -> Draft:
    return Draft(kind, RuleCategory.ACTIVITY, text)


@dataclass
class ScriptedDrafter:
    """Proposes for each batch in turn what the script says; groups as it says, else by place."""

    script: Sequence[Sequence[Draft] | BackendError]
    groups: Sequence[tuple[str, tuple[int, ...]]] | None = None
    shown: list[Sequence[str]] = field(default_factory=list)
    name: str = "scripted/1"

    def draft(self, captions: Sequence[str]) -> tuple[Draft, ...]:
        told = self.script[len(self.shown) % len(self.script)]
        self.shown.append(captions)
        if isinstance(told, BackendError):
            raise told
        return tuple(told)

    def group(self, drafts: Sequence[Draft]) -> tuple[tuple[str, tuple[int, ...]], ...]:
        if self.groups is None:
            raise BackendError("the reply is not JSON")
        return tuple(self.groups)


def batch(number: int) -> list[tuple[Caption, Provenance]]:
    interval = Interval(start=0, end=9, time_base=TimeBase(num=1, den=10))
    caption = Caption(
        id=f"c{number}", video_id=f"v{number}", interval=interval, text=f"People walk {number}.",
        captioner="c",
    )  # fmt: skip
    return [(caption, Provenance(video_id=f"v{number}", clip=f"n{number}.mp4", frames=(number,)))]


def drafted(drafter: ScriptedDrafter, batches: int = 4) -> tuple[dict[str, Rule], tuple[str, ...]]:
    found, notes = draft_proposals(
        "gate", [batch(n) for n in range(batches)], drafter, ATTRIBUTES, lambda *_: None
    )
    return {p.rule.text: p.rule for p in found}, notes


def test_votes_are_batches_counted_here() -> None:
    run, rides = said("Someone runs."), said("Someone rides.")
    rules, notes = drafted(
        ScriptedDrafter(
            [[run, run, run], [run], [rides], [said("No running.")]],
            groups=[("Someone runs.", (0, 1, 2, 3, 5)), ("Someone rides.", (4,))],
        )
    )
    assert set(rules) == {"Someone runs."}
    rule = rules["Someone runs."]
    assert (rule.support, rule.batches) == (3, 4)  # three batches, however often each says it
    assert [(p.clip, p.frames) for p in rule.provenance] == [
        ("n0.mp4", (0,)),
        ("n1.mp4", (1,)),
        ("n3.mp4", (3,)),
    ]
    assert rule.author == "induction: scripted/1"
    assert notes == ("1 drafted rules were left out: fewer than half of the batches agree",)


def test_what_code_can_check_gets_a_test_and_the_rest_stays_words() -> None:
    drafts = [said("Someone runs."), said("A red car stands."), said("A dog barks.")]
    groups = [(d.text, (n,)) for n, d in enumerate(drafts)]
    rules, _ = drafted(ScriptedDrafter([drafts], groups=groups), batches=1)
    assert rules["Someone runs."].predicate is not None
    assert rules["A red car stands."].predicate is None  # red is not measured
    assert rules["A dog barks."].predicate is None


def test_a_model_that_groups_badly_changes_no_votes() -> None:
    """Made-up places, one draft in two groups, normal with anomalous: none of it counts twice."""
    walks = said("People walk here.", NORMAL)
    run = said("People walk on the roof.")
    rules, _ = drafted(
        ScriptedDrafter(
            [[walks, run], [walks, run]], groups=[("People walk.", (0, 2, 0, 99, 1)), ("x", (2,))]
        ),
        batches=2,
    )
    found = {(r.kind, r.support) for r in rules.values()}
    assert found == {(NORMAL, 2), (ANOMALOUS, 1)}


def test_without_grouping_words_decide() -> None:
    rules, notes = drafted(
        ScriptedDrafter([[said("Somebody rides a bicycle.")], [said("Somebody rides bicycles.")]]),
        batches=2,
    )
    assert [(r.text, r.support) for r in rules.values()] == [("Somebody rides a bicycle.", 2)]
    assert "grouped by their words, for scripted/1 did not: the reply is not JSON" in notes[0]


def test_what_is_no_rule_of_a_place_is_left_out() -> None:
    bad = [said("In the third frame a man runs."), said("  "), said("x" * 161), said("…!")]
    rules, notes = drafted(ScriptedDrafter([bad], groups=[]), batches=1)
    assert rules == {}
    assert notes == ("4 drafted rules were left out: they speak of footage, not of a place",)


def test_a_model_that_fails_is_told() -> None:
    dead = BackendError("no answer within 30 s")
    rules, notes = drafted(
        ScriptedDrafter([dead, [said("Someone runs.")]], groups=[("Someone runs.", (0,))]),
        batches=2,
    )
    assert len(rules) == 1
    assert notes[0] == "scripted/1 gave no rules for 1 of 2 batches: no answer within 30 s"
    with pytest.raises(BackendError, match="no answer"):
        drafted(ScriptedDrafter([dead]))


# ---------------------------------------------------------------- merged with measured rules


def proposal(
    name: str, text: str, when: str, kind: RuleKind = ANOMALOUS, votes: int = 3
) -> Proposal:
    return Proposal(
        Rule(
            id=name, scene="gate", version=1, kind=kind, category=RuleCategory.MOTION, text=text,
            predicate=parse(when), support=votes, batches=4,
        )
    )  # fmt: skip


def test_what_says_the_same_is_one_rule_and_what_contradicts_goes() -> None:
    own = [
        proposal("own", "Over 2.", "speed > 2"),
        proposal("usual", "To 2.", "speed <= 2", NORMAL),
    ]
    same = proposal("same", "Fast.", "speed > 2", votes=4)
    against = proposal("against", "Over 1.5.", "speed > 1.5")
    other = proposal("other", "Stays.", "dwell > 9")
    kept, notes = settled(own, [same, against, other])
    assert [p.rule.id for p in kept] == ["own", "usual", "other"]
    assert notes == (
        "dropped, for it contradicts another: “Over 1.5.”",
        "dropped, for it says what another says: “Fast.”",
    )


def test_of_measured_rules_that_contradict_each_other_the_narrower_stays() -> None:
    own = [
        proposal("usual", "To 3.", "speed <= 3", NORMAL),
        proposal("own", "Over 2.", "speed > 2"),
    ]
    kept, notes = settled(own, [])
    assert [p.rule.id for p in kept] == ["own"]
    assert notes == ("dropped, for it contradicts another: “To 3.”",)


def test_of_drafted_rules_alone_the_one_with_more_votes_stays() -> None:
    few, many = (proposal(n, n, "speed > 2", votes=v) for n, v in (("few", 2), ("many", 4)))
    assert [p.rule.id for p in settled([], [few, many])[0]] == ["many"]
    normal = proposal("n", "To 3.", "speed < 3", NORMAL)
    assert settled([], [many, normal])[0] == ()


# ---------------------------------------------------------------- a whole induction


def induced(drafter: ScriptedDrafter | None, script: dict[str, Sequence[object]]) -> Induced:
    captioner = ScriptedCaptioner(script)  # type: ignore[arg-type]
    clips = [ScriptedSource(name) for name in script]
    return induce("gate", clips, captioner, StillDetector(), embedded_verifier(), drafter=drafter)


def test_a_drafted_rule_that_fires_on_normal_footage_is_retired() -> None:
    drafts = [said("Somebody moves to the left."), said("Someone leaves a bag behind.")]
    drafter = ScriptedDrafter([drafts])
    made = induced(drafter, {**normal_clips()})
    by_text = {r.text: r for r in made.rules if r.author.startswith("induction: ")}
    assert by_text["Someone leaves a bag behind."].status is RuleStatus.ACTIVE
    assert by_text["Someone leaves a bag behind."].support == 5
    assert all("People" in c or c == "" for shown in drafter.shown for c in shown)
    walking = ScriptedDrafter([[said("People walk.")]])  # anomalous, and everybody does
    made = induced(walking, {**normal_clips()})
    (rule,) = [r for r in made.rules if r.author.startswith("induction: ")] or [None]
    assert rule is None or rule.status is RuleStatus.RETIRED
    assert any("People walk." in note for note in made.notes)


def test_a_dead_model_leaves_the_measured_rules() -> None:
    plain = induced(None, {**normal_clips()})
    made = induced(ScriptedDrafter([BackendError("no answer")]), {**normal_clips()})
    assert made.rules == plain.rules
    assert "scripted/1 proposed no rules: no answer" in made.notes


def test_the_expected_rate_of_false_alarms_is_what_held_out_footage_shows() -> None:
    calm = induced(None, {**normal_clips()}).false_alarms
    assert (calm.fired, calm.events) == (0, 10)
    assert calm.rate == 0.0
    assert calm.at_most == pytest.approx(0.2775, abs=1e-3)  # Wilson, 0 of 10
    assert "one holds on 0 of 10 held-out normal events (0.0 %, at most 27.8 %" in calm.text()
    script: dict[str, Sequence[object]] = {f"n{i}.mp4": walkers(1.0) for i in range(60)}
    script["n7.mp4"] = walkers(4.0)  # one runner among sixty clips: within what may fire
    fast = induced(None, script).false_alarms
    assert (fast.fired, fast.events) == (1, 60)
    assert FalseAlarms().rate is None
    assert FalseAlarms().text().endswith("not known for this book.")
