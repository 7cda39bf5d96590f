"""The bench of models runs, and its figures are what they say."""

from __future__ import annotations

import pytest

from evals.bench import models
from evals.bench.models import filling, overhead, rates
from evals.bench.modelserver import ModelServer, plain_answer


def test_overhead_is_what_lies_beyond_the_server() -> None:
    found = overhead(calls=5, latency=0.02)
    assert found.calls == 5
    assert found.server_ms >= 20
    assert 0 < found.beyond_ms == found.wall_ms - found.server_ms


def test_filling_counts_every_request() -> None:
    found = filling(at_once=4, latency=0.02, rounds=3)
    assert found.calls == 12
    assert 0 < found.share <= 1.01


def test_rates_are_of_looks_and_verdicts() -> None:
    with ModelServer(plain_answer) as server:
        found = list(rates(f"openai:tiny@{server.url}", (1, 2)))
    assert [(r.what, r.at_once, r.failed) for r in found] == [
        ("verdicts", 1, 0),
        ("looks", 1, 0),
        ("verdicts", 2, 0),
        ("looks", 2, 0),
    ]


def test_prefixes_and_tokens_are_read_from_traces() -> None:
    judged = {"purpose": "judge", "prompt": 100, "generated": 1, "cached": 80}
    which = {"purpose": "which rule", "prompt": 120, "generated": 2}
    weighed = {"purpose": "weigh", "prompt": 50, "generated": 90}
    lines = [
        {"kind": "result", "type": "Verdict", "models": [judged, which, weighed]},
        {"kind": "result", "type": "Verdict", "models": [{"purpose": "judge", "kept": True}]},
        {"kind": "result", "type": "Look", "models": [{"purpose": "look", "prompt": 300}]},
        {"kind": "call"},
    ]
    found = models._counted(lines, 663)
    assert (found.verdicts, found.judged, found.most_generated) == (2, 1, 3)
    assert found.share == pytest.approx(0.8)
    assert found.trace_tokens == found.server_tokens == 663
