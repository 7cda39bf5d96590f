"""``vidocq doctor``: every configured backend is made and used once, on a picture drawn here.

Last, what the words of the rules on record are known by.
"""

from __future__ import annotations

import platform
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from agent.runtime import PACKAGES, makers, models_of, version
from agent.settings import Settings
from tools.decision import Intent, Plan
from tools.deduction import missed
from tools.errors import StoreError, VidocqError
from tools.models.chat import Capabilities
from tools.models.spending import Purse, tallied
from tools.ports import FrameSource, PlanningContext, Progress
from tools.record import Record
from tools.rulebook.rows import latest_of_scene
from tools.types import (
    Caption,
    Description,
    Event,
    Frozen,
    Level,
    Observation,
    Rule,
    RuleCategory,
    RuleHit,
    RuleKind,
    VideoInfo,
)
from tools.video import open_video
from tools.wordnet import wordnet

__all__ = ["Checkup", "examined", "report"]

QUESTION = "Did anything out of the ordinary happen?"
SIZE = (120, 160)
FRAMES = 12


class Checkup(Frozen):
    """What came of trying one backend."""

    role: str
    backend: str
    """As it names itself; as the settings name it where it could not be made."""
    problem: str = ""
    """Why it does not work; empty where it does."""
    remedy: str = ""
    did: str = ""
    """What it was asked for and answered, in words."""
    seconds: float = 0.0
    tokens: int = 0
    able: dict[str, Any] | None = None
    """Capabilities of a language model."""
    falls_back: tuple[str, ...] = ()
    """What it does instead of what its model cannot do."""


def examined(settings: Settings, tell: Progress) -> tuple[Checkup, ...]:
    """Try the backends the settings name; replies are not taken from the cache."""
    fresh = settings.model_copy(update={"model_cache": False})
    found = []
    with closing(models_of(fresh)) as models, _pictures() as source:
        made = makers(fresh, models)
        set_up = {r: m for r, m in made.items() if getattr(settings, r) != "none"}
        for number, (role, make) in enumerate(set_up.items()):
            tell(f"trying the {role}", number, len(set_up))
            found.append(_tried(role, getattr(settings, role), make, source))
    return (*found, _words(settings))


def report(found: tuple[Checkup, ...]) -> Iterator[str]:
    """The outcome as lines for a person."""
    for c in found:
        spent = f", {c.tokens} tokens" if c.tokens else ""
        state = "FAILS" if c.problem else f"works: {c.did} in {c.seconds:.2f} s{spent}"
        yield f"{c.role:<10} {c.backend}: {state}"
        if c.able is not None:
            yield f"{'':<10} {_told(c.able)}"
        for instead in c.falls_back:
            yield f"{'':<10} {instead}"
        if c.problem:
            yield f"{'':<10} {c.problem}"
            if c.remedy:
                yield f"{'':<10} remedy: {c.remedy}"
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    yield (
        f"vidocq {version()}, python {platform.python_version()}, "
        f"sqlite {sqlite3.sqlite_version}, {packages}"
    )


def _tried(role: str, named: str, make: Callable[[], Any], source: FrameSource) -> Checkup:
    backend, model = named, None
    purse = Purse()
    begun = time.perf_counter()
    able: Capabilities | None = None
    try:
        made = make()
        backend, model = made.name, getattr(made, "model", None)
        if model is not None:
            able = model.capabilities
        begun = time.perf_counter()
        with tallied(purse):
            did = TRIALS[role](made, source)
    except VidocqError as error:
        return Checkup(
            role=role,
            backend=backend,
            problem=error.message,
            remedy=error.remedy,
            able=_fields(able),
            falls_back=_instead(role, able),
        )
    return Checkup(
        role=role,
        backend=backend,
        did=did,
        seconds=round(time.perf_counter() - begun, 4),
        tokens=purse.tokens,
        able=_fields(able),
        falls_back=_instead(role, able),
    )


def _words(settings: Settings) -> Checkup:
    """What words are known by, and what of the rules on record that leaves out."""
    known = wordnet()
    backend = "the house's own lists" + (" and WordNet 3.0" if known is not None else "")
    begun = time.perf_counter()
    rules: dict[str, tuple[Rule, ...]] = {}
    path = settings.home / "record.db"
    if path.is_file():
        try:
            with Record(path).reading() as connection:
                scenes = connection.execute("SELECT name FROM scenes ORDER BY name").fetchall()
                rules = {name: latest_of_scene(connection, name) for (name,) in scenes}
        except StoreError as error:
            return Checkup(
                role="words", backend=backend, problem=error.message, remedy=error.remedy
            )
    said = [(name, missed(of_scene)) for name, of_scene in rules.items()]
    return Checkup(
        role="words",
        backend=backend,
        did=f"read {sum(map(len, rules.values()))} rules of {len(rules)} scenes",
        seconds=round(time.perf_counter() - begun, 4),
        falls_back=tuple(f"scene {name}: {text}" for name, text in said if text),
    )


# ---------------------------------------------------------------- one use of each


def _look(captioner: Any, source: FrameSource) -> str:
    seen = captioner.describe(source, source.info.interval, profile=None, detail="coarse")
    return f"looked at {seen.frames_seen} frames (“{seen.caption.text[:60]}”)"


def _judge(verifier: Any, source: FrameSource) -> str:
    event = _event(source.info)
    verdict = verifier.judge(
        Plan(query=QUESTION, intent=Intent.ANOMALY), event, _seen(source.info), (RULE,)
    )
    if verdict.uncertain and verdict.raw is None:
        return f"gave no opinion ({verdict.reason})"
    return f"gave a verdict (strength {verdict.raw or 0.0:.2f})"


def _plan(planner: Any, source: FrameSource) -> str:
    made = planner.plan(QUESTION, PlanningContext(scene=None))
    return f"made a plan ({made.intent}, by {made.planner})"


def _detect(detector: Any, source: FrameSource) -> str:
    return f"read {len(detector.signal(source).frames)} frames"


def _embed(embedder: Any, source: FrameSource) -> str:
    return f"embedded a sentence ({embedder.embed([QUESTION]).shape[1]} numbers)"


def _draft(drafter: Any, source: FrameSource) -> str:
    return f"proposed {len(drafter.draft(['A person walks.', 'Two people stand.']))} rules"


TRIALS: Mapping[str, Callable[[Any, FrameSource], str]] = {
    "detector": _detect,
    "captioner": _look,
    "verifier": _judge,
    "planner": _plan,
    "embedder": _embed,
    "drafter": _draft,
}

RULE = RuleHit(
    rule=Rule(
        id="doctor",
        scene="doctor",
        version=1,
        kind=RuleKind.ANOMALOUS,
        category=RuleCategory.ACTIVITY,
        text="Somebody rides a bicycle.",
    ),
    score=1.0,
    reason="the only one",
)


def _event(info: VideoInfo) -> Event:
    return Event(id="doctor", video_id=info.id, level=Level.COARSE, interval=info.interval)


def _seen(info: VideoInfo) -> Description:
    text = "A person walks along the path."
    caption = Caption(
        id="doctor", video_id=info.id, interval=info.interval, text=text, captioner="doctor"
    )
    walker = Observation(
        id="doctor",
        video_id=info.id,
        interval=info.interval,
        subject="person",
        activity="walks",
        text=text,
        key_frame=0,
    )
    return Description(caption=caption, observations=(walker,), frames_seen=1)


@contextmanager
def _pictures() -> Iterator[FrameSource]:
    """A short folder of frames: a dark upright shape that moves over grey."""
    from tools.backends.pictures import encode

    with tempfile.TemporaryDirectory(prefix="vidocq-doctor-") as name:
        ground = np.random.default_rng(0).integers(90, 160, (*SIZE, 3), dtype=np.uint8)
        for number in range(FRAMES):
            image = ground.copy()
            image[60:90, 30 + 3 * number : 40 + 3 * number] = 40
            (Path(name) / f"{number:04d}.jpg").write_bytes(encode(image, max(SIZE)))
        with open_video(name) as source:
            yield source


# ---------------------------------------------------------------- capabilities in words


def _fields(able: Capabilities | None) -> dict[str, Any] | None:
    return None if able is None else dict(vars(able))


def _told(able: Mapping[str, Any]) -> str:
    context, version = able["context"] or "unknown", able["version"]
    runs = version if _in_process(version) else f"server {version or 'of unknown version'}"
    return (
        f"{runs}; context {context}; "
        f"token probabilities {able['logprobs'] or 'no'}; JSON schema {_yes(able['json_schema'])}; "
        f"closed answers {_yes(able['choice'])}; pictures {able['images'] or 'no'}; "
        f"video {WATCHES[able['video']]}; prefix cache {_yes(able['prefix_cache'])}"
    )


WATCHES = {True: "yes (key frames are sent all the same)", False: "no", None: "not found out"}


def _in_process(version: str) -> bool:
    return version.startswith("transformers ")


def _yes(there: bool) -> str:
    return "yes" if there else "no"


def _instead(role: str, able: Capabilities | None) -> tuple[str, ...]:
    """What happens where a capability is missing that the role would use."""
    if able is None or role not in {"captioner", "verifier", "planner"}:
        return ()
    lines = []
    if not able.json_schema:
        lines.append("no JSON schema: it is told the schema, and what does not fit is refused")
    if role == "verifier" and not able.logprobs:
        lines.append(
            "no token probabilities: the written digit counts, ten values at most, marked so"
        )
    if able.thinks:
        lines.append(
            "thinks aloud before it answers, although told not to: "
            + ("no verdict of one token, refused" if role == "verifier" else "slow, and may be cut")
        )
    if role == "verifier" and not able.choice:
        lines.append("no closed answers: up to 4 tokens are read for one")
    if role == "captioner" and 0 < able.images < 8:
        lines.append(f"{able.images} pictures a request: frames share sheets beyond that")
    if role == "captioner" and not able.video:
        lines.append("no video: key frames are sent as pictures")
    if not able.prefix_cache:
        remedy = "" if _in_process(able.version) else " (--enable-prefix-caching)"
        lines.append(f"no prefix cache seen: each prompt is read whole{remedy}")
    return tuple(lines)
