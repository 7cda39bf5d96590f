"""The rule store as others use it: versions, retrieval, concurrency, an index that may break."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from numpy.typing import NDArray

from tools.archive import Archive, SceneRecord
from tools.backends.chroma import ChromaIndex
from tools.backends.embedded.embedder import HashedEmbedder
from tools.errors import StoreError, UserError
from tools.ports import SceneProfile
from tools.rulebook.book import induced_id
from tools.rulebook.predicates import parse
from tools.rulebook.scoping import Occasion
from tools.types import (
    Attribute,
    Interval,
    Observation,
    Rule,
    RuleCategory,
    RuleKind,
    RuleStatus,
    Scope,
    TimeBase,
)

NORMAL, ANOMALOUS = RuleKind.NORMAL, RuleKind.ANOMALOUS
ACTIVITY, MOTION = RuleCategory.ACTIVITY, RuleCategory.MOTION


def induced(slot: str, text: str, **fields: object) -> Rule:
    base = Rule(
        id=induced_id("gate", slot),
        scene="gate",
        version=1,
        kind=NORMAL,
        category=MOTION,
        text=text,
        support=4,
        batches=5,
    )
    return base.model_copy(update=fields)


WALK = induced("activity/walk", "People walk, up to 1.5× the usual walking speed.")
GLIDE = induced(
    "glide/limit",
    "Something glides: it moves fast without limb motion.",
    kind=ANOMALOUS,
    predicate=parse("glide > 1.4"),
)
DIRECTION = induced("direction/usual", "People move left and right.")


def save(archive: Archive, rules: list[Rule], version: str = "v1", scene: str = "gate") -> None:
    profile = SceneProfile(
        scene=scene, captioner="c", width=8, height=8, clips=(), seconds=1.0, version=version
    )
    record = SceneRecord(
        name=scene, captioner="c", profile_version=version, width=8, height=8, seconds=1.0
    )
    archive.save_scene(record, profile, rules)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(tmp_path / "home", HashedEmbedder())
    save(archive, [WALK, GLIDE, DIRECTION])
    yield archive
    archive.close()


def observe(**values: float) -> Observation:
    return Observation(
        id="o1",
        video_id="v",
        interval=Interval(start=0, end=9, time_base=TimeBase(num=1, den=10)),
        subject="person",
        activity="moves",
        text="",
        key_frame=1,
        attributes=tuple(Attribute(name=n, value=v) for n, v in values.items()),
    )


# ---------------------------------------------------------------- versions


def test_edits_make_versions_and_history_keeps_them(archive: Archive) -> None:
    rules = archive.rules
    edited = rules.edit(WALK.id, text="  People walk\n or jog. ", author="ann")
    assert (edited.version, edited.text, edited.source) == (2, "People walk or jog.", "user")
    assert (edited.support, edited.batches) == (0, 0)  # nobody voted on the new text
    assert [r.text for r in rules.history(WALK.id)] == [WALK.text, "People walk or jog."]
    assert rules.get(f"rule:{WALK.id}@1").text == WALK.text
    assert rules.get(WALK.id, 2) == rules.get(WALK.id) == edited


def test_an_edit_that_changes_nothing_makes_no_version(archive: Archive) -> None:
    assert archive.rules.edit(WALK.id, text=WALK.text).version == 1


def test_a_predicate_can_be_set_and_removed(archive: Archive) -> None:
    rules = archive.rules
    assert rules.edit(WALK.id, predicate=parse("speed < 2")).predicate == parse("speed < 2")
    assert rules.edit(WALK.id, drop_predicate=True).predicate is None
    with pytest.raises(UserError, match="choose one"):
        rules.edit(WALK.id, predicate=parse("speed < 2"), drop_predicate=True)


def test_retired_rules_rest_and_come_back(archive: Archive) -> None:
    rules = archive.rules
    assert rules.retire(GLIDE.id).status is RuleStatus.RETIRED
    assert rules.retire(GLIDE.id).version == 2
    assert GLIDE.id not in {r.id for r in rules.list("gate")}
    assert GLIDE.id in {r.id for r in rules.list("gate", include_retired=True)}
    assert GLIDE.id not in {h.rule.id for h in rules.retrieve("gate", "something glides")}
    back = rules.edit(GLIDE.id, status=RuleStatus.ACTIVE)
    assert (back.version, back.support) == (3, 4)  # the statement is the one that was voted on
    assert rules.retrieve("gate", "something glides")[0].rule == back


def test_going_back_is_a_version_of_its_own(archive: Archive) -> None:
    rules = archive.rules
    rules.edit(GLIDE.id, text="Nothing glides.", scope=Scope(hours=("22:00", "06:00")))
    rules.retire(GLIDE.id)
    back = rules.revert(GLIDE.id, 1, author="ann")
    assert (back.version, back.text, back.support, back.author) == (4, GLIDE.text, 4, "ann")
    assert (back.scope, back.status) == (Scope(), RuleStatus.ACTIVE)
    assert rules.revert(GLIDE.id, 1).version == 4
    assert rules.get(f"rule:{GLIDE.id}@2").text == "Nothing glides."
    with pytest.raises(UserError, match="versions 1 to 4"):
        rules.revert(GLIDE.id, 9)


def test_a_zone_is_kept_in_versions_and_taken_out_of_use(archive: Archive) -> None:
    rules = archive.rules
    square = ((0.0, 0.0), (8.0, 0.0), (8.0, 8.0))
    zone, _ = rules.set_zone("gate", "fence", square)
    scope = Scope(zone=zone.name, polygon=zone.polygon)
    rule = rules.add("gate", "Nobody at the fence.", ANOMALOUS, ACTIVITY, scope=scope)
    with pytest.raises(UserError, match=f"zone “fence” is used by {rule.id}"):
        rules.drop_zone("gate", "fence")
    _, moved = rules.set_zone("gate", "fence", square[::-1])
    assert [r.version for r in moved] == [2]
    assert rules.set_zone("gate", "fence", square[::-1]) == (rules.zone("gate", "fence"), ())
    rules.retire(rule.id)
    assert rules.drop_zone("gate", "fence").version == 3
    assert rules.zones("gate") == {}
    assert rules.set_zone("gate", "fence", square)[0].version == 4
    with pytest.raises(UserError, match="no zone “fance” in scene “gate”; did you mean “fence”"):
        rules.zone("gate", "fance")


def test_a_stale_edit_is_refused(archive: Archive) -> None:
    archive.rules.edit(WALK.id, text="First.", expect=1)
    with pytest.raises(UserError, match="at version 2, not 1"):
        archive.rules.edit(WALK.id, text="Second.", expect=1)


def test_adding_twice_is_adding_once(archive: Archive) -> None:
    rules = archive.rules
    one = rules.add("gate", "No bicycles here.", ANOMALOUS, ACTIVITY, author="ann")
    assert rules.add("gate", "No  bicycles here.", ANOMALOUS, ACTIVITY) == one
    assert one.id.startswith("bicycles-here-")
    rules.retire(one.id)
    assert rules.add("gate", "No bicycles here.", ANOMALOUS, ACTIVITY).version == 3
    rules.edit(one.id, text="Bicycles are fine.", kind=NORMAL)
    other = rules.add("gate", "No bicycles here.", ANOMALOUS, ACTIVITY)
    assert (other.version, other.id != one.id) == (1, True)


def test_a_sentence_that_ends_or_is_spaced_otherwise_is_the_same(archive: Archive) -> None:
    rules = archive.rules
    one = rules.add("gate", "Nobody’s to run here.", ANOMALOUS, ACTIVITY)
    for again in ("nobody's to  run here", " Nobody's to RUN here !", "Nobody’s to run here …"):
        assert rules.add("gate", again, ANOMALOUS, ACTIVITY) == one
    rules.retire(one.id)
    back = rules.add("gate", "nobody's to run here", ANOMALOUS, ACTIVITY)
    assert (back.id, back.version, back.text) == (one.id, 3, one.text)
    assert rules.add("gate", "Nobody's to run there", ANOMALOUS, ACTIVITY).id != one.id
    by_night = Scope(hours=("22:00", "06:00"))
    assert rules.add("gate", one.text, ANOMALOUS, ACTIVITY, scope=by_night).id != one.id


def test_unknown_things_are_said(archive: Archive) -> None:
    with pytest.raises(UserError, match=f"did you mean {WALK.id}"):
        archive.rules.get(WALK.id[:-1])
    with pytest.raises(UserError, match="versions 1 to 1"):
        archive.rules.get(WALK.id, 7)
    with pytest.raises(UserError, match="not a rule"):
        archive.rules.get("x@y")
    with pytest.raises(UserError, match="did you mean “gate”"):
        archive.rules.add("gat", "x", NORMAL, ACTIVITY)
    with pytest.raises(UserError, match="did you mean “gate”"):
        archive.rules.retrieve("gate2", "x")
    with pytest.raises(UserError, match="needs a text"):
        archive.rules.add("gate", " \n", NORMAL, ACTIVITY)
    with pytest.raises(UserError, match="no rule"):
        archive.rules.retire("nothing")


# ---------------------------------------------------------------- induction on top


def test_the_same_induction_writes_nothing(archive: Archive) -> None:
    save(archive, [WALK, GLIDE, DIRECTION], "v2")
    assert {r.version for r in archive.rules.list("gate")} == {1}


def test_induction_updates_and_retires_its_own_rules(archive: Archive) -> None:
    save(archive, [WALK.model_copy(update={"text": "Slower."}), GLIDE], "v2")
    rules = archive.rules
    assert rules.get(WALK.id).version == 2
    assert rules.get(GLIDE.id).version == 1
    assert rules.get(DIRECTION.id).status is RuleStatus.RETIRED
    save(archive, [WALK, GLIDE, DIRECTION], "v3")
    assert rules.get(DIRECTION.id).status is RuleStatus.ACTIVE


def test_induction_never_touches_a_users_rule(archive: Archive) -> None:
    rules = archive.rules
    rules.edit(WALK.id, text="People may run.")
    rules.retire(GLIDE.id)
    added = rules.add("gate", "No dogs.", ANOMALOUS, ACTIVITY)
    save(archive, [WALK, GLIDE], "v2")
    assert rules.get(WALK.id).text == "People may run."
    assert rules.get(GLIDE.id).status is RuleStatus.RETIRED
    assert rules.get(added.id) == added


# ---------------------------------------------------------------- concurrency

_EDITS = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from tools.archive import Archive
from tools.backends.embedded.embedder import HashedEmbedder
rules = Archive(Path({home!r}), HashedEmbedder(), busy_timeout_s=60).rules
for number in range(25):
    rules.edit({rule!r}, text=f"{worker} edit {{number}}", author="{worker}")
"""


def test_eight_processes_lose_no_edit(archive: Archive) -> None:
    def start(worker: int) -> subprocess.Popen[bytes]:
        code = _EDITS.format(
            paths=sys.path, home=str(archive.home), rule=WALK.id, worker=f"w{worker}"
        )
        return subprocess.Popen([sys.executable, "-c", code])

    children = [start(worker) for worker in range(8)]
    assert [child.wait() for child in children] == [0] * 8
    history = archive.rules.history(WALK.id)
    assert [r.version for r in history] == list(range(1, 202))
    texts = {r.text for r in history[1:]}
    assert texts == {f"w{w} edit {n}" for w in range(8) for n in range(25)}
    hits = archive.rules.retrieve("gate", history[-1].text)
    assert hits[0].rule == history[-1]


# ---------------------------------------------------------------- retrieval


def test_retrieval_ranks_scores_and_says_why(archive: Archive) -> None:
    hits = archive.rules.retrieve("gate", "a person-sized object glides fast, without limbs")
    assert hits[0].rule.id == GLIDE.id
    assert "“glides”" in hits[0].reason
    assert "similarity" in hits[0].reason
    scores = [h.score for h in hits]
    assert scores == sorted(scores, reverse=True)
    assert len(archive.rules.retrieve("gate", "people move", k=1)) == 1


def test_retrieval_by_kind(archive: Archive) -> None:
    hits = archive.rules.retrieve("gate", "people glide and walk", kinds=[NORMAL])
    assert hits
    assert {h.rule.kind for h in hits} == {NORMAL}


def test_a_rule_whose_predicate_holds_comes_first(archive: Archive) -> None:
    query = "people walk left"
    assert archive.rules.retrieve("gate", query)[0].rule.id != GLIDE.id
    hits = archive.rules.retrieve("gate", query, observations=[observe(glide=3.0)])
    assert hits[0].rule.id == GLIDE.id
    assert "glide > 1.4 holds for o1" in hits[0].reason
    assert hits[0].score > 0.5


def test_a_query_without_words_finds_nothing(archive: Archive) -> None:
    assert archive.rules.retrieve("gate", "…?!") == ()


def test_scenes_do_not_mix(archive: Archive) -> None:
    save(archive, [], scene="x")
    archive.rules.add("x", "Something glides here every day.", NORMAL, ACTIVITY)
    hits = archive.rules.retrieve("gate", "something glides")
    assert {h.rule.scene for h in hits} == {"gate"}
    assert archive.rules.retrieve("x", "something glides")[0].rule.scene == "x"


# ---------------------------------------------------------------- an index that may break


def expected(archive: Archive) -> list[str]:
    return [h.rule.id for h in archive.rules.retrieve("gate", "something glides without limbs")]


@pytest.mark.parametrize("reopen", [True, False])
@pytest.mark.parametrize("damage", ["deleted", "garbage", "truncated", "emptied", "graph"])
def test_a_broken_index_is_made_again(archive: Archive, damage: str, reopen: bool) -> None:
    before = expected(archive)
    folder = archive.home / "chroma"
    if reopen:
        archive.close()
    if damage == "deleted":
        shutil.rmtree(folder)
    elif damage == "garbage":
        (folder / "chroma.sqlite3").write_bytes(b"garbage" * 9000)
    elif damage == "truncated":
        with (folder / "chroma.sqlite3").open("r+b") as file:
            file.truncate(30_000)
    elif damage == "emptied":
        (folder / "chroma.sqlite3").write_bytes(b"")
    else:
        for path in folder.glob("*/*"):
            path.write_bytes(b"\xff" * 50)
    archive.rules.add("gate", "Dogs run about.", NORMAL, ACTIVITY)
    assert expected(archive)[: len(before)] == before
    assert archive.rules.retrieve("gate", "dogs run")[0].rule.text == "Dogs run about."
    archive.close()
    assert expected(Archive(archive.home, HashedEmbedder())) == expected(archive)


def test_an_index_that_cannot_be_opened_is_said(archive: Archive) -> None:
    archive.close()
    folder = archive.home / "chroma"
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("in the way")
    with pytest.raises(StoreError, match=r"chroma: Chroma cannot open.*delete that path"):
        archive.rules.retrieve("gate", "glides")
    folder.unlink()
    assert expected(archive)


def test_another_embedder_is_refused_until_the_index_is_made_again(archive: Archive) -> None:
    expected(archive)
    archive.close()
    other = Archive(archive.home, HashedEmbedder(64))
    with pytest.raises(
        UserError, match=r"hashed-ngrams-512/1, not with hashed-ngrams-64/1"
    ) as told:
        other.rules.retrieve("gate", "glides")
    assert told.value.remedy.startswith("vidocq rules reindex")
    assert other.rules.reindex(["gate"]) == {"gate": 3}
    assert other.rules.retrieve("gate", "glides")
    other.close()


def test_rules_of_other_hours_and_cameras_are_not_found(archive: Archive) -> None:
    rules = archive.rules
    night = Scope(hours=("22:00", "06:00"))
    rules.add("gate", "Something glides at night.", ANOMALOUS, ACTIVITY, scope=night)
    rules.add("gate", "Something glides, north.", ANOMALOUS, ACTIVITY, scope=Scope(cameras=("n",)))

    def found(occasion: Occasion | None) -> set[str]:
        hits = rules.retrieve("gate", "something glides", k=9, occasion=occasion)
        return {h.rule.text for h in hits if h.rule.scope != Scope()}

    assert len(found(None)) == 2
    assert found(Occasion()) == set()
    assert found(Occasion("n", datetime(2026, 11, 28, 12))) == {"Something glides, north."}
    assert found(Occasion("s", datetime(2026, 11, 28, 23))) == {"Something glides at night."}


def test_repetitions_give_way(archive: Archive) -> None:
    """Eight copies of one statement do not crowd out the only other rule that bears on it."""
    for number in range(8):
        archive.rules.add("gate", f"Nobody may smoke: sign {number}.", ANOMALOUS, ACTIVITY)
    archive.rules.add("gate", "Someone who smokes must be told to leave.", ANOMALOUS, ACTIVITY)
    hits = archive.rules.retrieve("gate", "nobody may smoke, says a sign", k=3)
    assert hits[0].rule.text.startswith("Nobody may smoke: sign")
    assert "Someone who smokes must be told to leave." in {h.rule.text for h in hits}


# ---------------------------------------------------------------- a server


@pytest.fixture(scope="module")
def chroma_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Chroma server on a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("chroma-server")
    command = [
        str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1",
        "--port", str(port), "--path", str(folder),
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def test_a_server_keeps_the_index(archive: Archive, chroma_url: str) -> None:
    embedder = HashedEmbedder()
    served = Archive(archive.home, embedder, chroma_url=chroma_url)
    assert expected(served) == expected(archive)
    assert "similarity" in served.rules.retrieve("gate", "something glides")[0].reason
    served.rules.add("gate", "Dogs run about.", NORMAL, ACTIVITY)
    assert served.rules.retrieve("gate", "dogs run")[0].rule.text == "Dogs run about."
    other = Archive(archive.home, HashedEmbedder(64), chroma_url=chroma_url)
    with pytest.raises(UserError, match=r"indexed with the embedder hashed-ngrams-512/1"):
        other.rules.retrieve("gate", "glides")
    assert other.rules.reindex(["gate"]) == {"gate": 4}
    assert other.rules.retrieve("gate", "dogs run")[0].rule.text == "Dogs run about."


def test_a_server_that_is_not_there_is_said(archive: Archive) -> None:
    gone = Archive(archive.home, HashedEmbedder(), chroma_url="http://127.0.0.1:9")
    with pytest.raises(
        StoreError, match=r"^the Chroma server at http://127.0.0.1:9 does not answer \(Conn"
    ):
        gone.rules.retrieve("gate", "glides")
    wrong = Archive(archive.home, HashedEmbedder(), chroma_url="chroma:8000")
    with pytest.raises(UserError, match="is no address of a Chroma server"):
        wrong.rules.retrieve("gate", "glides")


_EDIT_AND_SEARCH = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from tools.archive import Archive
from tools.backends.embedded.embedder import HashedEmbedder
archive = Archive(Path({home!r}), HashedEmbedder())
archive.rules.edit({rule!r}, text="A swarm of drones hovers.")
assert archive.rules.retrieve("gate", "drones")[0].rule.version == 2
"""


def test_another_processs_edit_is_found(archive: Archive) -> None:
    expected(archive)
    code = _EDIT_AND_SEARCH.format(paths=sys.path, home=str(archive.home), rule=WALK.id)
    subprocess.run([sys.executable, "-c", code], check=True)
    hit = archive.rules.retrieve("gate", "drones hover")[0]
    assert (hit.rule.version, hit.rule.text) == (2, "A swarm of drones hovers.")
    assert "similarity" in hit.reason


def test_a_large_book_is_indexed_whole(archive: Archive) -> None:
    rng = np.random.default_rng(0)
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    texts = ["".join(rng.choice(letters, 12)) for _ in range(300)]
    save(archive, [induced(f"n/{i}", text) for i, text in enumerate(texts)], "v2")
    assert archive.rules.retrieve("gate", texts[123])[0].rule.text == texts[123]


class _Placed:
    """Vectors by number: all but the last few texts close together, those far from all others."""

    name, dim, by_meaning = "placed/1", 32, True

    def __init__(self, count: int, apart: int) -> None:
        rng = np.random.default_rng(0)
        one = rng.normal(size=self.dim)
        vectors = one + 0.3 * rng.normal(size=(count, self.dim))
        vectors[-apart:] = rng.normal(size=(apart, self.dim))
        self.vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.vectors[[int(text) for text in texts]].astype(np.float32)


def test_the_search_misses_no_rule_unlike_the_others(tmp_path: Path) -> None:
    placed = _Placed(1000, 50)
    index = ChromaIndex(tmp_path / "chroma", placed)
    documents = {f"r{n}@1": str(n) for n in range(1000)}
    for n in (*range(950, 1000), 3, 400):
        similarity = placed.vectors @ placed.vectors[n]
        best = [f"r{i}@1" for i in np.argsort(-similarity)[:32]]
        assert [key for key, _ in index.search("gate", documents, str(n), 32)] == best
    index.close()


def test_an_index_of_an_earlier_version_is_made_again(archive: Archive) -> None:
    before = expected(archive)
    archive.close()
    client = chromadb.PersistentClient(
        str(archive.home / "chroma"), Settings(anonymized_telemetry=False)
    )
    (old,) = client.list_collections()
    named, made = old.name, old.metadata
    client.delete_collection(named)
    client.create_collection(
        named, metadata={k: v for k, v in made.items() if k != "graph"}, embedding_function=None
    )
    client.close()
    assert expected(archive) == before
