"""A run's reasons given to a judge, and the run scored again with what it said."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evals.judgements import judge_reasons, load_labelled, reason_of
from evals.judging import ServedJudge, rubric_id
from evals.scoring import load_run, report_dir, score_dir
from evals.sections import Say
from evals.suite import JudgeSpec, Suite, data_root
from tools.backends.served.patience import Patience
from tools.errors import UserError

__all__ = ["KEY", "judge_dir", "judge_of"]

KEY = "VIDOCQ_JUDGE_KEY"
"""Environment variable that holds the server's key, where it wants one."""


def judge_of(
    suite: Suite, *, model: str | None = None, url: str | None = None, labels: str | None = None
) -> JudgeSpec:
    """The suite's judge, with what the caller names in its place. Raises UserError."""
    known = suite.judge.model_dump() if suite.judge is not None else {}
    if labels and Path(labels).exists():
        labels = str(Path(labels).absolute())  # else it lies under the data root
    given = {"model": model, "url": url, "labels": labels}
    chosen = known | {key: value for key, value in given.items() if value is not None}
    try:
        return JudgeSpec.model_validate(chosen)
    except ValidationError as error:
        flaw = error.errors()[0]
        key = ".".join(str(part) for part in flaw["loc"])
        if flaw["type"] == "missing":
            raise UserError(
                f"suite {suite.name} names no judge", remedy="give --model and --url"
            ) from None
        raise UserError(f"--{key}: {flaw['msg'].removeprefix('Value error, ')}") from None


def judge_dir(folder: Path, spec: JudgeSpec, *, say: Say = lambda _: None) -> dict[str, Any]:
    """Judge the reasons of a run, and those of the labelled set where one is named; score again.

    Returns the content of ``results.json``. What was judged before is kept and not asked again.

    Raises UserError for a rubric that is not this version's, for a run without a reason to judge
    and for a labelled set that does not fit, BackendError of the judge, StoreError.
    """
    if spec.rubric is not None and spec.rubric != rubric_id():
        raise UserError(
            f"the suite pins rubric {spec.rubric}, this version has {rubric_id()}",
            remedy="judge with the version that the suite was written for, or pin this rubric",
        )
    scored = load_run(folder)
    found = (reason_of(e.sample, e.outcome) for e in scored.section("test"))
    reasons = [reason for reason in found if reason is not None]
    if spec.labels is not None:
        reasons += load_labelled(data_root() / spec.labels)
    if not reasons:
        raise UserError(
            f"nothing to judge in {folder}: no item has a reference, a kind or a category",
            remedy="write references into labels.json, or name labelled reasons: --labels FILE",
        )
    patience = Patience(read_s=spec.timeout_s, tries=3, first_wait_s=1.0)
    key = os.environ.get(KEY, "")
    with closing(ServedJudge(spec.url, spec.model, key=key, patience=patience)) as judge:
        judge_reasons(folder, judge, reasons, say)
    results = score_dir(folder)
    report_dir(folder)
    return results
