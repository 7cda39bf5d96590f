"""Expected tool calls and injected failures, from a suite to its results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from evals.datasets import load_ucsd
from evals.expecting import with_expected
from evals.injecting import INJECTED, Fault
from evals.metrics.trajectory import matches
from evals.plan import read_plan
from evals.runner import run_suite
from evals.saved import load_saved
from evals.scoring import score_dir
from evals.suite import Suite, load_suite
from tests.evalruns import sample_of, suite_of
from tests.recordings import write_recorded
from tools.errors import UserError

ONCE = ["plan", "segment", "look+", "recall+", "judge+"]
TWICE = [*ONCE, "look+", "recall+", "judge+"]


def recorded_suite(**changes: Any) -> Suite:
    return suite_of(
        dataset={"layout": "recorded", "folder": "x"},
        question="Did anything out of the ordinary happen?",
        **changes,
    )


# ---------------------------------------------------------------- expected calls


def test_a_plus_stands_for_one_call_or_more() -> None:
    made = ["plan", "segment", "look", "look", "recall", "recall", "judge", "judge"]

    def modes(called: list[str], expected: list[str]) -> list[bool]:
        return [matches(called, expected, m) for m in ("strict", "unordered", "subset", "superset")]

    assert modes(made, ONCE) == [True, True, True, True]
    assert modes([*made, "ask"], ONCE) == [False, False, False, True]
    assert modes(made[:-2], ONCE) == [False, False, True, False]
    assert modes([*reversed(made)], ONCE) == [False, True, True, True]
    # A round too few: looks enough in number, but not in two rounds.
    assert modes(made, TWICE) == [False, True, True, True]
    assert modes([*made, *made[2:]], TWICE) == [True, True, True, True]
    assert modes([*made, *made[2:]], ONCE) == [False, True, True, True]
    # Without a plus, calls are counted.
    assert modes(["look", "look"], ["look"]) == [False, False, False, True]
    assert modes(["look", "ask"], ["ask", "look"]) == [False, True, True, True]


def test_the_most_specific_expectation_counts() -> None:
    samples = [
        sample_of("a", kind="cyclist"),
        sample_of("b", kind="cyclist"),
        sample_of("n", kind="normal", normal=True),
        sample_of("x", kind="cart"),
    ]
    chosen = suite_of(
        expected={
            "items": {"a": ["plan"]},
            "kinds": {"cyclist": ["look"]},
            "normal": ["segment"],
            "default": ["judge"],
        }
    )
    found = [s.expected for s in with_expected(chosen, samples)]
    assert found == [("plan",), ("look",), ("segment",), ("judge",)]
    assert with_expected(suite_of(), samples)[0].expected is None
    listed = suite_of(expected=["look+"])
    assert {s.expected for s in with_expected(listed, samples)} == {("look+",)}


def test_an_item_may_state_its_own_in_labels_json(tmp_path: Path) -> None:
    entry = {
        "split": "test",
        "frames": 60,
        "fps": 10,
        "anomalous": [],
        "references": "A man walks.",
    }

    def dataset(**more: Any) -> Any:
        (tmp_path / "Test1.mp4").write_bytes(b"clip")
        (tmp_path / "labels.json").write_text(json.dumps({"Test1.mp4": entry | more}))
        return load_ucsd(tmp_path)

    (item,) = dataset(expected=["look", "judge+"]).test
    assert item.expected == ("look", "judge+")
    assert item.references == ("A man walks.",)
    with pytest.raises(UserError, match=r"labels\.json, Test1\.mp4: expected: no tool is called"):
        dataset(expected=["lok"])
    with pytest.raises(UserError, match="a list of at least one"):
        dataset(expected="look")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expected": ["lok"]}, "expected.default: no tool is called 'lok'; tools: plan, segment"),
        ({"expected": {"kinds": {"cart": []}}}, "expected.kinds.cart: expected tool calls are a"),
        ({"inject": ["probe"]}, "inject.tools: no tool is called 'probe'"),
        ({"inject": ["look", "look"]}, "inject.tools: a tool is named twice"),
        ({"inject": {"tools": ["look"], "items": 0}}, "inject.items: input should be greater"),
        (
            {"inject": ["look"], "dataset": {"layout": "mc100", "folder": "c"}},
            "inject: no agent runs over layout mc100",
        ),
        ({"judge": {"model": "m"}}, "judge.url: field required"),
        ({"judge": {"model": "m", "url": "x"}}, "judge.url: not an http address: x"),
    ],
)
def test_a_wrong_key_is_one_line_naming_file_and_key(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    base = {"name": "s", "scene": "x", "question": "q"}
    content = base | {"dataset": {"layout": "ucsd", "folder": "d"}} | change
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError) as caught:
        load_suite(file)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["items", "kinds"])
def test_an_expectation_of_what_the_data_do_not_hold_is_refused(tmp_path: Path, key: str) -> None:
    write_recorded(tmp_path / "data")
    chosen = recorded_suite(expected={key: {"m9": ["look"]}})
    with pytest.raises(UserError, match=rf"expected\.{key}: the data hold no 'm9'"):
        run_suite(chosen, data=tmp_path / "data", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- runs


def test_a_suite_states_expected_calls_and_puts_failures_in(tmp_path: Path) -> None:
    write_recorded(tmp_path / "data")
    chosen = recorded_suite(
        expected={"normal": ONCE, "default": TWICE}, inject=["look", "judge", "ask"]
    )
    results = run_suite(chosen, data=tmp_path / "data", out=tmp_path / "out")
    metrics = results["metrics"]
    # Nothing in m2; the fire in m1 is looked at again, closely.
    assert [metrics[f"tools_{m}"] for m in ("strict", "unordered", "subset", "superset")] == [
        1.0,
        1.0,
        1.0,
        1.0,
    ]
    assert (metrics["recovery"], metrics["recovery_answered"]) == (1.0, 1.0)
    assert metrics["recovery_items"] == 4  # nobody was asked, so no question failed
    assert (metrics["calls_failed"], metrics["calls_invalid"]) == (0, 0)
    assert results["injected"]["look"] == {
        "items": 2,
        "struck": 2,
        "labels": {"normal": 1, "anomalous": 1, "uncertain": 0, "failed": 0},
        "stop_reasons": {"everything in scope was looked at": 2},
        "changed": [],
    }
    assert results["injected"]["ask"]["struck"] == 0
    saved = load_saved(tmp_path / "out" / "traces" / "inject%3ajudge" / "m1.jsonl")
    assert saved.struck.startswith("judge:")
    assert saved.sample.expected == tuple(TWICE)
    before = (tmp_path / "out" / "results.json").read_bytes()
    score_dir(tmp_path / "out")
    assert (tmp_path / "out" / "results.json").read_bytes() == before
    page = (tmp_path / "out" / "report.html").read_text()
    assert "strict 1.000" in page
    assert "Recovered, with the same label: 1.000" in page


def test_a_failure_that_lasts_is_no_recovery_but_an_answer(tmp_path: Path) -> None:
    write_recorded(tmp_path / "data")
    chosen = recorded_suite(inject={"tools": ["look", "segment", "plan"], "lasting": True})
    results = run_suite(chosen, data=tmp_path / "data", out=tmp_path / "out")
    metrics = results["metrics"]
    table = results["injected"]
    # Two events each: with the calm one lost, the fire is found; with any lost, m2 stays open.
    assert table["look"]["labels"] == {
        "normal": 0,
        "anomalous": 1,
        "uncertain": 1,
        "failed": 0,
    }
    (changed,) = table["look"]["changed"]
    assert (changed["name"], changed["before"], changed["after"]) == ("m2", "normal", "uncertain")
    assert INJECTED in changed["reason"]
    assert table["segment"]["labels"]["uncertain"] == 2
    assert table["plan"]["labels"]["failed"] == 2
    assert metrics["recovery"] == pytest.approx(1 / 6, abs=1e-6)
    assert metrics["recovery_answered"] == pytest.approx(4 / 6, abs=1e-6)
    assert results["unscored"] == []
    assert INJECTED in (tmp_path / "out" / "report.html").read_text()
    # A run that a failure put there has ended says so, and is asked anew next time.
    broken = load_saved(tmp_path / "out" / "traces" / "inject%3aplan" / "m1.jsonl")
    assert broken.error == INJECTED
    assert broken.struck.startswith("plan:")


def test_a_sample_of_the_items_is_drawn_by_seed(tmp_path: Path) -> None:
    names = {f"m{n}": 0.9 if n < 3 else 0.1 for n in range(6)}
    write_recorded(tmp_path / "data", names)

    def drawn(seed: int, out: str) -> list[str]:
        chosen = recorded_suite(inject={"tools": ["look"], "items": 2, "seed": seed})
        run_suite(chosen, data=tmp_path / "data", out=tmp_path / out)
        items = read_plan(tmp_path / out).items
        return [item.name for item in items if item.section == "inject:look"]

    first = drawn(0, "a")
    assert len(first) == 2
    assert first == drawn(0, "b")
    assert first != drawn(1, "c")


def test_a_fault_strikes_the_first_call_of_its_tool_once() -> None:
    fault = Fault("look")
    assert [fault.strikes(*call) for call in (("judge", "1"), ("look", "2"), ("look", "2"))] == [
        False,
        True,
        False,
    ]
    assert fault.struck == "look:2"
    fault.arm()
    assert fault.struck == ""
    lasting = Fault("look", lasting=True)
    assert [lasting.strikes("look", r) for r in "1213"] == [True, False, True, False]
