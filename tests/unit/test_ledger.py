"""The ledger: a finished call is not done again, and every reference resolves or does not."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.builders import (
    answer_of,
    event_of,
    filled_ledger,
    observation_of,
    rule_of,
    scene_of,
    seen_of,
    video_of,
)
from tools.decision import Failure
from tools.errors import MediaError
from tools.ledger import Asked, FinalScore, Ledger, Look, request_hash
from tools.types import Event, Observation, Rule, Verdict, VideoInfo


def test_a_finished_call_is_not_repeated() -> None:
    ledger = Ledger("r")
    done: list[int] = []

    def work() -> VideoInfo:
        done.append(1)
        return video_of()

    first = ledger.call("probe", {"path": "a.mp4"}, VideoInfo, work)
    again = ledger.call("probe", {"path": "a.mp4"}, VideoInfo, work)
    other = ledger.call("probe", {"path": "b.mp4"}, VideoInfo, work)
    assert first == again == other
    assert len(done) == 2
    assert (ledger.count("probe"), ledger.reused, ledger.count("look")) == (2, 1, 0)


def test_a_call_that_failed_is_tried_again() -> None:
    ledger = Ledger("r")

    def fail() -> VideoInfo:
        raise MediaError("a.mp4", "cannot be read")

    with pytest.raises(MediaError):
        ledger.call("probe", {"path": "a.mp4"}, VideoInfo, fail)
    assert ledger.count("probe") == 0
    assert ledger.call("probe", {"path": "a.mp4"}, VideoInfo, video_of).id == "v1"


def test_a_request_is_named_by_its_content() -> None:
    one = request_hash("look", {"video": "v1", "interval": event_of().interval})
    assert one == request_hash("look", {"interval": event_of().interval, "video": "v1"})
    assert one != request_hash("ask", {"video": "v1", "interval": event_of().interval})
    assert one != request_hash("look", {"video": "v2", "interval": event_of().interval})
    assert len(one) == 24


def test_calls_of_one_step_run_side_by_side() -> None:
    ledger = Ledger("r")
    meet = threading.Barrier(2, timeout=5)

    def work() -> VideoInfo:
        meet.wait()
        return video_of()

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(ledger.call, "probe", {"n": n}, VideoInfo, work) for n in range(2)]
        assert [f.result().id for f in both] == ["v1", "v1"]


def test_a_note_is_kept_once() -> None:
    ledger = Ledger("r")
    for _ in range(3):
        ledger.note(Failure(item="a.mp4", reason="empty"))
    ledger.note(Failure(item="b.mp4", reason="empty"))
    assert list(ledger.failures) == ["a.mp4", "b.mp4"]
    assert len(ledger.results) == 2


def test_a_reused_result_counts_as_the_last_word() -> None:
    # Rules fetched again for an event replace the earlier ones, also after a resume.
    ledger = Ledger("r")
    coarse = Look(event=event_of(), detail="coarse", description=seen_of())
    fine = Look(event=event_of(), detail="fine", description=seen_of(observation_of()))
    ledger.call("look", {"detail": "coarse"}, Look, lambda: coarse)
    ledger.call("look", {"detail": "fine"}, Look, lambda: fine)
    assert ledger.looks["e1"].detail == "fine"
    ledger.call("look", {"detail": "coarse"}, Look, lambda: fine)
    assert ledger.looks["e1"].detail == "coarse"


def test_every_kind_of_evidence_resolves() -> None:
    ledger = filled_ledger(observation_of(), rules=(rule_of(),))
    ledger.note(Verdict(id="j1", event_id="e1", score=0.2, verifier="t"))
    ledger.note(Asked(event_id="e1", answers=(answer_of("speed", 1.0),)))
    ledger.note(FinalScore(event_id="e1", verdict_id="j1", score=0.2))
    ledger.note(scene_of())
    resolved = {
        "video:v1": VideoInfo,
        "frame:v1:0": VideoInfo,
        "frame:v1:599": VideoInfo,
        "event:e0": Event,
        "obs:o1": Observation,
        "rule:fast@1": Rule,
        "verdict:j1": Verdict,
        "score:e1": FinalScore,
    }
    for ref, kind in resolved.items():
        assert isinstance(ledger.evidence(ref), kind), ref
    for ref in ("caption:c1", "answer:a-speed", "scene:gate@p1"):
        assert ledger.evidence(ref) is not None, ref


@pytest.mark.parametrize(
    "ref",
    ["", "obs:", "obs:o2", "o1", "rule:fast", "rule:fast@2", "frame:v1:600", "frame:v1:x",
     "frame:v1:1.5", "frame:v1", "frame:v2:0", "event:e9", "scene:gate@p2"],
)  # fmt: skip
def test_anything_else_does_not(ref: str) -> None:
    ledger = filled_ledger(observation_of(), rules=(rule_of(),))
    ledger.note(scene_of())
    assert ledger.evidence(ref) is None


def test_the_time_of_a_frame_comes_from_a_look_that_saw_it() -> None:
    ledger = filled_ledger(observation_of())
    assert ledger.frame_seconds("v1", 150) == 15.0
    assert ledger.frame_seconds("v1", 50) is None
    assert ledger.frame_seconds("v2", 150) is None


def test_lookups_of_absent_things_give_none() -> None:
    ledger = filled_ledger(observation_of())
    assert ledger.observation("o1") is not None
    assert ledger.observation("o2") is None
    assert ledger.event("e0") is not None
    assert ledger.event("e9") is None
    assert ledger.scene is None
