"""Runs a suite: induce, ask about every sample, save a trace of each, score, write the report.

::

    OUT/data/KEY/             generated scenes, where the suite asks for them
    OUT/homes/KEY/            archives made by induction (the user's own is never touched)
    OUT/suite.json            the suite and its items, in order
    OUT/traces/SECTION/*.jsonl  one saved trace each, written as it comes; a second run asks only
                              what is missing
    OUT/traces/SECTION/*.pictures  the frames an answer about a video cites
    OUT/results.json          the figures, from the saved traces alone
    OUT/run.json              what they rest on
    OUT/report.html           both, to look at
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from evals.items import Asker, Done, Task, answer
from evals.judged import judge_dir
from evals.pictures import draw_pictures
from evals.plan import Expected, trace_path, write_plan
from evals.preparing import open_asker, prepare
from evals.provenance import basis_of, write_json
from evals.saved import saved_key
from evals.scoring import load_run, report_dir, score_dir
from evals.sections import Prepared, Say, Section
from evals.suite import ScenesSpec, Suite, UcsdSpec

__all__ = ["run_suite"]


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
        data: the folder of the data; by default the suite's, under ``VIDOCQ_DATA``, or its scenes,
            rendered into ``out``.
        out: where everything goes; by default ``runs/NAME``.
        limit: ask about the first so many samples of each section only.
        workers: processes asking side by side.
        say: told of every step, one line each.

    Raises UserError for bad data or settings, StoreError where results cannot be written.
    """
    begun = time.perf_counter()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    target = out if out is not None else Path("runs") / suite.name
    prepared = prepare(suite, target, data=data, limit=limit, say=say)

    tasks: list[Task] = []
    for section in prepared.sections:
        for sample in section.samples:
            key = section.key(suite, sample)
            item = Expected(section=section.name, name=sample.id, key=key)
            tasks.append(
                Task(
                    key=key,
                    section=section.name,
                    sample=sample,
                    home=str(section.home),
                    path=str(trace_path(target, item)),
                    data=str(section.data),
                    max_rounds=section.max_rounds,
                    inject=section.inject,
                )
            )
    items = [Expected(section=t.section, name=t.sample.id, key=t.key) for t in tasks]
    write_plan(target, suite, limit, items)
    for section in prepared.sections:
        section.make(say)
        mine = [task for task in tasks if task.section == section.name]
        _ask_all(suite, section, mine, workers, say)

    results = score_dir(target)
    if isinstance(suite.dataset, UcsdSpec | ScenesSpec):
        asked = [e for e in load_run(target).entries if e.saved.section in {"test", "heldout"}]
        draw_pictures([(e.saved, e.outcome) for e in asked])
    write_json(
        target / "run.json",
        _basis(suite, prepared)
        | {
            "started": started,
            "seconds": round(time.perf_counter() - begun, 1),
            "workers": workers,
            "limit": limit,
        },
    )
    report_dir(target)
    if suite.judge is not None:
        return judge_dir(target, suite.judge, say=say)
    return results


def _basis(suite: Suite, prepared: Prepared) -> dict[str, Any]:
    basis = basis_of(suite.model_dump(mode="json"), prepared.folder.name, prepared.hashes)
    basis["data"]["induced_from"] = {s.name: list(s.induced_from) for s in prepared.sections}
    return basis | {"settings": prepared.settings}


def _ask_all(suite: Suite, section: Section, tasks: Sequence[Task], workers: int, say: Say) -> None:
    # A failure may have been the moment's: its key does not count, it is asked again.
    left = [task for task in tasks if saved_key(Path(task.path)) != task.key]
    done = len(tasks) - len(left)
    if done:
        say(f"{section.name}: {done} of {len(tasks)} answers kept from an earlier run")
    for said in _answers(suite, left, workers):
        done += 1
        say(f"{section.name} {done}/{len(tasks)} {said.name}: {said.label} in {said.seconds:.1f} s")


def _answers(suite: Suite, tasks: Sequence[Task], workers: int) -> Iterator[Done]:
    if not tasks:
        return
    if workers <= 1 or len(tasks) == 1:
        ask = open_asker(suite, tasks[0])
        try:
            for task in tasks:
                yield answer(ask, task)
        finally:
            ask.close()
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_work, suite, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_ASKERS: dict[tuple[str, str], Asker] = {}
"""One asker per worker process, section and archive."""


def _work(suite: Suite, task: Task) -> Done:
    import cv2

    cv2.setNumThreads(1)
    who = (task.section, task.home)
    if who not in _ASKERS:
        _ASKERS[who] = open_asker(suite, task)
    return answer(_ASKERS[who], task)
