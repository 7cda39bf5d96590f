"""What is packed equals what it was made of, and takes little memory."""

from __future__ import annotations

import gc
import pickle
import tracemalloc

from tests.builders import event_of, hit_of, observation_of, rule_of, seen_of
from tools.ledger import Ledger, Look, Recall
from tools.packed import PackedAttributes, PackedPoints, PackedRecords, find, packed_attributes
from tools.types import Attribute, Box, Clause, Description, Interval, Observation, Point, TimeBase

POINTS = tuple(
    Point(
        frame=2 * n,
        pts=512 * n,
        surprise=n / 7,
        box=Box(x0=n, y0=2, x1=n + 3, y1=9) if n % 3 else None,
    )
    for n in range(20)
)


def observed(points: tuple[Point, ...]) -> Observation:
    return Observation(
        id="o", video_id="v", interval=Interval(start=0, end=9, time_base=TimeBase(num=1, den=10)),
        subject="person", activity="walks", text="a person walks", key_frame=4, points=points,
    )  # fmt: skip


def test_they_read_like_the_tuple() -> None:
    points = observed(POINTS).points
    assert isinstance(points, PackedPoints)
    assert points == POINTS
    assert tuple(points) == POINTS
    assert (points[3], points[-1], len(points)) == (POINTS[3], POINTS[-1], 20)
    assert points[2:5] == POINTS[2:5]
    assert hash(points) == hash(POINTS)
    assert repr(points) == repr(POINTS)
    assert points != POINTS[1:]
    assert POINTS[4] in points


def test_they_travel() -> None:
    seen = observed(POINTS)
    assert Observation.model_validate_json(seen.model_dump_json()) == seen
    assert pickle.loads(pickle.dumps(seen)) == seen
    assert seen.model_dump()["points"][1]["box"] == {"x0": 1, "y0": 2, "x1": 4, "y1": 9}
    assert seen.model_copy(update={"points": POINTS}).model_dump_json() == seen.model_dump_json()


def test_few_stay_as_they_are() -> None:
    assert type(observed(POINTS[:2]).points) is tuple


ATTRIBUTES = (
    Attribute(name="speed", value=1.25, unit="walking speeds", usual=1.0, limit=1.9, surprise=0.3),
    Attribute(name="direction", value="left"),
    Attribute(name="dwell", value=0.0, unit="s"),
)


def test_attributes_read_like_the_tuple() -> None:
    seen = observed(POINTS).model_copy(update={"attributes": packed_attributes(ATTRIBUTES)})
    found = seen.attributes
    assert isinstance(found, PackedAttributes)
    assert (found == ATTRIBUTES, tuple(found) == ATTRIBUTES, len(found)) == (True, True, 3)
    assert (found[1], found[-1], found[:2] == ATTRIBUTES[:2]) == (
        ATTRIBUTES[1], ATTRIBUTES[2], True,
    )  # fmt: skip
    assert (hash(found), repr(found)) == (hash(ATTRIBUTES), repr(ATTRIBUTES))
    assert (seen.value("speed"), seen.attribute("direction")) == (1.25, ATTRIBUTES[1])
    assert seen.attribute("size") is None
    assert Observation.model_validate_json(seen.model_dump_json()) == seen
    assert pickle.loads(pickle.dumps(seen)) == seen
    assert Observation.model_validate(seen.model_dump()).attributes == found
    assert type(observed(POINTS).attributes) is tuple  # none stay none


def test_a_frame_is_found() -> None:
    assert find(observed(POINTS).points, 8) == POINTS[4]
    assert find(POINTS, 8) == POINTS[4]
    assert find(observed(POINTS).points, 7) is None


SEEN = tuple(observed(POINTS[n:]).model_copy(update={"id": f"o{n}"}) for n in range(5))


def test_records_read_like_the_tuple() -> None:
    found = seen_of(*SEEN).observations
    assert isinstance(found, PackedRecords)
    assert (found == SEEN, tuple(found) == SEEN, len(found)) == (True, True, 5)
    assert (found[1], found[-1], found[1:3]) == (SEEN[1], SEEN[4], SEEN[1:3])
    assert (hash(found), repr(found)) == (hash(SEEN), repr(SEEN))
    assert found != SEEN[1:]
    assert type(seen_of().observations) is tuple  # none stay none


def test_records_travel() -> None:
    clauses = (Clause(text="A person walks", observations=("o1",)),)
    seen = seen_of(*SEEN)
    caption = seen.caption.model_copy(update={"clauses": clauses})
    whole = Description.model_validate({**seen.model_dump(), "caption": caption.model_dump()})
    assert isinstance(whole.caption.clauses, PackedRecords)
    assert (whole.observations, whole.caption.clauses) == (SEEN, clauses)
    assert Description.model_validate_json(whole.model_dump_json()) == whole
    assert pickle.loads(pickle.dumps(whole)) == whole


def look_at(n: int) -> Look:
    """A look at one event of many: twenty people, each seen in thirty frames."""
    start = 10.0 * n
    numbers: dict[str, float] = {f"measure{k}": n + k / 7 for k in range(9)}
    observations = tuple(
        observation_of(
            f"{n:05d}-{k:02d}", start_s=start + k / 5, end_s=start + 3 + k / 5, **numbers
        )
        for k in range(20)
    )
    event = event_of(f"e{n}", start, start + 10.0)
    seen = seen_of(*observations, start_s=start, end_s=start + 10.0)
    clauses = [{"text": o.text, "observations": [o.id]} for o in observations]
    dumped = {**seen.model_dump(), "caption": {**seen.caption.model_dump(), "clauses": clauses}}
    return Look(event=event, detail="fine", description=Description.model_validate(dumped))


def test_what_a_look_keeps_is_bounded() -> None:
    rules = [rule_of(f"r{k}") for k in range(8)]

    def kept(looks: int) -> int:
        """Bytes that a ledger holds after so many looks and recalls."""
        gc.collect()
        tracemalloc.start()
        ledger = Ledger("r")
        for n in range(looks):
            ledger.note(look_at(n))
            hits = tuple(hit_of(r) for r in rules)
            recall = Recall(event_id=f"e{n}", query="x", k=8, hits=hits)
            ledger.call("recall", {"event": n}, Recall, lambda made=recall: made)
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        for n in (0, looks - 1):
            assert ledger.observation(f"{n:05d}-07") == look_at(n).description.observations[7]
        return used

    kept(20)  # what is made once, and as many blocks as stay unpacked
    growth = (kept(60) - kept(20)) / 40
    assert growth < 16_000, f"{growth:.0f} bytes for a look"
