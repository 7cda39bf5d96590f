"""The ``ask`` command: run or resume an investigation, show the answer, write the report."""

from __future__ import annotations

import json
import signal
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import typer
from langchain_core.runnables import RunnableConfig

from agent.console import complain, progress, remark, show_answer
from agent.graph import Agent
from agent.runtime import Stores, build_agent, open_stores
from graphs.answering import alike
from tools.decision import Decision, Intent, Label
from tools.errors import MediaError, StoreError, UserError
from tools.ledger import Ledger
from tools.ports import Progress
from tools.types import Observation
from tools.video import find_videos, open_video

__all__ = ["Request", "ask_and_show", "write_report"]


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    question: str | None
    videos: tuple[str, ...]
    scene: str | None = None
    scene_free: bool = False
    max_looks: int | None = None
    max_seconds: float | None = None
    workers: int | None = None
    started: str | None = None
    camera: str | None = None
    thread: str | None = None
    resume: str | None = None


def ask_and_show(request: Request, *, as_json: bool, report: Path | None) -> None:
    """Answer on stdout. Raises typer.Exit(2) where the input left nothing to judge."""
    stores = open_stores(workers=request.workers)
    agent = build_agent(stores)
    run = request.resume or uuid.uuid4().hex[:12]
    try:
        with progress("ask") as tell, _interruptible(stores):
            result = _resume(agent, stores, run, tell) if request.resume else None
            if result is None:
                result = _begin(agent, request, run, tell)
        decision: Decision | None = result.get("decision")
        answer: str = result.get("answer", "")
        own = decision is not None and decision.run_id == run  # not what a follow-up speaks of
        unanswered = decision is not None and own and _nothing_judged(decision)
        if as_json:
            paths = write_report(report, decision, answer, stores) if report and decision else ()
            _show_json(stores, run, decision, answer, paths)
        else:
            _show(stores, run, decision if own else None, answer, unanswered=unanswered)
            if report and decision:
                for path in write_report(report, decision, answer, stores):
                    remark(f"wrote {path}")
        if unanswered:
            raise typer.Exit(2)
    except KeyboardInterrupt:
        complain(f"stopped; go on with: vidocq ask --resume {run}")
        raise typer.Exit(130) from None
    finally:
        agent.close()


@contextmanager
def _interruptible(stores: Stores) -> Iterator[None]:
    """Ctrl-C also ends the work of other threads, at its next report."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        stores.tools.ahead.halt()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin(agent: Agent, request: Request, run: str, tell: Progress) -> dict[str, Any]:
    bounds = {"max_looks": request.max_looks, "max_seconds": request.max_seconds}
    given = {
        "query": request.question,
        "videos": list(find_videos(request.videos)),
        "scene": request.scene,
        "scene_free": request.scene_free,
        "started": request.started,
        "camera": request.camera,
        "budget": {k: v for k, v in bounds.items() if v is not None},
        "run_id": run,
    }
    given = {k: v for k, v in given.items() if v is not None}
    return _run(agent, given, request.thread or run, tell)


def _resume(agent: Agent, stores: Stores, run: str, tell: Progress) -> dict[str, Any] | None:
    """The outcome of an interrupted run, or of a finished one as recorded.

    Raises UserError where that cannot be had: nothing began, or another embedder made the index.
    """
    trace = stores.runs.read(run)
    if trace.decision is not None and not any(f.again for f in trace.decision.failures):
        remark(f"run {run} is finished; this is its recorded answer")
        return {"decision": trace.decision, "answer": trace.answer}
    header = trace.header
    if not header:
        raise UserError(f"run {run} stopped before it began", remedy="ask the question again")
    if trace.scene is not None:  # what the run recorded of it is not asked for again
        stores.archive.rules.check_index(trace.scene.name)
    thread = header.get("thread") or run
    state = agent.get_state({"configurable": {"thread_id": thread}})
    if state.next and state.values.get("run") == run:
        return _run(agent, None, thread, tell)
    again = {
        "query": header["query"],
        "videos": header["videos"],
        "scene": header["scene"],
        "scene_free": header["scene_free"],
        "started": header.get("started"),
        "camera": header.get("camera"),
        "budget": header["budget"],
        "run_id": run,
    }
    return _run(agent, again, thread, tell)


def _run(
    agent: Agent, given: Mapping[str, Any] | None, thread: str, tell: Progress
) -> dict[str, Any]:
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    result: dict[str, Any] = {}
    for mode, chunk in agent.stream(given, config, stream_mode=["custom", "values"]):
        if mode == "values":
            result = chunk
        elif "progress" in chunk:
            tell(f"{chunk['progress']} {chunk['video']}", chunk["done"], chunk["total"])
    return result


def _nothing_judged(decision: Decision) -> bool:
    return (
        decision.label is Label.UNCERTAIN
        and bool(decision.failures)
        and decision.cost.looks == 0
        and decision.intent is not Intent.UNSUPPORTED
    )


def _show(
    stores: Stores, run: str, decision: Decision | None, answer: str, *, unanswered: bool
) -> None:
    _complain_of_failures(decision)
    if not unanswered:  # otherwise the lines above are the answer
        show_answer(answer, decision)
    remark(f"run {run}; trace: {stores.runs.path(run) / 'trace.jsonl'}")


def _show_json(
    stores: Stores, run: str, decision: Decision | None, answer: str, paths: tuple[Path, ...]
) -> None:
    _complain_of_failures(decision)
    value = {
        "run": run,
        "answer": answer,
        "decision": decision.model_dump(mode="json") if decision is not None else None,
        "trace": str(stores.runs.path(run) / "trace.jsonl"),
        "report": [str(p) for p in paths],
    }
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _complain_of_failures(decision: Decision | None) -> None:
    for items, failure in alike(decision.failures if decision is not None else ()):
        remedy = f" ({failure.remedy})" if failure.remedy else ""
        complain(f"{items}: {failure.reason}{remedy}")
    if decision is not None and any(f.again for f in decision.failures):
        complain(f"what was judged is kept; go on with: vidocq ask --resume {decision.run_id}")


def write_report(folder: Path, decision: Decision, answer: str, stores: Stores) -> tuple[Path, ...]:
    """Timeline plot, contact sheet, key frames, crops, decision and answer as files.

    Raises StoreError.
    """
    from tools.contactsheet import contact_sheet, told_events
    from tools.exhibits import INDEX, save_exhibits, told_of
    from tools.figures import timeline_plot

    ledger = stores.runs.read(decision.run_id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text, data = folder / "answer.txt", folder / "decision.json"
        text.write_text(answer + "\n", encoding="utf-8")
        data.write_text(decision.model_dump_json(indent=2) + "\n", encoding="utf-8")
        paths = [text, data]
        if decision.timelines:
            plot = folder / "timeline.png"
            timeline_plot(decision, ledger.videos, plot)
            paths.append(plot)
        with ExitStack() as opened:
            wanted = {event.video_id for _, event in told_events(decision, ledger.videos)}
            sources = {
                i: opened.enter_context(open_video(ledger.videos[i].path)) for i in sorted(wanted)
            }
            if sources:
                sheet = folder / "contact_sheet.png"
                contact_sheet(decision, sources, sheet, observations=_paths(decision, ledger))
                shown = save_exhibits(decision, sources, folder)
                files = [f for e in shown for f in (e.frame_file, e.crop_file) if f]
                paths += [sheet, folder / INDEX, *(folder / f for f in files)]
                if shown:
                    text.write_text(f"{answer}\n\n{told_of(shown)}\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"{folder}: the report cannot be written: {error.strerror}", remedy="choose another"
        ) from error
    except MediaError as error:
        raise StoreError(f"{folder}: no contact sheet: {error}") from error
    return tuple(paths)


def _paths(decision: Decision, ledger: Ledger) -> dict[str, Observation]:
    """The sightings that a decision's events rest on, by id."""
    wanted = {i for e in decision.events for i in e.observations}
    found = {i: ledger.observation(i) for i in sorted(wanted)}
    return {i: seen for i, seen in found.items() if seen is not None}
