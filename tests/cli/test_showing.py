"""What an answer looks like on the terminal."""

from __future__ import annotations

import pytest

from agent.console import show_answer
from tools.decision import Decision, Intent, Label, Step


def test_steps_that_say_the_same_show_their_own_evidence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    steps = tuple(
        Step(kind="judgement", text="Score 0.60.", evidence=(f"verdict:{name}",)) for name in "ab"
    )
    decision = Decision(
        run_id="r", query="q", intent=Intent.ANOMALY, label=Label.ANOMALOUS, score=0.6,
        explanation=steps,
    )  # fmt: skip
    show_answer("Yes.\n1. Score 0.60.\n2. Score 0.60.\nNote: none.", decision)
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        "Yes.",
        "1. Score 0.60. [verdict:a]",
        "2. Score 0.60. [verdict:b]",
        "Note: none.",
    ]
