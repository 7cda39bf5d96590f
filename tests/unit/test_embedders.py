"""Sentence vectors by name: the embedded ones, an installed package's, or one clear line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from evals.__main__ import app
from evals.embedders import open_embedder
from evals.scoring import report_dir, score_dir
from tests.evalruns import make_run, suite_of
from tools.errors import UserError


def test_the_embedded_one_gives_unit_rows_and_names_itself() -> None:
    made = open_embedder("hashed-ngrams")
    assert made.name.startswith("hashed-ngrams-")
    assert np.allclose(np.linalg.norm(made.embed(["a man rides", "a tree"]), axis=1), 1)


@pytest.mark.parametrize("name", ["glove", "sentence-transformers", "sentence-transformers:", ""])
def test_another_name_is_an_error(name: str) -> None:
    with pytest.raises(UserError, match="no embedder"):
        open_embedder(name)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(UserError, match="needs the package sentence-transformers"):
        open_embedder("sentence-transformers:some/model")


def test_it_is_named_beside_its_figure_and_absent_by_default(tmp_path: Path) -> None:
    plain = make_run(tmp_path / "plain", references=("Someone rides past.",))
    made = score_dir(plain)
    assert made["embedder"] is None
    assert made["metrics"]["similarity"] is None
    assert made["metrics"]["rouge_l"] > 0.3
    first = (plain / "results.json").read_bytes()
    again = score_dir(plain, embedder="hashed-ngrams")
    assert again["embedder"] == open_embedder("hashed-ngrams").name
    assert 0 < again["metrics"]["similarity"] <= 1
    assert again["metrics"]["similarity_95_low"] <= again["metrics"]["similarity"]
    assert open_embedder("hashed-ngrams").name in report_dir(
        plain, embedder="hashed-ngrams"
    ).read_text(encoding="utf-8")
    score_dir(plain)
    assert (plain / "results.json").read_bytes() == first


def test_a_suite_may_choose_one(tmp_path: Path) -> None:
    run = make_run(
        tmp_path, suite=suite_of(embedder="hashed-ngrams"), references=("Someone rides.",)
    )
    assert score_dir(run)["metrics"]["similarity"] is not None


def test_on_the_command_line(tmp_path: Path) -> None:
    run = make_run(tmp_path, references=("Someone rides.",))
    done = CliRunner().invoke(app, ["score", str(run), "--embedder", "hashed-ngrams"])
    assert done.exit_code == 0, done.output
    assert json.loads((run / "results.json").read_text())["embedder"].startswith("hashed-ngrams")
