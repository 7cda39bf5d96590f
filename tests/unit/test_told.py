"""Captions judged live by what normal footage was said to be: the same verdicts as offline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evals.datasets.captions import load_captions, load_normal_captions, load_rules
from graphs.clauses import clause_steps
from graphs.explaining import explain
from tests.builders import TENTHS, event_of, find_plan, rule_of, scene_of, seen_of, span, video_of
from tools.archive import Archive, SceneRecord
from tools.backends.embedded.embedder import HashedEmbedder
from tools.backends.embedded.verifier import EmbeddedVerifier
from tools.backends.embedded.wording import KEPT, WordJudge
from tools.citations import check_step
from tools.decision import Decision, EventScore, Intent, Label, Plan, Step
from tools.deduction import Deduced, Deducer, NormalClip, induce_from_captions, readable
from tools.ledger import Known, Ledger, Look, Segmentation
from tools.ports import SceneProfile, Told
from tools.rulebook.normalcaptions import normal_id
from tools.toolbox import Toolbox
from tools.types import Description, EventTree, NormalCaption, Rule, Verdict

PLAN = Plan(query="Anything unusual?", intent=Intent.ANOMALY, planner="test/1")
RIDING = rule_of("no-wheels", None, text="Riding a bicycle or scooter")
USUAL = (
    "A man is walking past the fountain. Other than people, there are trees and a bench.",
    "Two people are walking, and a woman is standing by the entrance, talking on a phone.",
    "One person is walking with a bag.",
    "A group of people is waiting near the fountain. There is a bench.",
)


def normal(texts: Sequence[str], scene: str = "gate") -> tuple[NormalCaption, ...]:
    """One clip a caption."""
    return tuple(
        NormalCaption(
            id=normal_id(scene, f"clip{n}", 0, text),
            scene=scene,
            version=1,
            video_id=f"clip{n}",
            clip=f"normal{n}.mp4",
            interval=span(0.0, 1.0),
            frame=0,
            text=text,
        )
        for n, text in enumerate(texts)
    )


def said(text: str) -> Description:
    seen = seen_of()
    caption = seen.caption.model_copy(update={"text": text, "id": f"c {text}"})
    return seen.model_copy(update={"caption": caption, "series": ()})


KNOWN = normal([USUAL[n % len(USUAL)] for n in range(60)])
TOLD = Told("k1", (RIDING,), KNOWN)


def judged(text: str, told: Told = TOLD, plan: Plan = PLAN) -> Verdict:
    return EmbeddedVerifier().judge_told(plan, event_of(), said(text), told)


def offline(rules: Sequence[Rule], captions: Sequence[NormalCaption]) -> Deducer:
    return Deducer(rules, [c.text for c in captions], clips=[c.video_id for c in captions])


def same(verdict: Verdict, deduced: Deduced) -> None:
    assert verdict.score == deduced.score
    assert len(verdict.clauses) == len(deduced.found)
    for told, found in zip(verdict.clauses, deduced.found, strict=True):
        assert (told.clause, told.how, told.score) == (found.clause, found.how, found.score)
        assert (told.strength, told.novelty) == (found.strength, found.novelty)
        assert told.rule == (found.rule.ref if found.rule else "")
        assert (told.phrase, told.near, told.things) == (found.phrase, found.near, found.things)
        assert bool(told.normal) == bool(found.near)


# ---------------------------------------------------------------- live is offline


@pytest.mark.parametrize(
    "text",
    [
        USUAL[0],
        "A man is juggling near the fountain.",
        "A third person is riding a tricycle past the fountain, and a woman is walking.",
        "Two people are walking. Other than people, there is a hedgehog and a wheelbarrow.",
        "Nobody is riding.",
        "The image is blurred.",
    ],
)
def test_a_caption_is_judged_as_the_deducer_judges_it(text: str) -> None:
    same(judged(text), offline([RIDING], KNOWN).deduce(text))


def test_normal_captions_make_the_usual_weigh_less_and_the_new_suspect() -> None:
    assert judged(USUAL[1]).score == pytest.approx(0.0, abs=0.05)
    new = judged("A man is juggling near the fountain.")
    assert new.score is not None
    assert 0.3 < new.score < 0.5  # reported, and never an alarm by itself
    without = judged("A man is juggling near the fountain.", Told("", (RIDING,), ()))
    assert without.score == 0.0


@pytest.mark.parametrize("text", ["A man juggles near the fountain.", "He juggles by a bench."])
def test_the_present_is_as_new_as_the_form_in_ing(text: str) -> None:
    assert judged(text).score == judged(text.replace("juggles", "is juggling")).score


class Meanings(HashedEmbedder):
    """Stands for a sentence model."""

    name = "meanings/1"
    by_meaning = True

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.read += texts
        return super().embed(texts)


def test_a_sentence_model_that_is_set_is_used_live_too() -> None:
    embedder = Meanings()
    text = "Two people are walking. Other than people, there is a hedgehog and a wheelbarrow."
    verdict = judged(text, Told("k1", (RIDING,), KNOWN, embedder))
    texts, clips = [c.text for c in KNOWN], [c.video_id for c in KNOWN]
    same(verdict, Deducer([RIDING], texts, clips=clips, embed=embedder.embed).deduce(text))
    assert "a wheelbarrow" in embedder.read
    assert verdict.clauses[0].near  # likeness by meaning finds some, likeness by words none
    assert not judged(text).clauses[0].near


class Words:
    """A captioner that gives words only, as far as judging needs one."""

    name = "words/1"
    attributes: dict[str, str] = {}  # noqa: RUF012


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(tmp_path / "home", HashedEmbedder())
    yield archive
    archive.close()


def toolbox(archive: Archive) -> Toolbox:
    parts = {"detector": None, "planner": None, "embedder": HashedEmbedder()}
    return Toolbox(
        archive=archive,
        captioner=Words(),  # type: ignore[arg-type]
        verifier=EmbeddedVerifier(),
        **parts,  # type: ignore[arg-type]
    )


def save(
    archive: Archive, scene: str, rules: Sequence[Rule], captions: Sequence[NormalCaption]
) -> None:
    made = {"captioner": "words/1", "width": 360, "height": 240, "seconds": 1.0}
    record = SceneRecord.model_validate({"name": scene, "profile_version": "v1", **made})
    profile = SceneProfile(scene=scene, clips=(), version="v1", **made)  # type: ignore[arg-type]
    archive.save_scene(record, profile, rules, captions)


def asked_live(archive: Archive, scene: str, texts: Sequence[str]) -> tuple[Ledger, list[Verdict]]:
    """Each caption as a look, through the tools that the graph calls."""
    tools, ledger = toolbox(archive), Ledger("run1")
    ledger.note(video_of())
    view = tools.scene(ledger, scene)
    verdicts = []
    for n, text in enumerate(texts):
        look = Look(event=event_of(f"e{n}"), detail="fine", description=said(text))
        ledger.note(look)
        recall = tools.recall(ledger, look, text, scene=view, k=8)
        verdicts.append(tools.judge(ledger, PLAN, look, recall, None, scene=view))
    return ledger, verdicts


def test_a_live_question_uses_all_rules_and_captions_of_the_scene(archive: Archive) -> None:
    clips = [NormalClip(c.video_id, c.clip, ((0, c.text),)) for c in KNOWN]
    rules = induce_from_captions("gate", clips).rules
    save(archive, "gate", rules, KNOWN)
    texts = ["A man is juggling near the fountain.", USUAL[0], "A boy rides a scooter."]
    ledger, verdicts = asked_live(archive, "gate", texts)
    deducer = offline(archive.rules.list("gate"), KNOWN)
    for text, verdict in zip(texts, verdicts, strict=True):
        same(verdict, deducer.deduce(text))
    assert len(ledger.known) == 1  # once a run, not once an event
    assert [isinstance(r, Known) for r in ledger.results.values()].count(True) == 1


def test_rules_of_other_hours_and_of_zones_do_not_count_in_words(archive: Archive) -> None:
    save(archive, "gate", [], KNOWN)
    book = archive.rules
    square = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0))
    scope = RIDING.scope
    for text, update in (
        ("Nobody may juggle.", {"hours": ("22:00", "06:00")}),
        ("Juggling by the fence", {"zone": "fence", "polygon": square}),
        ("Sleeping", {}),
    ):
        book.add("gate", text, RIDING.kind, RIDING.category, scope=scope.model_copy(update=update))
    _, (verdict,) = asked_live(archive, "gate", ["A man is juggling."])
    assert verdict.matches == ()


@pytest.mark.data
def test_recorded_captions_of_shanghaitech_are_judged_live_as_offline(
    archive: Archive, data_dir: Path
) -> None:
    folder = data_dir / "captions"
    if not folder.is_dir():
        pytest.skip(f"no captions at {folder}: set VIDOCQ_DATA")
    rules = load_rules(folder, "shanghaitech")
    known = load_normal_captions(folder, "shanghaitech")
    captions = tuple(
        NormalCaption(
            id=normal_id("shanghaitech", c.video, c.frame, c.caption),
            scene="shanghaitech",
            version=1,
            video_id=c.video,
            clip=c.video,
            interval=span(c.frame / 10, (c.frame + 1) / 10),
            frame=c.frame,
            text=c.caption,
        )
        for c in known
    )
    save(archive, "shanghaitech", rules, captions)
    every = [c for video in load_captions(folder, "shanghaitech") for c in video.captions]
    texts = list(dict.fromkeys(every))[::250]
    assert len(texts) >= 40
    _, verdicts = asked_live(archive, "shanghaitech", texts)
    deducer = offline(archive.rules.list("shanghaitech"), captions)
    given = offline(rules, captions)
    for text, verdict in zip(texts, verdicts, strict=True):
        same(verdict, deducer.deduce(text))
        assert verdict.score == pytest.approx(given.deduce(text).score)  # in whatever order
    assert sum(v.score >= 0.5 for v in verdicts if v.score is not None) > 3
    assert any(c.normal for v in verdicts for c in v.clauses)


# ---------------------------------------------------------------- what is cited


def ledger_of(verdict: Verdict, told: Told = TOLD) -> Ledger:
    ledger = Ledger("run1")
    ledger.note(video_of())
    ledger.note(scene_of(normal_captions=len(told.captions), captions_version=1, in_words=True))
    text = verdict.claims[-1].text
    ledger.note(Look(event=event_of(), detail="fine", description=said(text)))
    ledger.note(
        Known(id=told.id, scene="gate", version=1, rules=told.rules, captions=told.captions)
    )
    ledger.note(verdict)
    return ledger


def test_a_new_clause_cites_the_nearest_normal_caption() -> None:
    verdict = judged("A man is juggling near the fountain.")
    ledger = ledger_of(verdict)
    (step,) = clause_steps("e1", ledger)
    assert step.text.startswith("“A man is juggling near the fountain” is new here: novelty 0.")
    (ref,) = (r for r in step.evidence if r.startswith("normal:"))
    cited = ledger.evidence(ref)
    assert isinstance(cited, NormalCaption)
    assert "fountain" in cited.text
    assert f"caption:{ledger.looks['e1'].description.caption.id}" in step.evidence
    assert check_step(step, ledger) == ()
    assert verdict.claims[0].evidence[1] == ref


def test_a_clause_that_breaks_a_rule_tells_rule_version_match_and_strength() -> None:
    ledger = ledger_of(judged("A boy is riding a scooter past the fountain."))
    (step,) = clause_steps("e1", ledger)
    assert (
        "falls under rule no-wheels@1: “Riding scooter”, lexical match, strength 1.00" in step.text
    )
    assert "the nearest normal caption says" in step.text
    assert "rule:no-wheels@1" in step.evidence
    assert check_step(step, ledger) == ()


def test_what_nothing_normal_is_like_says_so() -> None:
    ledger = ledger_of(judged("Someone is juggling."))
    (step,) = clause_steps("e1", ledger)
    assert "none of the 60 normal captions says the like" in step.text
    assert check_step(step, ledger) == ()


def test_a_normal_caption_that_does_not_resolve_or_does_not_say_it_is_refused() -> None:
    verdict = judged("A man is juggling near the fountain.")
    ledger = ledger_of(verdict)
    (step,) = clause_steps("e1", ledger)
    wrong = Step(kind="what", text="New.", evidence=("normal:nobody@1",))
    assert check_step(wrong, ledger) == ("normal:nobody@1 does not resolve",)
    other = next(c.ref for c in KNOWN if "fountain" not in c.text)
    clause = verdict.clauses[0].model_copy(update={"normal": other})
    forged = verdict.model_copy(update={"clauses": (clause,), "id": "forged"})
    ledger = ledger_of(forged)
    (step,) = clause_steps("e1", ledger)
    assert check_step(step, ledger) == (f"{other} does not say “{clause.near}”",)


def test_whatever_stays_open_is_named_however_many_reasons_there_are() -> None:
    ledger = Ledger("run1")
    ledger.note(video_of())
    parts = tuple(event_of(f"e{n}", 10.0 * n, 10.0 * n + 10.0) for n in range(5))
    ledger.note(Segmentation(tree=EventTree(video_id="v1", events=parts), detector="test/1"))
    scores = []
    for n, event in enumerate(parts):
        verdict = judged(f"A man is juggling {n} torches.")
        ledger.note(verdict.model_copy(update={"id": f"v{n}", "event_id": event.id}))
        ledger.note(Look(event=event, detail="coarse", description=said(f"Torches {n}.")))
        scores.append(
            EventScore(
                video_id="v1",
                event_id=event.id,
                interval=event.interval,
                label=Label.UNCERTAIN,
                score=None,
                summary="",
                reason=f"reason {'abcde'[n]}",
            )
        )
    decision = Decision(
        run_id="run1",
        query="Anything unusual?",
        intent=Intent.ANOMALY,
        label=Label.UNCERTAIN,
        score=None,
        events=tuple(scores),
    )
    steps = explain(decision, ledger)
    assert [step.text for step in steps if step.kind == "limit"] == [
        "Left open, because reason a: gate.mp4 00:00.0 to 00:10.0.",
        "Left open, because reason b: gate.mp4 00:10.0 to 00:20.0.",
        "Left open, because reason c: gate.mp4 00:20.0 to 00:30.0.",
        "Left open for other reasons: gate.mp4 00:30.0 to 00:40.0; gate.mp4 00:40.0 to 00:50.0.",
    ]
    assert all(check_step(step, ledger) == () for step in steps)


# ---------------------------------------------------------------- what is at hand


def test_a_question_about_something_named_is_not_judged_by_what_is_usual() -> None:
    plan = find_plan("activity in {walks}", concept="walking", phrase="walking")
    verdict = judged("A man is walking past the fountain.", plan=plan)
    assert verdict.score == pytest.approx(1.0)
    assert judged("A man is juggling.", plan=plan).score == 0.0


def test_what_no_caption_can_say_is_not_found_nor_ruled_out() -> None:
    plan = find_plan("subject == group", concept="a group", phrase="group")
    verdict = judged("A group of people is standing by the entrance.", plan=plan)
    assert verdict.score is None
    assert verdict.reason.startswith("what was asked for cannot be read in captions")
    measured = rule_of("fast", "speed > 1.8", text="This is so.")
    assert not readable(measured)
    assert judged("A man is running.", Told("k3", (measured,), KNOWN)).score is None


def test_without_an_anomalous_rule_nothing_is_called_normal_but_what_is_new_is_told() -> None:
    verdict = judged("A man is juggling.", Told("k2", (), KNOWN))
    assert verdict.score is None
    assert "no rule" in verdict.reason
    assert verdict.clauses[0].how == "novel"


def test_the_last_deducers_are_kept_and_no_more() -> None:
    judge = WordJudge("test/1")
    made = [Told(f"k{n}", (RIDING,), KNOWN[:2]) for n in range(KEPT + 3)]
    ready = [judge.ready(told) for told in made]
    assert judge.ready(made[-1]) is ready[-1]
    assert judge.ready(made[3]) is ready[3]  # the oldest that is kept
    assert judge.ready(made[0]) is not ready[0]
    edited = Told("k9", (RIDING.model_copy(update={"version": 2}),), KNOWN[:2])
    assert judge.ready(edited) is not judge.ready(Told("k9", (RIDING,), KNOWN[:2]))


def test_time_bases_of_kept_captions_are_exact() -> None:
    assert KNOWN[0].interval.time_base == TENTHS
    assert NormalCaption.model_validate_json(KNOWN[0].model_dump_json()) == KNOWN[0]
