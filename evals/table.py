"""A run's figures as a table for a README, from its ``run.json`` and ``results.json``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evals.metrics.definitions import DEFINITIONS, Definition
from evals.page.extra import EXTRA
from evals.provenance import read_json
from tools.errors import UserError

__all__ = ["definitions_table", "markdown_table", "write_into"]

ROWS = (
    ("micro_auroc", "micro AUROC"),
    ("macro_auroc", "macro AUROC"),
    ("auroc_within", "AUROC within videos"),
    ("auroc_cross", "AUROC across videos"),
    ("average_precision", "average precision"),
    ("pr_trapezoid", "PR area, trapezoidal"),
    ("accuracy", "accuracy of labels"),
    ("event_f1_30", "event F1 at IoU 0.3"),
    ("event_f1_50", "event F1 at IoU 0.5"),
    ("event_mean_iou", "mean IoU of true stretches"),
    ("false_alarms_per_hour", "false alarms per hour"),
    ("top_box_hit", "top box inside a true box"),
    ("choice_rr", "right verdict, right reason"),
    ("choice_rw", "right verdict, wrong reason"),
    ("choice_wr", "wrong verdict, right reason"),
    ("choice_ww", "wrong verdict, wrong reason"),
    ("citation_precision", "citations that hold"),
    ("ece", "calibration error of items"),
    ("free_rr", "reasons judged right, verdict right"),
    ("tools_strict", "tool calls as expected, in order"),
    ("tools_superset", "at least the tool calls expected"),
    ("recovery", "same label after an injected failure"),
)


def markdown_table(folder: Path) -> str:
    """The table, with what it rests on above it. Raises UserError, StoreError."""
    for name in ("run.json", "results.json"):
        if not (folder / name).is_file():
            raise UserError(
                f"no {name} in {folder}", remedy="name the --out folder of a finished run"
            )
    run, results = read_json(folder / "run.json"), read_json(folder / "results.json")
    metrics, controls = results["metrics"], dict(results.get("controls", {}))
    if results.get("reference"):
        controls["original system"] = results["reference"]["metrics"]
    beside = [name for name, table in controls.items() if isinstance(table, dict)]
    code = run["code"]
    dirty = " + uncommitted work" if code.get("dirty") else ""
    limited = f", first {results['limited_to']} per section" if results.get("limited_to") else ""
    lines = [
        f"`{results['suite']}` · commit `{str(code.get('commit'))[:7]}`{dirty} · "
        f"{run['started'][:10]} · data `{run['data']['fingerprint']}`{limited} · "
        + ", ".join(
            f"{metrics[key]} {name}"
            for key, name in (
                ("items", "items"),
                ("failed", "failed"),
                ("uncertain", "uncertain"),
                ("unscored", "not scored"),
            )
            if metrics[key] is not None
        ),
        "",
        "| figure | value | 95 % |" + "".join(f" {name.replace('_', ' ')} |" for name in beside),
        "|---|---|---|" + "---|" * len(beside),
    ]
    for key, name in ROWS:
        if metrics.get(key) is None:
            continue
        spread = _spread(key, metrics)
        cells = "".join(f" {_cell(controls[c], key)} |" for c in beside)
        value = f"{metrics[key]:.4f}" if metrics[key] < 10 else f"{metrics[key]:.1f}"
        lines.append(f"| {name} | {value} | {spread} |{cells}")
    kinds: Mapping[str, Any] = results.get("by_kind") or {}
    if kinds:
        lines += [
            "",
            "| kind | clips | anomalous | uncertain | failed | AUROC against normal clips | 95 % |",
            "|---|---|---|---|---|---|---|",
        ]
        for kind, row in kinds.items():
            auroc = "–" if row["auroc"] is None else f"{row['auroc']:.3f}"
            lines.append(
                f"| {kind.replace('_', ' ')} | {row['items']} | {row['anomalous']} | "
                f"{row['uncertain']} | {row['failed']} | {auroc} | {_spread('auroc', row)} |"
            )
    return "\n".join(lines) + "\n"


def write_into(folder: Path, document: Path) -> None:
    """Put a run's table where a document shows that suite's, in place of the old one.

    The old one begins with the line "`SUITE` · …" and ends with its last row. Raises UserError
    where the document shows no table of that suite.
    """
    table = markdown_table(folder)
    suite = table[1 : table.index("`", 1)]
    try:
        text = document.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read {document}: {error.strerror}") from None
    old = re.compile(
        rf"^`{re.escape(suite)}` · .*\n\n(?:\|.*\n)+(?:\n\| kind \|.*\n(?:\|.*\n)+)?", re.MULTILINE
    )
    new, found = old.subn(lambda _: table, text)
    if not found:
        raise UserError(
            f"{document} shows no table of {suite}",
            remedy=f"put the output of `python -m evals table {folder}` there once",
        )
    document.write_text(new, encoding="utf-8")


def definitions_table() -> str:
    """Every figure with its unit and definition, as the evaluation page lists them."""
    groups: dict[str, list[tuple[str, Definition]]] = {}
    for key, definition in {**DEFINITIONS, **EXTRA}.items():
        groups.setdefault(definition.group, []).append((key, definition))
    lines: list[str] = []
    for group, rows in groups.items():
        lines += [f"### {group}", "", "| key | unit | better | definition |", "|---|---|---|---|"]
        for key, known in rows:
            source = f" ({known.source})" if known.source else ""
            text = known.text.replace("|", "\\|")
            lines.append(f"| `{key}` | {known.unit} | {known.better or '–'} | {text}{source} |")
        lines.append("")
    return "\n".join(lines)


def _spread(key: str, values: Mapping[str, Any]) -> str:
    low, high = values.get(f"{key}_95_low"), values.get(f"{key}_95_high")
    return "–" if low is None or high is None else f"{_short(low)}–{_short(high)}"


def _cell(control: Mapping[str, Any], key: str) -> str:
    value = control.get(key)
    return "–" if value is None else _short(value)


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
