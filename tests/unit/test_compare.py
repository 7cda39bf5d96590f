"""Runs side by side: paired, regressions first, gates that stop a merge; tables; commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from evals.__main__ import app, main
from evals.compare import Gate, compare, parse_gate
from evals.table import markdown_table, write_into
from tests.evalruns import make_run
from tools.errors import UserError

GOOD = {"a.mp4": 0.9, "b.mp4": 0.7, "normal.mp4": 0.3}
WORSE = {"a.mp4": 0.9, "b.mp4": 0.15, "normal.mp4": 0.3}


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    return (
        make_run(tmp_path / "good", peaks=GOOD),
        make_run(tmp_path / "worse", peaks=WORSE),
    )


def test_what_got_worse_comes_first_and_sums_to_the_difference(runs: tuple[Path, Path]) -> None:
    [found] = compare(runs, samples=200)
    assert found.items[0].name == "b.mp4"
    assert (found.items[0].base_label, found.items[0].other_label) == ("anomalous", "normal")
    by_name = {d.metric: d for d in found.differences}
    change = by_name["micro_auroc"].change
    assert change is not None
    assert change < 0
    assert sum(i.worse for i in found.items) == pytest.approx(-change, abs=1e-5)
    assert by_name["micro_auroc"].low <= change <= by_name["micro_auroc"].high <= 0
    assert by_name["frames"].change == 0


def test_a_run_equals_itself(runs: tuple[Path, Path]) -> None:
    [found] = compare([runs[0], runs[0]], [parse_gate("micro_auroc:0")], samples=20)
    assert found.regressions == ()
    assert found.failed == ()
    assert all(not d.change for d in found.differences)


@pytest.mark.parametrize(
    ("gate", "change", "failed"),
    [
        ("micro_auroc:-0.005", -0.004, False),
        ("micro_auroc:-0.005", -0.005, False),
        ("micro_auroc:-0.005", -0.006, True),
        ("micro_auroc:-0.005", 0.3, False),
        ("micro_auroc:0", -0.001, True),
        ("brier:+0.01", 0.02, True),
        ("brier:+0.01", -0.5, False),
        ("brier:0", 0.001, True),
        ("brier:0", -0.001, False),
        ("micro_auroc:-0.005", None, True),
    ],
)
def test_gates(gate: str, change: float | None, failed: bool) -> None:
    assert parse_gate(gate).failed(change) is failed


@pytest.mark.parametrize("text", ["micro_auroc", "micro_auroc:", "micro_auroc:nan", "auc:-0.1"])
def test_a_gate_that_is_none(text: str) -> None:
    with pytest.raises(UserError, match="gate"):
        parse_gate(text)


@pytest.mark.parametrize("text", ["micro_auroc:0.005", "brier:-0.01"])
def test_a_gate_that_would_let_any_loss_pass_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="would let any loss pass"):
        parse_gate(text)


def test_a_right_label_gone_is_a_regression_even_where_the_ranking_is_as_good(
    tmp_path: Path,
) -> None:
    base = make_run(tmp_path / "a", peaks=GOOD)
    shy = make_run(tmp_path / "b", peaks=GOOD | {"b.mp4": 0.45})
    [found] = compare([base, shy], samples=20)
    assert [(r.name, r.worse, r.mislabelled) for r in found.regressions] == [("b.mp4", 0.0, True)]


def test_gates_on_what_stands_beside_the_items(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name, peaks=GOOD) for name in ("a", "b")]
    gate = parse_gate("unscored:0")
    assert compare(runs, [gate], samples=20)[0].failed == ()
    (runs[1] / "traces" / "test" / "b.mp4.jsonl").write_text("")
    [found] = compare(runs, [gate], samples=20)
    assert found.failed[0] == "unscored:+0: 0.0000 → 1.0000 (+1.0000)"


def test_a_gate_is_not_passed_by_leaving_items_out(tmp_path: Path) -> None:
    base = make_run(tmp_path / "a", peaks=GOOD)
    fewer = make_run(tmp_path / "b", peaks={k: v for k, v in GOOD.items() if k != "b.mp4"})
    [found] = compare([base, fewer], [Gate("micro_auroc", -0.5)], samples=20)
    assert found.missing == ("b.mp4",)
    assert "1 items of the baseline are not scored" in found.failed[0]
    [back] = compare([fewer, base], samples=20)
    assert (back.missing, back.added) == ((), ("b.mp4",))


def test_what_cannot_be_compared(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    with pytest.raises(UserError, match="two runs"):
        compare([runs[0]])
    with pytest.raises(UserError, match="no scored item in common"):
        compare([runs[0], make_run(tmp_path / "c", peaks={"z.mp4": 0.9})])
    other = make_run(tmp_path / "d", peaks=GOOD)
    path = other / "traces" / "test" / "a.mp4.jsonl"
    path.write_text(path.read_text().replace('"truth":[[[20,40]]]', '"truth":[[[20,41]]]'))
    with pytest.raises(UserError, match=r"a\.mp4 has another truth"):
        compare([runs[0], other])


# ---------------------------------------------------------------- commands


def test_the_commands(runs: tuple[Path, Path]) -> None:
    good, worse = map(str, runs)
    run = CliRunner().invoke
    scored = run(app, ["score", good])
    assert scored.exit_code == 0
    assert "Micro AUROC" in scored.stdout
    assert (runs[0] / "results.json").is_file()
    assert run(app, ["report", good]).exit_code == 0
    assert (runs[0] / "report.html").is_file()
    table = run(app, ["table", good])
    assert "| micro AUROC | 1.0000 |" in table.stdout

    passed = run(app, ["compare", worse, good, "--gate", "micro_auroc:-0.005"])
    assert passed.exit_code == 0
    stopped = run(app, ["compare", good, worse, "--gate", "micro_auroc:-0.005"])
    assert stopped.exit_code == 1
    assert "gate failed: micro_auroc:-0.005: 1.0000" in stopped.output
    out = stopped.stdout
    assert out.index("b.mp4") < out.index("figures:")


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", "NOWHERE"],
        ["report", "NOWHERE"],
        ["table", "NOWHERE"],
        ["compare", "NOWHERE", "NOWHERE"],
        ["compare", "NOWHERE", "NOWHERE", "--gate", "x"],
        ["run", "NOWHERE.yaml"],
    ],
)
def test_a_users_error_is_one_line_and_code_2(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["evals", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_the_table_names_what_it_rests_on(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    CliRunner().invoke(app, ["score", str(runs[0])])
    text = markdown_table(runs[0])
    assert "commit `0123456`" in text
    assert "| cyclist | 2 | 2 | 0 | 0 | 1.000 |" in text
    assert all(not line.endswith(" ") for line in text.splitlines())
    with pytest.raises(UserError, match=r"no run\.json"):
        markdown_table(tmp_path)


def test_a_table_takes_the_place_of_the_old_one(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    CliRunner().invoke(app, ["score", str(runs[0])])
    table = markdown_table(runs[0])
    suite = table.split("`")[1]
    document = tmp_path / "README.md"
    old = f"`{suite}` · commit `old`\n\n| a |\n|---|\n| 1 |\n\n| kind | b |\n|---|---|\n| x | 2 |\n"
    document.write_text(f"Before.\n\n{old}\n| besides | c |\n|---|---|\n", encoding="utf-8")
    write_into(runs[0], document)
    write_into(runs[0], document)
    assert document.read_text(encoding="utf-8") == (
        f"Before.\n\n{table}\n| besides | c |\n|---|---|\n"
    )
    document.write_text("Nothing.\n", encoding="utf-8")
    with pytest.raises(UserError, match=f"shows no table of {suite}"):
        write_into(runs[0], document)
