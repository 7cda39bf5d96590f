"""Sections over videos: scenes induced from training clips, held-out clips, control archives."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent import induce_scene, load_settings, open_stores
from evals.datasets import Dataset, Item, load_ucsd
from evals.expecting import with_expected
from evals.injecting import injected_sections
from evals.model import Sample
from evals.provenance import code_id, file_sha256, write_json
from evals.sections import Say, Section
from evals.suite import ScenesSpec, Suite, UcsdSpec, data_root
from tools.errors import UserError
from tools.types import content_id

__all__ = ["sample_of", "video_folder", "video_sections"]


def video_sections(
    suite: Suite, target: Path, folder: Path, limit: int | None, effective: Mapping[str, Any]
) -> tuple[tuple[Section, ...], dict[str, str]]:
    """The sections of a suite over a folder laid out like UCSD Ped2, and the hashes of its files.

    Raises UserError before any work is done.
    """
    dataset = load_ucsd(folder)
    layout = _layout(suite, dataset, limit)
    tests = with_expected(suite, [sample_of(item, suite) for item in dataset.test])[:limit]
    used = {i.name: i for inside, asked in layout.values() for i in (*inside, *asked)}
    hashes = {name: file_sha256(item.path) for name, item in used.items()}
    sections = []
    for name, (inside, asked) in layout.items():
        basis = content_id(
            code_id(), suite.scene, effective, {i.name: hashes[i.name] for i in inside}
        )
        home = target / "homes" / basis
        sections.append(
            Section(
                name=name,
                samples=(
                    tests if name == "test" else tuple(sample_of(item, suite) for item in asked)
                ),
                home=home,
                basis=basis,
                make=_Induce(suite, inside, home),
                hashes=hashes,
                induced_from=tuple(i.name for i in inside),
            )
        )
    sections += [_control(suite, name, sections[0]) for name in suite.controls]
    sections += injected_sections(suite.inject, sections[0])
    return tuple(sections), hashes | {"labels.json": file_sha256(folder / "labels.json")}


def sample_of(item: Item, suite: Suite) -> Sample:
    """A labelled clip as a sample; unless it names annotators, its one is whoever labelled it."""
    return Sample(
        id=item.name,
        source=item.path,
        frames=item.frames,
        fps=item.fps,
        scene=suite.scene,
        truth=item.annotators or (item.anomalous,),
        category=item.category,
        boxes={frame: (box,) for frame, box in item.boxes.items()},
        kind=item.kind,
        split=item.split,
        question=suite.question,
        references=item.references,
        expected=item.expected,
    )


def video_folder(suite: Suite, target: Path, say: Say) -> Path:
    """The suite's own folder; generated scenes are rendered unless they lie there already."""
    spec = suite.dataset
    if isinstance(spec, UcsdSpec):
        return data_root() / spec.folder
    if not isinstance(spec, ScenesSpec):
        raise UserError(f"suite {suite.name}: layout {spec.layout} holds no videos")
    from evals.scenes import render_set

    # Named after all that decides the pictures, the generator's code included.
    folder = target / "data" / content_id(code_id("scenes"), spec)
    if not (folder / "labels.json").is_file():
        say(f"rendering {spec.normals + len(spec.kinds) * len(spec.seeds)} clips …")
        render_set(
            folder,
            kinds=spec.kinds,
            seeds=spec.seeds,
            normals=spec.normals,
            seconds=spec.seconds,
            place=spec.place,
        )
    return folder


def _layout(
    suite: Suite, dataset: Dataset, limit: int | None
) -> dict[str, tuple[tuple[Item, ...], tuple[Item, ...]]]:
    """Section → clips to induce from, clips to ask about."""
    train = dataset.train
    if suite.induction.clips is not None:
        known = {item.name: item for item in train}
        missing = [name for name in suite.induction.clips if name not in known]
        if missing:
            raise UserError(f"{dataset.folder} has no training clip {', '.join(missing)}")
        train = tuple(known[name] for name in suite.induction.clips)
    if not train or not dataset.test:
        raise UserError(f"{dataset.folder} needs training and test clips in labels.json")
    layout = {"test": (train, dataset.test[:limit])}
    if suite.heldout is not None:
        if suite.heldout.induce >= len(train):
            raise UserError(
                f"cannot hold clips out: {len(train)} training clips in {dataset.folder}, "
                f"induction takes {suite.heldout.induce}",
                remedy="lower heldout.induce in the suite",
            )
        order = np.random.default_rng(suite.heldout.seed).permutation(len(train))
        chosen = set(order[: suite.heldout.induce].tolist())
        inside = tuple(item for i, item in enumerate(train) if i in chosen)
        outside = tuple(item for i, item in enumerate(train) if i not in chosen)
        layout["heldout"] = (inside, outside[:limit])
    return layout


@dataclass(frozen=True, eq=False)
class _Induce:
    """Makes the scene in ``home`` unless a finished induction of the same basis is there."""

    suite: Suite
    clips: Sequence[Item]
    home: Path

    def __call__(self, say: Say) -> None:
        suite, clips = self.suite, self.clips
        done = self.home / "induced.json"
        if done.is_file():
            say(f"scene {suite.scene}: induced before from {len(clips)} clips")
            return
        say(f"scene {suite.scene}: inducing from {len(clips)} clips …")
        begun = time.perf_counter()
        paths = [item.path for item in clips]
        shutil.rmtree(self.home, ignore_errors=True)  # what an interrupted induction left
        induce_scene(paths, scene=suite.scene, home=self.home, **suite.settings)
        seconds = round(time.perf_counter() - begun, 1)
        write_json(done, {"clips": [item.name for item in clips], "seconds": seconds})
        say(f"scene {suite.scene}: induced in {seconds} s")


# ---------------------------------------------------------------- controls


def _control(suite: Suite, name: str, of: Section) -> Section:
    """The same questions with something taken away; ``of`` is the section it is compared with."""
    rounds, home, make = None, of.home, of.make
    if name == "single_look":
        rounds = 1
    else:
        home = of.home.with_name(f"{of.home.name}-{name}")
        make = _Tamper(suite, name, of.home, home)
    return Section(
        name=f"control:{name}",
        samples=of.samples,
        home=home,
        basis=of.basis,
        make=make,
        hashes=of.hashes,
        induced_from=of.induced_from,
        max_rounds=rounds,
    )


@dataclass(frozen=True, eq=False)
class _Tamper:
    """Copies the archive ``source`` to ``home`` and takes its rules away or deals them out anew."""

    suite: Suite
    name: str
    source: Path
    home: Path

    def __call__(self, say: Say) -> None:
        done = self.home / "control.json"
        if done.is_file():
            return
        say(f"control {self.name}: copying the archive …")
        shutil.rmtree(self.home, ignore_errors=True)
        leave = shutil.ignore_patterns("runs", "checkpoints.db*", "*.lock")
        shutil.copytree(self.source, self.home, ignore=leave)
        stores = open_stores(load_settings({"home": self.home, **self.suite.settings}))
        try:
            book = stores.archive.rules
            rules = book.list(self.suite.scene)
            if self.name == "no_rules":
                for rule in rules:
                    book.retire(rule.id, author="control")
            else:
                tested = [rule for rule in rules if rule.predicate is not None]
                order = _derangement(len(tested), seed=self.suite.bootstrap.seed)
                for rule, other in zip(tested, order, strict=True):
                    book.edit(rule.id, predicate=tested[other].predicate, author="control")
        finally:
            stores.close()
        write_json(done, {"control": self.name, "rules": len(rules)})


def _derangement(count: int, *, seed: int) -> list[int]:
    """A shuffled order that leaves nothing in its place (impossible for one)."""
    order = np.random.default_rng(seed).permutation(count)
    moved = np.empty(count, int)
    moved[order] = np.roll(order, 1)
    return [int(i) for i in moved]
