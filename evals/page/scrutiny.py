"""The part of the report page on failures put in, expected tool calls and the judge."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

__all__ = ["scrutiny"]

MOST = 20
"""Items listed whose label a failure changed; the page says how many more there are."""


def scrutiny(results: Mapping[str, Any]) -> str:
    """The section, from ``results.json`` alone; empty where nothing of the kind was measured."""
    parts = [_expected(results["metrics"]), _injected(results), _judge(results)]
    if not any(parts):
        return ""
    return f'<section id="scrutiny"><h2>Conduct</h2>{"".join(parts)}</section>'


def _expected(metrics: Mapping[str, Any]) -> str:
    modes = ("strict", "unordered", "subset", "superset")
    shares = [(mode, metrics.get(f"tools_{mode}")) for mode in modes]
    if all(value is None for _, value in shares):
        return ""
    told = ", ".join(f"{mode} {value:.3f}" for mode, value in shares if value is not None)
    return f"<p>Tool calls as the suite expects them, share of items: {told}.</p>"


def _injected(results: Mapping[str, Any]) -> str:
    table: Mapping[str, Any] = results.get("injected") or {}
    if not table:
        return ""
    labels = list(next(iter(table.values()))["labels"])
    head = "".join(f'<th class="n">{escape(label)}</th>' for label in labels)
    body = "".join(
        f'<tr><td>{escape(tool)}</td><td class="n">{row["items"]}</td>'
        f'<td class="n">{row["struck"]}</td><td class="n">{len(row["changed"])}</td>'
        + "".join(f'<td class="n">{row["labels"][label]}</td>' for label in labels)
        + f"<td>{escape(_stops(row['stop_reasons']))}</td></tr>"
        for tool, row in table.items()
    )
    changed = [(tool, item) for tool, row in table.items() for item in row["changed"]]
    listed = "".join(
        f"<li>{escape(item['name'])}, {escape(tool)}: {escape(item['before'])} → "
        f"{escape(item['after'])}{escape(': ' + item['reason'] if item['reason'] else '')}</li>"
        for tool, item in changed[:MOST]
    )
    more = f"<li>and {len(changed) - MOST} more</li>" if len(changed) > MOST else ""
    recovered = results["metrics"].get("recovery")
    share = "" if recovered is None else f" Recovered, with the same label: {recovered:.3f}."
    return (
        f"<p>Items asked again with the first call of one tool made to fail.{share}</p>"
        '<div class="scroll"><table><thead><tr><th>tool</th><th class="n">asked</th>'
        '<th class="n">struck</th><th class="n">other label</th>'
        f"{head}<th>why the struck runs stopped</th></tr></thead><tbody>{body}</tbody>"
        "</table></div>" + (f'<ul class="note">{listed}{more}</ul>' if listed else "")
    )


def _stops(reasons: Mapping[str, int]) -> str:
    return "; ".join(f"{n} × {reason}" for reason, n in reasons.items())


def _judge(results: Mapping[str, Any]) -> str:
    who: Mapping[str, Any] = results.get("judge") or {}
    if not who:
        return ""
    metrics = results["metrics"]
    agreed = (
        f"agreement with {who['labelled']} given labels {metrics['judge_agreement']:.3f}, "
        f"kappa {metrics['judge_kappa']:.3f}"
        if metrics.get("judge_kappa") is not None
        else f"not measured against labels: {results['undefined'].get('judge_kappa', '')}"
    )
    return (
        f"<p>Reasons judged by {escape(who['model'])}, rubric {escape(who['rubric'])}: "
        f"{who['judged']} judgements, {who['unreadable']} of them unreadable; {escape(agreed)}.</p>"
    )
