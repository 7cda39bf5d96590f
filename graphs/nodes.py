"""Nodes that gather: plan, segment, choose, look, recall, judge, reflect.

Each is ``(state, runtime) -> partial update``. Whatever a tool returns goes to the run's ledger;
state carries only what the next node needs to know.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from langgraph.runtime import Runtime

from graphs.context import Context
from graphs.request import budget_of, paths_of, question_of, started_of
from graphs.retrying import tried_twice
from graphs.state import LookTask, State
from tools.decision import Action, Budget, Failure, Intent, Plan
from tools.errors import (
    BackendError,
    BudgetSpent,
    MediaError,
    ToolFailed,
    UserError,
    VidocqError,
)
from tools.ledger import Ledger, clipped
from tools.models.spending import BUDGET_SPENT
from tools.ports import PlanningContext, Progress
from tools.rulebook.plainwords import hits_of_question
from tools.sidebyside import side_by_side, waits
from tools.types import Event, Interval, Level, VideoInfo

__all__ = ["choose", "judge", "look", "plan", "recall", "reflect", "segment", "targets_of"]

FOLLOW_UPS = frozenset({Intent.WHY, Intent.CONFIDENCE})
LOOKS = frozenset({"look", "zoom"})
SPARSE_FRAMES_PER_SECOND = 1.0


def plan(state: State, runtime: Runtime[Context]) -> State:
    """Turn the question into a plan, open the videos, fix the scene's version for the run."""
    context = runtime.context
    query = question_of(state)
    budget = budget_of(state, context.budget)
    run = state.get("run_id") or uuid.uuid4().hex[:12]
    videos, query = paths_of(state, query)
    scene = state.get("scene") or context.default_scene
    info = runtime.execution_info
    header = {
        "thread": info.thread_id if info else None,
        "query": query,
        "videos": videos,
        "scene": scene,
        "scene_free": bool(state.get("scene_free")),
        "started": state.get("started"),
        "camera": state.get("camera"),
        "budget": budget.model_dump(),
    }
    ledger = context.runs.open(run, header)
    try:
        return _begun(state, context, ledger, query, videos, scene, budget)
    except Exception:
        context.runs.release(run)
        raise


def _begun(
    state: State,
    context: Context,
    ledger: Ledger,
    query: str,
    videos: list[str],
    scene: str | None,
    budget: Budget,
) -> State:
    """The run's first state. What an interrupted run recorded is at hand, not done."""
    ledger.restart()
    last = state.get("decision")
    again = last is not None and last.run_id == ledger.run_id  # the same run, taken up anew
    if again:
        last = None
    # Only a decision that looked at something can be followed up.
    previous = last if last is not None and last.cost.looks else state.get("previous")
    planning = PlanningContext(
        scene=scene,
        rule_texts=_rule_texts(context, scene),
        attributes=context.tools.captioner.attributes,
        has_decision=previous is not None,
        names_video=bool(set(videos) - set(() if again else state.get("paths") or ())),
    )
    ledger.purse.max_calls = budget.max_model_calls
    ledger.purse.max_tokens = budget.max_model_tokens
    planned = tried_twice(context.tools.plan, ledger, query, planning)
    made = planned.model_copy(update={"budget": budget})
    draft: State = {
        "run": ledger.run_id,
        "plan": made,
        "paths": videos,
        "video_ids": (),
        "judgeable": False,
        "round": 0,
        "wanted": (),
        "actions": (),
        "stop_reason": "",
        "previous": previous,
        "repairs": 0,
        "problems": (),
    }
    if made.intent in FOLLOW_UPS or made.intent is Intent.UNSUPPORTED:
        return draft
    if not videos:
        raise UserError("no video was named", remedy="name a file or a folder of frames")
    draft["video_ids"] = _open_videos(
        context, ledger, videos, started_of(state, videos), state.get("camera") or ""
    )
    draft["judgeable"] = _open_scene(
        context, ledger, scene, scene_free=bool(state.get("scene_free"))
    )
    return draft


def _rule_texts(context: Context, scene: str | None) -> tuple[str, ...]:
    """What a planner may read of the scene; nothing where there is no such scene."""
    if scene is None or scene not in {s.name for s in context.tools.archive.scenes()}:
        return ()
    return tuple(rule.text for rule in context.tools.archive.rules.list(scene))


def _open_videos(
    context: Context, ledger: Ledger, paths: list[str], started: str, camera: str
) -> tuple[str, ...]:
    opened: dict[str, None] = {}
    for path in paths:
        try:
            info = context.tools.probe(ledger, path, started=started, camera=camera)
            opened[info.id] = None
        except MediaError as error:
            ledger.note(Failure(item=path, reason=error.reason, remedy=error.remedy))
    return tuple(opened)


def _open_scene(context: Context, ledger: Ledger, scene: str | None, *, scene_free: bool) -> bool:
    """Whether there is something to judge by; if not, the ledger says why."""
    if scene_free:
        return True
    if scene is None:
        known = ", ".join(s.name for s in context.tools.archive.scenes()) or "none yet"
        reason = f"no scene was named, so nothing says what is normal here (known scenes: {known})"
        remedy = (
            "name one, or induce one from normal clips: vidocq induce NORMAL... --scene NAME; "
            "or accept general priors: --scene-free"
        )
        ledger.note(Failure(item="scene", reason=reason, remedy=remedy))
        return False
    try:
        context.tools.scene(ledger, scene)
    except UserError as error:
        ledger.note(Failure(item=f"scene {scene}", reason=error.message, remedy=error.remedy))
        return False
    return True


def segment(state: State, runtime: Runtime[Context]) -> State:
    """Find the event tree of each video."""
    context = runtime.context
    ledger = context.runs.open(state["run"])
    budget = state["plan"].budget
    if state["plan"].window is None and budget.max_looks is None and budget.max_seconds is None:
        context.tools.prepare(
            ledger,
            [ledger.videos[i] for i in state["video_ids"]],
            scene=ledger.scene,
            detail=context.first_look,
            zoom=context.zoom == "all",
            workers=context.workers,
        )
    for video_id in state["video_ids"]:
        video = ledger.videos[video_id]
        try:
            found = tried_twice(context.tools.segment, ledger, video, _reporter(runtime, video))
            window = _window(video, state["plan"])
            if window != video.interval:
                ledger.note(clipped(found, window))
        except (MediaError, BackendError, ToolFailed) as error:
            ledger.note(failure_of(video.path, error, ledger))
    return {}


def choose(state: State, runtime: Runtime[Context]) -> State:
    """Pick the next looks, best value of information first, within the budget.

    What the last reflection asked for comes first; then events not looked at yet, the liveliest
    (by the cheap reflex of the boundary pass) first. Rules and questions cost no look.
    """
    context = runtime.context
    ledger = context.runs.open(state["run"])
    ledger.sync()
    made = state["plan"]
    wanted = state["wanted"]
    waiting = [a for a in wanted if a.kind in LOOKS] + _first_looks(ledger)
    free = [a for a in wanted if a.kind not in LOOKS]
    if not waiting and not free:
        refused = (f.reason for f in ledger.failures.values() if f.reason.startswith(BUDGET_SPENT))
        return {
            "actions": (),
            "stop_reason": next(refused, "everything in scope was looked at"),
        }
    room = context.batch
    if made.budget.max_looks is not None:
        room = max(0, min(room, made.budget.max_looks - ledger.count("look")))
    spent = _spent(state, ledger, made)
    if spent or (not room and not free):
        return {
            "actions": (),
            "stop_reason": spent or f"budget spent: {made.budget.max_looks} looks",
        }
    looks = waiting[:room]
    left = tuple(a for a in wanted if a.kind in LOOKS and a not in looks)
    return {"actions": (*free, *looks), "wanted": left, "round": state["round"] + 1}


def _spent(state: State, ledger: Ledger, made: Plan) -> str:
    """Which bound ends the loop now, whatever is still wanted; empty for none."""
    budget = made.budget
    if budget.max_seconds is not None and ledger.elapsed >= budget.max_seconds:
        return f"budget spent: {budget.max_seconds:g} seconds"
    if state["round"] >= budget.max_rounds:
        return f"budget spent: {budget.max_rounds} rounds"
    return ledger.purse.spent


def targets_of(ledger: Ledger) -> tuple[Event, ...]:
    """Coarse events in scope, in time order, video by video."""
    return tuple(e for s in ledger.segmentations.values() for e in s.tree.coarse)


def _window(video: VideoInfo, made: Plan) -> Interval | None:
    """The part of a video the question is about; None where it does not reach it."""
    if made.window is None:
        return video.interval
    start = made.window.start_s
    end = video.seconds if made.window.end_s is None else min(made.window.end_s, video.seconds)
    if start >= end:
        return None
    return Interval.from_seconds(start, end, video.time_base)


def _first_looks(ledger: Ledger) -> list[Action]:
    open_events = [
        e for e in targets_of(ledger) if e.id not in ledger.looks and e.id not in ledger.failures
    ]
    if not open_events:
        return []
    novelty = {
        key: value for s in ledger.segmentations.values() for key, value in s.novelty.items()
    }
    open_events.sort(key=lambda e: (-novelty.get(e.id, 0.0), e.video_id, e.interval.start))
    return [
        Action(kind="look", video_id=e.video_id, event_id=e.id, reason="not looked at yet")
        for e in open_events
    ]


def look(task: LookTask, runtime: Runtime[Context]) -> State:
    """Look at one event, or ask its frames the verifier's independent questions."""
    context = runtime.context
    ledger = context.runs.open(task["run"])
    action = task["action"]
    video = ledger.videos[action.video_id]
    event = ledger.event(action.event_id)
    if event is None:
        raise LookupError(f"event {action.event_id} is not in the ledger of run {task['run']}")
    try:
        if action.kind == "ask":
            seen = ledger.looks[event.id]
            hits = ledger.recalls[event.id].hits
            questions = tried_twice(context.tools.questions, ledger, task["plan"], seen, hits)
            tried_twice(context.tools.ask, ledger, video, event, questions, scene=ledger.scene)
        elif action.kind in {"look", "zoom"}:
            tried_twice(
                context.tools.look,
                ledger,
                video,
                event,
                scene=ledger.scene,
                detail=context.first_look if action.kind == "look" else "fine",
                progress=_reporter(runtime, video),
            )
    except (MediaError, BackendError, ToolFailed) as error:
        ledger.note(failure_of(event.id, error, ledger))
    except BudgetSpent:
        pass  # not looked at, as choose will say: it sees the same purse
    return {}


def recall(state: State, runtime: Runtime[Context]) -> State:
    """Fetch the rules nearest to what was seen; more of them where that was asked for."""
    context = runtime.context
    ledger = context.runs.open(state["run"])
    for action in state["actions"]:
        seen = ledger.looks.get(action.event_id)
        if seen is None:
            continue
        query, k = seen.description.caption.text, context.rules_per_event
        if action.kind == "rules":
            strongest = max(seen.description.observations, key=lambda o: o.surprise, default=None)
            query, k = (strongest.text if strongest else query), 4 * context.rules_per_event
        elif action.kind == "ask" and action.event_id in ledger.recalls:
            continue
        try:
            tried_twice(
                context.tools.recall, ledger, seen, query, scene=ledger.scene, k=k,
                also=hits_of_question(state["plan"], ledger.scene.name if ledger.scene else ""),
            )  # fmt: skip
        except BackendError as error:  # an embedder behind a server
            ledger.note(failure_of(action.event_id, error, ledger))
    return {}


def judge(state: State, runtime: Runtime[Context]) -> State:
    """Judge each event of this round by the rules retrieved for it."""
    context = runtime.context
    ledger = context.runs.open(state["run"])

    def one(event_id: str) -> None:
        seen, rules = ledger.looks.get(event_id), ledger.recalls.get(event_id)
        if seen is None or rules is None:
            return
        asked = ledger.asked.get(event_id)
        try:
            tried_twice(
                context.tools.judge, ledger, state["plan"], seen, rules, asked, scene=ledger.scene
            )
        except (BackendError, ToolFailed, BudgetSpent) as error:
            ledger.note(failure_of(event_id, error, ledger))

    events = tuple(dict.fromkeys(action.event_id for action in state["actions"]))
    side_by_side(one, events, waits(context.tools.verifier))
    return {}


def reflect(state: State, runtime: Runtime[Context]) -> State:
    """Decide what is missing: zoom in, fetch more rules, ask the frames, or nothing."""
    context = runtime.context
    ledger = context.runs.open(state["run"])
    wanted: list[Action] = []
    for action in state["actions"]:
        wanted.extend(_missing(context, state["plan"], ledger, action))
    return {"wanted": (*wanted, *state["wanted"])}


def _missing(context: Context, made: Plan, ledger: Ledger, action: Action) -> list[Action]:
    verdict = ledger.verdicts.get(action.event_id)
    seen = ledger.looks.get(action.event_id)
    if verdict is None or seen is None or action.event_id in ledger.failures:
        return []

    def want(kind: str, reason: str, event_id: str = action.event_id) -> Action:
        return Action.model_validate(
            {"kind": kind, "video_id": action.video_id, "event_id": event_id, "reason": reason}
        )

    limits = context.tools.limits(ledger.scene)
    suspect = verdict.raw is not None and verdict.raw >= limits.normal_below
    positive = verdict.score is not None and verdict.score >= 0.5
    if seen.description.problems:
        return []
    if seen.event.level is Level.COARSE and action.kind == "look":
        reason = _why_zoom(
            verdict.uncertain, suspect, positive, seen.description.frames_seen, seen.event
        )
        if not reason and context.zoom == "all":
            reason = "every event is looked at finely"
        if reason and made.granularity == "fine":
            children = ledger.segmentations[action.video_id].tree.children(action.event_id)
            return [want("zoom", reason, child.id) for child in children] or [want("zoom", reason)]
    if verdict.uncertain and suspect and action.kind != "rules" and ledger.scene is not None:
        return [want("rules", "a suspicion that no retrieved rule covers")]
    if verdict.doubt and action.event_id not in ledger.asked:
        return [want("ask", verdict.doubt)]
    between = verdict.score is not None and suspect and not positive
    if between and verdict.matches and action.event_id not in ledger.asked:
        return [want("ask", "the score lies between the thresholds")]
    return []


def failure_of(item: str, error: VidocqError, ledger: Ledger) -> Failure:
    """What is noted of an error that costs the run one item."""
    event = ledger.event(item)
    where = f"{ledger.videos[event.video_id].name} {event.interval}" if event is not None else ""
    return Failure(
        item=item,
        where=where,
        reason=error.message,
        remedy=error.remedy,
        again=isinstance(error, BackendError),
    )


def _why_zoom(uncertain: bool, suspect: bool, positive: bool, frames: int, event: Event) -> str:
    if positive:
        return "something was found: when exactly, and what?"
    if uncertain or suspect:
        return "the score is uncertain"
    if frames < SPARSE_FRAMES_PER_SECOND * event.interval.seconds:
        return "a long event seen with few frames"
    return ""


def _reporter(runtime: Runtime[Context], video: VideoInfo) -> Progress:
    """Tool progress as custom stream events."""
    write: Callable[[object], None] = runtime.stream_writer

    def report(what: str, done: int, total: int) -> None:
        write({"progress": what, "video": video.name, "done": done, "total": total})

    return report
