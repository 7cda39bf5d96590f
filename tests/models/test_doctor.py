"""``vidocq doctor``: each configured backend is used once, and what fails is said with a remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli import app
from evals.bench.modelserver import ModelServer, Reply, chat_body
from evals.bench.rulebooks import fill
from tests.brain import ABLE, Brain
from tools.archive import Archive
from tools.backends.embedded.embedder import HashedEmbedder


@pytest.fixture
def brain() -> Brain:
    return Brain()


@pytest.fixture
def server(brain: Brain) -> Iterator[ModelServer]:
    with ModelServer(brain) as running:
        yield running


@pytest.fixture
def name(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("VIDOCQ_HOME", str(tmp_path))
    return f"openai:tiny@{server.url}"


def doctor(*more: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *more])


def test_without_models_everything_works(name: str) -> None:
    done = doctor()
    assert done.exit_code == 0
    for role in ("detector", "captioner", "verifier", "planner", "embedder"):
        assert f"\n{role}" in "\n" + done.stdout
    assert "FAILS" not in done.stdout


def test_the_words_that_wordnet_would_know_are_named_with_the_remedy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "words      the house's own lists" in doctor().stdout
    with closing(Archive(tmp_path, HashedEmbedder())) as archive:
        fill(archive, scenes=1, rules=3, planted=0)
    monkeypatch.setattr("tools.deduction.missing.wordnet", lambda: None)
    monkeypatch.setattr("agent.doctor.wordnet", lambda: None)
    done = doctor()
    assert done.exit_code == 0  # it does without
    (line,) = (n for n in done.stdout.splitlines() if "without WordNet" in n)
    assert "scene scene000: without WordNet, “" in line
    assert "pip install 'vidocq[wordnet]'" in line
    (told,) = (c for c in json.loads(doctor("--json").stdout) if c["role"] == "words")
    assert told["backend"] == "the house's own lists"
    (tmp_path / "record.db").write_bytes(b"not a database at all" * 400)
    broken = doctor()
    assert broken.exit_code == 1
    assert "words      the house's own lists: FAILS" in broken.stdout


def test_models_are_tried_with_a_picture_a_verdict_and_a_plan(
    name: str, brain: Brain, monkeypatch: pytest.MonkeyPatch
) -> None:
    for role in ("CAPTIONER", "VERIFIER", "PLANNER"):
        monkeypatch.setenv(f"VIDOCQ_{role}", name)
    done = doctor("--json")
    assert done.exit_code == 0
    told = {c["role"]: c for c in json.loads(done.stdout)}
    assert told["captioner"]["did"].startswith("looked at 4 frames")
    assert told["verifier"]["did"].startswith("gave a verdict")
    assert told["planner"]["did"].startswith("made a plan")
    assert all(told[r]["tokens"] > 0 for r in ("captioner", "verifier", "planner"))
    assert told["verifier"]["able"]["logprobs"] == 20
    assert told["captioner"]["able"]["video"] is True
    asked = len(brain.asked)
    doctor("--json")
    assert len(brain.asked) == 2 * asked  # nothing comes from the cache


def test_what_is_missing_is_said_with_what_happens_instead(
    name: str, brain: Brain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDOCQ_VERIFIER", name)
    brain.able = frozenset({"images"})
    done = doctor()
    assert done.exit_code == 0
    assert "no token probabilities: the written digit counts" in done.stdout
    assert "no closed answers" in done.stdout


@pytest.mark.parametrize(
    ("able", "said", "instead"),
    [
        (ABLE, "video yes (key frames are sent all the same)", False),
        (ABLE - {"video"}, "video no;", True),
    ],
)
def test_whether_a_captioner_takes_video_is_shown(
    able: frozenset[str], said: str, instead: bool, name: str, brain: Brain,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("VIDOCQ_CAPTIONER", name)
    brain.able = able
    done = doctor()
    assert done.exit_code == 0
    assert said in done.stdout
    assert ("no video: key frames are sent as pictures" in done.stdout) is instead


def test_a_verifier_that_thinks_aloud_fails_with_a_remedy(
    name: str, brain: Brain, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDOCQ_VERIFIER", name)
    server.answer = lambda _: Reply(chat_body(None, finish="length", reasoning="Okay, so"))
    done = doctor()
    assert done.exit_code == 1
    assert "thinks aloud before it answers, although told not to: no verdict" in done.stdout
    assert "remedy: name an instruct model" in done.stdout


@pytest.mark.parametrize(
    ("setting", "said", "remedy"),
    [
        ("openai:other@{url}", "it serves tiny", "correct the name"),
        ("openai:tiny@http://127.0.0.1:9/v1", "cannot be reached", "start the server"),
        ("openai:tiny", "names no model and address", "openai:Qwen"),
        ("llama:tiny", "there is no backend", "openai:…"),
    ],
)
def test_a_failure_names_the_backend_and_the_remedy(
    setting: str, said: str, remedy: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = name.partition("@")[2]
    monkeypatch.setenv("VIDOCQ_VERIFIER", setting.format(url=url))
    done = doctor()
    assert done.exit_code == 1
    assert said in done.stdout
    assert remedy in done.stdout.partition("remedy: ")[2]
    assert "embedder   hashed" in done.stdout  # the others are tried all the same
