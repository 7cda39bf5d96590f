"""Runs a suite: induce, ask about every clip, hold normal clips out, write figures and their basis.

::

    OUT/data/KEY/       generated scenes, where the suite asks for them
    OUT/homes/KEY/      archives made by induction (the user's own is never touched)
    OUT/items/*.json    one answer each, written as it comes; a second run asks only what is missing
    OUT/results.json    the figures
    OUT/run.json        what they rest on
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from agent import induce_scene, load_settings
from evals.datasets import Dataset, Item, load_ucsd
from evals.items import AgentAsker, ItemResult, Task, answer
from evals.provenance import (
    code_id,
    data_id,
    file_sha256,
    git_state,
    machine,
    versions,
    write_json,
)
from evals.report import report
from evals.suite import Suite, UcsdSpec, data_root
from tools.errors import UserError
from tools.types import content_id

__all__ = ["run_suite"]

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class _Section:
    """Clips asked about with rules induced from other clips."""

    induce: tuple[Item, ...]
    ask: tuple[Item, ...]


def run_suite(
    suite: Suite,
    *,
    data: Path | None = None,
    out: Path | None = None,
    limit: int | None = None,
    workers: int = 1,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Run a suite and return the content of its ``results.json``.

    Args:
        data: the folder of clips and labels; by default the suite's, under ``VIDOCQ_DATA``, or
            its scenes, rendered into ``out``.
        out: where everything goes; by default ``runs/NAME``.
        limit: ask about the first so many clips of each section only.
        workers: processes asking side by side.
        say: told of every step, one line each.

    Raises UserError for bad data or settings, StoreError where results cannot be written.
    """
    begun = time.perf_counter()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    target = out if out is not None else Path("runs") / suite.name
    folder = data if data is not None else _data(suite, target, say)
    dataset = load_ucsd(folder)
    sections = _sections(suite, dataset, limit)
    used = {i.name: i for s in sections.values() for i in (*s.induce, *s.ask)}
    hashes = {name: file_sha256(item.path) for name, item in used.items()}
    hashes["labels.json"] = file_sha256(folder / "labels.json")
    code = code_id()
    # The environment and a vidocq.toml count too, so the effective settings are what is recorded.
    settings = load_settings({"home": target, **suite.settings})
    effective = settings.model_dump(mode="json", exclude={"home"})

    answers: dict[str, list[tuple[Item, ItemResult]]] = {}
    for name, section in sections.items():
        basis = content_id(
            code, suite.scene, effective, {i.name: hashes[i.name] for i in section.induce}
        )
        home = target / "homes" / basis
        _induce(suite, section.induce, home, say)
        tasks = [
            Task(
                key=content_id(basis, suite.question, suite.budget, hashes[item.name]),
                name=item.name,
                path=item.path,
                home=str(home),
            )
            for item in section.ask
        ]
        results = _ask_all(suite, tasks, target / "items" / name, workers, say)
        answers[name] = [(item, results[item.name]) for item in section.ask]

    results_json = report(suite, answers["test"], answers.get("heldout", ())) | {
        "limited_to": limit
    }
    write_json(target / "results.json", results_json)
    write_json(
        target / "run.json",
        {
            "suite": suite.model_dump(mode="json"),
            "settings": effective,
            "started": started,
            "seconds": round(time.perf_counter() - begun, 1),
            "workers": workers,
            "limit": limit,
            "code": {"id": code, **git_state()},
            "versions": versions(),
            "machine": machine(),
            "data": {
                "folder": folder.name,
                "fingerprint": data_id(hashes),
                "files": len(hashes),
                "induced_from": {n: [i.name for i in s.induce] for n, s in sections.items()},
            },
        },
    )
    return results_json


def _data(suite: Suite, target: Path, say: Say) -> Path:
    """The suite's own folder; generated scenes are rendered unless they lie there already."""
    spec = suite.dataset
    if isinstance(spec, UcsdSpec):
        return data_root() / spec.folder
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


def _sections(suite: Suite, dataset: Dataset, limit: int | None) -> dict[str, _Section]:
    train = dataset.train
    if suite.induction.clips is not None:
        known = {item.name: item for item in train}
        missing = [name for name in suite.induction.clips if name not in known]
        if missing:
            raise UserError(f"{dataset.folder} has no training clip {', '.join(missing)}")
        train = tuple(known[name] for name in suite.induction.clips)
    if not train or not dataset.test:
        raise UserError(f"{dataset.folder} needs training and test clips in labels.json")
    sections = {"test": _Section(train, dataset.test[:limit])}
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
        sections["heldout"] = _Section(inside, outside[:limit])
    return sections


def _induce(suite: Suite, clips: Sequence[Item], home: Path, say: Say) -> None:
    """Make the scene in ``home`` unless a finished induction of the same key is there."""

    done = home / "induced.json"
    if done.is_file():
        say(f"scene {suite.scene}: induced before from {len(clips)} clips")
        return
    say(f"scene {suite.scene}: inducing from {len(clips)} clips …")
    begun = time.perf_counter()
    induce_scene([item.path for item in clips], scene=suite.scene, home=home, **suite.settings)
    seconds = round(time.perf_counter() - begun, 1)
    write_json(done, {"clips": [item.name for item in clips], "seconds": seconds})
    say(f"scene {suite.scene}: induced in {seconds} s")


def _ask_all(
    suite: Suite, tasks: Sequence[Task], folder: Path, workers: int, say: Say
) -> dict[str, ItemResult]:
    results: dict[str, ItemResult] = {}
    for task in tasks:
        kept = _kept(folder, task)
        if kept is not None:
            results[task.name] = kept
    left = [task for task in tasks if task.name not in results]
    if results:
        say(f"{len(results)} of {len(tasks)} answers kept from an earlier run")
    for result in _answers(suite, left, workers):
        write_json(folder / f"{result.name}.json", result.model_dump(mode="json"))
        results[result.name] = result
        label = result.decision.label if result.decision else f"failed: {result.error}"
        say(f"[{len(results)}/{len(tasks)}] {result.name}: {label} in {result.seconds:.1f} s")
    return results


def _kept(folder: Path, task: Task) -> ItemResult | None:
    """The answer of an earlier run, if it rests on the same code, data, rules and question."""
    try:
        text = (folder / f"{task.name}.json").read_text(encoding="utf-8")
        result = ItemResult.model_validate_json(text)
    except (OSError, ValidationError):
        return None
    # A failure may have been the moment's: ask again.
    return result if result.key == task.key and not result.error else None


def _answers(suite: Suite, tasks: Sequence[Task], workers: int) -> Iterator[ItemResult]:
    if not tasks:
        return
    if workers <= 1 or len(tasks) == 1:
        with AgentAsker(suite, Path(tasks[0].home)) as ask:
            for task in tasks:
                yield answer(ask, task)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_work, suite, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_ASKERS: dict[str, AgentAsker] = {}
"""One agent per worker process and archive."""


def _work(suite: Suite, task: Task) -> ItemResult:
    import cv2

    cv2.setNumThreads(1)
    if task.home not in _ASKERS:
        _ASKERS[task.home] = AgentAsker(suite, Path(task.home))
    return answer(_ASKERS[task.home], task)
