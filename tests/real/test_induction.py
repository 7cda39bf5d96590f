"""Induction from real footage: one normal clip of UCSD Ped2, end to end and onto record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.archive import Archive
from tools.backends.embedded.embedder import HashedEmbedder
from tools.boundaries import embedded_detector
from tools.captioning import embedded_captioner
from tools.errors import MediaError, UserError
from tools.induction.inducing import induce_and_save
from tools.rulebook.predicates import describe, evaluate, validate
from tools.toolbox import Toolbox
from tools.types import Rule, RuleKind, RuleStatus
from tools.verification import embedded_planner, embedded_verifier
from tools.video import open_video

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def clip(data_dir: Path) -> Path:
    return data_dir / "ucsd_ped2" / "Train001.mp4"


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    home = tmp_path_factory.mktemp("home")
    embedder = HashedEmbedder()
    archive = Archive(home, embedder)
    yield Toolbox(
        archive=archive,
        detector=embedded_detector(),
        captioner=embedded_captioner(home / "cache"),
        verifier=embedded_verifier(),
        planner=embedded_planner(),
        embedder=embedder,
    )
    archive.close()


@pytest.fixture(scope="module")
def rules(tools: Toolbox, clip: Path) -> tuple[Rule, ...]:
    record = induce_and_save(tools, [clip], "walkway")
    assert tools.archive.scene("walkway") == record
    assert record.calibration.events >= 3
    return tools.archive.rules.list("walkway", include_retired=True)


def test_nothing_is_recorded_of_what_cannot_be_induced(tools: Toolbox, clip: Path) -> None:
    with pytest.raises(UserError, match="cannot name a scene"):
        induce_and_save(tools, [clip], "a b")
    with pytest.raises(MediaError, match=r"absent\.mp4"):
        induce_and_save(tools, ["absent.mp4"], "half")
    assert "half" not in {scene.name for scene in tools.archive.scenes()}


def test_one_clip_gives_a_sensible_book(rules: tuple[Rule, ...]) -> None:
    active = [r for r in rules if r.status is RuleStatus.ACTIVE]
    predicates = [describe(r.predicate) for r in active if r.predicate]
    for start in ("glide > ", "speed > ", "activity in {", "count > "):
        assert [p for p in predicates if p.startswith(start)], start
    (speed,) = [
        float(m[1]) for p in predicates if (m := re.match(r"speed > ([\d.]+) .*\bperson\b", p))
    ]
    assert 1.2 < speed < 3  # people walk; nobody walks three times as fast as is usual
    assert all(2 * r.support >= r.batches for r in active)
    assert {r.kind for r in active} == set(RuleKind)


def test_predicates_are_measurable_and_cite_frames_of_the_clip(
    tools: Toolbox, rules: tuple[Rule, ...]
) -> None:
    (info,) = tools.archive.videos()
    for rule in rules:
        assert rule.predicate is not None
        assert validate(rule.predicate, tools.captioner.attributes) == rule.predicate
        assert [(p.clip, p.video_id) for p in rule.provenance] == [("Train001.mp4", info.id)]
        assert all(0 <= f < info.frames for p in rule.provenance for f in p.frames)


def test_hardly_anything_in_the_clip_itself_breaks_its_rules(
    tools: Toolbox, rules: tuple[Rule, ...], clip: Path
) -> None:
    profile = tools.archive.profile("walkway")
    with open_video(clip) as source:
        look = tools.captioner.describe(source, source.info.interval, profile=profile)
    fired = [
        (describe(r.predicate), o.text)
        for r in rules
        for o in look.observations
        if r.kind is RuleKind.ANOMALOUS and r.status is RuleStatus.ACTIVE
        if "limit" in r.id and r.predicate and evaluate(r.predicate, o).holds
    ]
    assert len(fired) <= 1, fired


def test_its_rules_are_found(tools: Toolbox, rules: tuple[Rule, ...]) -> None:
    query = "something glides past fast, without swinging its limbs"
    assert tools.archive.rules.retrieve("walkway", query)[0].rule.id.startswith("glide-limit")
