"""Costs of models behind a server, measured on a loopback server of our own: no weights, no GPU.

The server is a process of its own, takes a fixed time for each request and counts for itself, so
that what is above its time is the client's. With an address of a real server the same calls measure
that server: looks and verdicts a second over the number of calls at once.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import build_agent, induce_scene, open_stores
from agent.trace import read_lines
from tools.backends.served.client import ServedModel, parse_address
from tools.decision import Intent, Plan
from tools.errors import BackendError, UserError
from tools.models.asking import grade_request, json_request
from tools.models.captioner import DESCRIBE_TOKENS
from tools.models.chat import ChatModel, ChatRequest, Picture, user
from tools.models.verifier import ModelVerifier
from tools.models.wording import with_pictures
from tools.ports import Verifier
from tools.types import (
    Caption,
    Description,
    Event,
    Interval,
    Level,
    Observation,
    Rule,
    RuleCategory,
    RuleHit,
    RuleKind,
    TimeBase,
)

__all__ = ["Filling", "Overhead", "Rate", "Run", "filling", "overhead", "rates", "run"]

QUESTION = "Did anything out of the ordinary happen?"
PLAN = Plan(query=QUESTION, intent=Intent.ANOMALY)
TICKS = TimeBase(num=1, den=10)


@dataclass(frozen=True)
class Overhead:
    """What one verifier call takes beyond the server's own time, in milliseconds."""

    calls: int
    wall_ms: float
    server_ms: float
    cpu_ms: float
    """Processor time of the agent's process, waiting left out."""

    @property
    def beyond_ms(self) -> float:
        return self.wall_ms - self.server_ms


@dataclass(frozen=True)
class Filling:
    """How busy many calls at once keep a server of fixed latency."""

    at_once: int
    calls: int
    wall_s: float
    share: float
    """Time the server held requests, of what it could have held with that many at once."""


@dataclass(frozen=True)
class Run:
    """One-token verdicts of one scene, from the traces and as the server counts."""

    verdicts: int
    judged: int
    """Verdict calls that reached the server; the others were kept."""
    prompt: int
    shared: int
    """Prompt tokens of those calls that begin like an earlier one's."""
    most_generated: int
    """Most tokens generated for one verdict."""
    trace_tokens: int
    server_tokens: int

    @property
    def share(self) -> float:
        return self.shared / self.prompt if self.prompt else 0.0


@dataclass(frozen=True)
class Rate:
    """Requests a second at so many at once."""

    what: str
    at_once: int
    per_s: float
    failed: int


@contextmanager
def _serving(latency: float) -> Iterator[str]:
    """A loopback server in a process of its own; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "evals.bench.modelserver", "--port", str(port)]
    server = subprocess.Popen([*command, "--latency", str(latency)])
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


def _counts(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url.removesuffix("/v1") + "/counts", timeout=10) as answer:
        told: dict[str, float] = json.load(answer)
        return told


def overhead(calls: int = 200, latency: float = 0.05) -> Overhead:
    """Verdicts one after the other, each of an event of its own."""
    with _serving(latency) as url:
        model = ServedModel("tiny", url)
        verifier: Verifier = ModelVerifier(model)
        rules = _rules()
        events = [_event(n) for n in range(calls + 5)]
        for event, seen in events[calls:]:
            verifier.judge(PLAN, event, seen, rules)
        before = _counts(url)
        begun, worked = time.perf_counter(), time.process_time()
        for event, seen in events[:calls]:
            verifier.judge(PLAN, event, seen, rules)
        wall, cpu = time.perf_counter() - begun, time.process_time() - worked
        after = _counts(url)
        model.close()
    made = after["requests"] - before["requests"]
    held = after["busy_s"] - before["busy_s"]
    return Overhead(int(made), 1e3 * wall / made, 1e3 * held / made, 1e3 * cpu / made)


def filling(at_once: int = 64, latency: float = 0.2, rounds: int = 40) -> Filling:
    """Many verdict requests through one client."""
    with _serving(latency) as url:
        model = ServedModel("tiny", url, parallel=at_once)
        requests = [_verdict_request(model, n) for n in range(at_once * rounds)]
        model.chat_all(requests[:at_once])  # connections are open from here on
        before = _counts(url)
        begun = time.perf_counter()
        replies = model.chat_all(requests)
        wall = time.perf_counter() - begun
        held = _counts(url)["busy_s"] - before["busy_s"]
        model.close()
    failed = [r for r in replies if isinstance(r, BackendError)]
    if failed:
        raise failed[0]
    return Filling(at_once, len(requests), wall, held / (at_once * wall))


def run(normal: Sequence[Path], videos: Sequence[Path]) -> Run:
    """Learn a scene, ask about videos, and read from the traces what the verdicts cost."""
    with _serving(0.0) as url, tempfile.TemporaryDirectory(prefix="vidocq-bench-") as folder:
        home = Path(folder)
        name = f"openai:tiny@{url}"
        induce_scene(normal, "bench", home=home, verifier=name)
        stores = open_stores(home=home, verifier=name)
        if not stores.models.get(name).capabilities.choice:
            raise UserError(f"{url} takes no closed answers")
        before = _counts(url)
        agent = build_agent(stores)
        runs = []
        for video in videos:
            given = {"query": QUESTION, "videos": [str(video)], "scene": "bench"}
            runs.append(agent.invoke(given)["decision"].run_id)
        agent.close()
        after = _counts(url)
        lines = [
            line for r in runs for line, _ in read_lines(home / "runs" / r / "trace.jsonl")
        ]  # fmt: skip
    return _counted(lines, int(_tokens(after) - _tokens(before)))


def _tokens(counts: dict[str, float]) -> float:
    return counts["prompt"] + counts["generated"]


def _counted(lines: Sequence[dict[str, Any]], server_tokens: int) -> Run:
    verdicts = [line.get("models", []) for line in lines if line.get("type") == "Verdict"]
    short = [[c for c in calls if not c["purpose"].startswith("weigh")] for calls in verdicts]
    sent = [c for calls in short for c in calls if c["purpose"] == "judge" and not c.get("kept")]
    every = [c for line in lines for c in line.get("models", ())]
    return Run(
        verdicts=len(verdicts),
        judged=len(sent),
        prompt=sum(c.get("prompt", 0) for c in sent),
        shared=sum(c.get("cached", 0) for c in sent),
        most_generated=max((sum(c.get("generated", 0) for c in s) for s in short), default=0),
        trace_tokens=sum(c.get("prompt", 0) + c.get("generated", 0) for c in every),
        server_tokens=server_tokens,
    )


def rates(address: str, at_once: Sequence[int], *, pictures: int = 4) -> Iterator[Rate]:
    """Verdicts, and looks if it takes pictures, a second at a real server. Raises BackendError."""
    name, url = parse_address(address.removeprefix("openai:"))
    for number in at_once:
        model = ServedModel(name, url, parallel=number)
        kinds = [("verdicts", [_verdict_request(model, n) for n in range(4 * number)])]
        if model.capabilities.images:
            kinds.append(("looks", [_look_request(model, n, pictures) for n in range(2 * number)]))
        for what, requests in kinds:
            begun = time.perf_counter()
            replies = model.chat_all(requests)
            took = time.perf_counter() - begun
            failed = sum(isinstance(r, BackendError) for r in replies)
            yield Rate(what, number, (len(replies) - failed) / took, failed)
        model.close()


# ---------------------------------------------------------------- what is asked


def _rules() -> list[RuleHit]:
    """Rules as long as induced ones are."""
    texts = [
        f"Something of kind {n} moves faster than {1 + n / 10:.1f}× the usual walking speed, which "
        "hardly occurs in the normal footage."
        for n in range(12)
    ]
    rules = [
        Rule(
            id=f"rule-{n:02d}",
            scene="bench",
            version=1,
            kind=RuleKind.ANOMALOUS,
            category=RuleCategory.MOTION,
            text=text,
        )
        for n, text in enumerate(texts)
    ]
    return [RuleHit(rule=rule, score=1.0, reason="all") for rule in rules]


def _event(number: int) -> tuple[Event, Description]:
    """An event nobody else has, so that no reply is kept."""
    span = Interval(start=20 * number, end=20 * number + 20, time_base=TICKS)
    text = f"Person number {number} walks along the path."
    seen = Observation(
        id=f"obs-{number}",
        video_id="bench",
        interval=span,
        subject="person",
        activity="walks",
        text=text,
        key_frame=number,
    )
    caption = Caption(
        id=f"caption-{number}", video_id="bench", interval=span, text=text, captioner="bench"
    )
    event = Event(id=f"event-{number}", video_id="bench", level=Level.COARSE, interval=span)
    return event, Description(caption=caption, observations=(seen,), frames_seen=4)


def _verdict_request(model: ChatModel, number: int) -> ChatRequest:
    from prompts import load
    from tools.models.wording import event_text, in_order, rules_text

    rules = in_order(_rules())
    text = load("verify").render(
        rules=rules_text(rules), event=event_text(_event(number)[1], rules), answers=""
    )
    return grade_request(model, (user(text),), purpose="judge")


def _look_request(model: ChatModel, number: int, pictures: int) -> ChatRequest:
    """Pictures of noise, each look's own, so that no server has them at hand."""
    import numpy as np

    from prompts import load
    from tools.backends.pictures import encode

    draw = np.random.default_rng(number)
    shown = [
        Picture(encode(draw.integers(0, 255, (252, 448, 3), dtype=np.uint8), 448))
        for _ in range(pictures)
    ]
    prompt = load("describe")
    message = with_pictures(prompt, shown, times="00:00.0, 00:01.0, 00:02.0, 00:03.0")
    return json_request(
        model, (message,), prompt.output, max_tokens=DESCRIBE_TOKENS, purpose="look"
    )


def clips(data: Path | None, folder: Path) -> tuple[list[Path], list[Path]]:
    """Normal and asked-about clips: UCSD Ped2 where it is, else rendered ones."""
    from evals.bench.clips import rendered

    ped2 = (data or Path(os.environ.get("VIDOCQ_DATA", "../shared/data"))) / "ucsd_ped2"
    normal = sorted(ped2.glob("Train*.mp4"))[:4]
    tested = sorted(ped2.glob("Test*.mp4"))
    if normal and tested:
        return normal, tested
    clip, normal = rendered(folder, (360, 240), seconds=20, fps=10, normals=3)
    return normal, [clip]
