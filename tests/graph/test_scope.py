"""What there is to judge by and to look at; where something is missing, it is said, not made up."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent import Agent, Decision, Label, build_agent, open_stores
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.errors import MediaError, UserError


def decided(agent: Agent, **given: Any) -> tuple[Decision, str]:
    out = agent.invoke({"query": ANYTHING, **given})
    return out["decision"], out["answer"]


def never_scored(decision: Decision) -> bool:
    return (
        (decision.label, decision.score) == (Label.UNCERTAIN, None)
        and decision.cost.looks == 0
        and decision.timelines == ()
    )


# ---------------------------------------------------------------- scenes


def test_without_a_scene_nothing_is_judged(shared_agent: Agent, walkway: Walkway) -> None:
    decision, answer = decided(shared_agent, videos=[walkway.bike])
    assert never_scored(decision)
    (failure,) = decision.failures
    assert failure.item == "scene"
    assert failure.reason == (
        "no scene was named, so nothing says what is normal here (known scenes: gate)"
    )
    assert "--scene-free" in failure.remedy
    assert answer.startswith("I cannot tell")
    assert f"Could not be judged: scene: {failure.reason}. Remedy: {failure.remedy}." in answer


def test_an_unknown_scene_names_the_nearest(shared_agent: Agent, walkway: Walkway) -> None:
    decision, _ = decided(shared_agent, videos=[walkway.bike], scene="gaet")
    assert never_scored(decision)
    (failure,) = decision.failures
    assert failure.reason == "no scene “gaet”; did you mean “gate”?"
    assert failure.remedy == "--scene gate"


def test_a_scene_without_rules_judges_nothing(home: Path, walkway: Walkway) -> None:
    with closing(open_stores(home=home)) as stores:
        for rule in stores.archive.rules.list(SCENE):
            stores.archive.rules.retire(rule.id)
    with closing(build_agent(home=home)) as agent:
        decision, answer = decided(agent, videos=[walkway.bike], scene=SCENE)
    assert never_scored(decision)
    assert decision.failures[0].reason == "scene 'gate' has no active rules"
    assert "vidocq induce NORMAL... --scene gate" in answer


def test_a_scene_learned_by_another_captioner_is_to_be_learned_again(
    home: Path, walkway: Walkway
) -> None:
    with closing(open_stores(home=home)) as stores:
        archive = stores.archive
        record = archive.scene(SCENE).model_copy(update={"captioner": "embedded-perception/0"})
        archive.save_scene(record, archive.profile(SCENE), archive.rules.list(SCENE))
    with closing(build_agent(home=home)) as agent:
        decision, _ = decided(agent, videos=[walkway.bike], scene=SCENE)
    assert never_scored(decision)
    (failure,) = decision.failures
    assert "was learned with embedded-perception/0, but the captioner now is" in failure.reason
    assert "that version of Vidocq measured otherwise" in failure.reason
    assert failure.remedy == "induce it again: vidocq induce NORMAL... --scene gate"


def test_a_scene_learned_offline_is_not_for_causal_smoothing(home: Path, walkway: Walkway) -> None:
    with closing(build_agent(home=home, smoothing="causal")) as agent:
        decision, _ = decided(agent, videos=[walkway.bike], scene=SCENE)
    assert never_scored(decision)
    (failure,) = decision.failures
    assert "learned for offline smoothing, and smoothing is causal now" in failure.reason
    assert failure.remedy is not None
    assert failure.remedy.startswith("set VIDOCQ_SMOOTHING=offline, or keep the scene and")
    assert failure.remedy.endswith("vidocq induce NORMAL... --scene gate-causal")


def test_a_scene_of_an_unknown_captioner_is_not_overwritten(home: Path, walkway: Walkway) -> None:
    with closing(open_stores(home=home)) as stores:
        archive = stores.archive
        record = archive.scene(SCENE).model_copy(update={"captioner": "a model"})
        archive.save_scene(record, archive.profile(SCENE), archive.rules.list(SCENE))
    with closing(build_agent(home=home)) as agent:
        decision, _ = decided(agent, videos=[walkway.bike], scene=SCENE)
    (failure,) = decision.failures
    assert "was learned with a model, but the captioner now is" in failure.reason
    assert failure.remedy is not None
    assert failure.remedy.endswith("under another name: vidocq induce NORMAL... --scene gate-2")


def test_priors_stand_in_only_where_that_was_said(shared_agent: Agent, walkway: Walkway) -> None:
    decision, answer = decided(shared_agent, videos=[walkway.calm], scene_free=True)
    assert decision.failures == ()
    assert decision.cost.looks >= 1
    assert decision.false_alarm_rate is None  # no normal footage, so no stated rate
    assert "general priors" in answer


def test_a_default_scene_is_used_where_none_is_named(home: Path, walkway: Walkway) -> None:
    with closing(build_agent(home=home, scene=SCENE)) as agent:
        decision, _ = decided(agent, videos=[walkway.calm])
    assert decision.label is Label.NORMAL


def test_a_video_of_another_size_is_not_judged(
    shared_agent: Agent, walkway: Walkway, numbered_clip: Path
) -> None:
    decision, answer = decided(shared_agent, videos=[str(numbered_clip)], scene=SCENE)
    assert (decision.label, decision.score) == (Label.UNCERTAIN, None)
    assert "160×96" in decision.reason
    assert "360×240" in decision.reason
    assert answer.startswith("I cannot tell")


# ---------------------------------------------------------------- videos


def test_one_bad_video_does_not_stop_the_others(
    shared_agent: Agent, walkway: Walkway, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    videos = [str(tmp_path / "gone.mp4"), walkway.bike, str(empty)]
    decision, answer = decided(shared_agent, videos=videos, scene=SCENE)
    assert decision.label is Label.ANOMALOUS
    assert [f.item for f in decision.failures] == [videos[0], videos[2]]
    assert all(f.reason and f.remedy for f in decision.failures)
    for item in (videos[0], videos[2]):
        assert f"Could not be judged: {item}: " in answer


def test_a_bad_video_beside_a_calm_one_is_no_all_clear(
    shared_agent: Agent, walkway: Walkway, tmp_path: Path
) -> None:
    gone = str(tmp_path / "gone.mp4")
    decision, answer = decided(shared_agent, videos=[walkway.calm, gone], scene=SCENE)
    assert (decision.label, decision.score) == (Label.UNCERTAIN, None)
    assert answer.startswith("I cannot tell")
    assert f"Could not be judged: {gone}: " in answer
    assert any(e.label is Label.NORMAL for e in decision.events)


def test_the_same_video_twice_is_looked_at_once(shared_agent: Agent, walkway: Walkway) -> None:
    once, _ = decided(shared_agent, videos=[walkway.calm], scene=SCENE)
    twice, _ = decided(shared_agent, videos=[walkway.calm, walkway.calm], scene=SCENE)
    assert twice.cost.looks == once.cost.looks
    assert twice.events == once.events


def test_no_video_is_an_error_with_a_remedy(shared_agent: Agent) -> None:
    with pytest.raises(UserError, match="no video was named"):
        decided(shared_agent, scene=SCENE)


@pytest.mark.parametrize("query", ["", "   ", "?"])
def test_a_blank_question_is_refused(shared_agent: Agent, walkway: Walkway, query: str) -> None:
    with pytest.raises(UserError, match="the question is blank"):
        shared_agent.invoke({"query": query, "videos": [walkway.calm], "scene": SCENE})


def test_nothing_at_all_is_refused(shared_agent: Agent) -> None:
    with pytest.raises(UserError, match="no question"):
        shared_agent.invoke({"videos": ["a.mp4"]})


@pytest.mark.parametrize("query", ["Who is the man in red?", "Was there a fight?"])
def test_what_it_cannot_tell_is_said_without_looking(
    shared_agent: Agent, walkway: Walkway, query: str
) -> None:
    out = shared_agent.invoke({"query": query, "videos": [walkway.bike], "scene": SCENE})
    decision: Decision = out["decision"]
    assert never_scored(decision)
    assert decision.failures == ()
    assert "this question is outside what the embedded backends can tell" in out["answer"].lower()


def test_a_window_that_ends_before_it_starts_is_refused(
    shared_agent: Agent, walkway: Walkway
) -> None:
    query = "Anything odd between 0:30 and 0:10?"
    with pytest.raises(UserError, match="ends before it starts"):
        shared_agent.invoke({"query": query, "videos": [walkway.bike], "scene": SCENE})


def test_errors_of_media_name_the_file(tmp_path: Path) -> None:
    from agent import induce_scene

    with pytest.raises(MediaError, match=r"gone\.mp4"):
        induce_scene([tmp_path / "gone.mp4"], "gate", home=tmp_path / "home")
