"""The tables of the report page, from ``results.json`` and ``run.json`` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from evals.metrics.definitions import DEFINITIONS, Definition
from evals.model import Outcome, Sample
from evals.page.extra import EXTRA

__all__ = [
    "HEADLINE",
    "basis",
    "costs",
    "figures",
    "groups",
    "headline",
    "shown",
    "title",
    "unscored",
]

HEADLINE = (
    ("micro_auroc", "Micro AUROC"),
    ("macro_auroc", "Macro AUROC"),
    ("average_precision", "Average precision"),
    ("pr_trapezoid", "PR area, trapezoidal"),
    ("auroc_within", "AUROC within videos"),
    ("auroc_cross", "AUROC across videos"),
    ("auroc_abnormal_videos", "AUROC, abnormal videos only"),
    ("accuracy", "Accuracy of labels"),
    ("event_f1_30", "Event F1 at IoU 0.3"),
    ("event_f1_50", "Event F1 at IoU 0.5"),
    ("event_mean_iou", "Mean IoU of true stretches"),
    ("false_alarms_per_hour", "False alarms per hour"),
    ("top_box_hit", "Top box inside a true box"),
    ("choice_rr", "Right verdict, right reason"),
    ("choice_rw", "Right verdict, wrong reason"),
    ("choice_wr", "Wrong verdict, right reason"),
    ("choice_ww", "Wrong verdict, wrong reason"),
    ("citation_precision", "Citations that hold"),
    ("ece", "Calibration error of items"),
)
RARE = frozenset(
    {"top_box_hit", "choice_rr", "choice_rw", "choice_wr", "choice_ww", "citation_precision"}
)
"""Left out of the headline where they have no value: few suites have boxes or choices."""
CONTROLS = {
    "random": ("Random", "a random score for every frame"),
    "video_constant": ("Video-constant", "every frame gets its video’s mean score"),
    "no_rules": ("No rules", "the same agent, every rule retired"),
    "shuffled_rules": ("Shuffled rules", "the same agent, predicates dealt out anew"),
    "single_look": ("Single look", "the same agent, one round and no iteration"),
    "reference": ("Reference", "the original system’s own scores under the same metrics"),
    "reference_constant": ("Reference, video-constant", "its video-constant control"),
}


def shown(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Key and name of the headline figures of these ``metrics``."""
    return [
        (key, name)
        for key, name in HEADLINE
        if key in metrics and (metrics[key] is not None or key not in RARE)
    ]


def title(results: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """Name, question, when and from which code; links to the sections."""
    code = run.get("code", {})
    commit = str(code.get("commit") or "")[:10]
    bits = [
        str(run.get("started", "")).replace("T", " ").replace("+00:00", " UTC"),
        f"commit {commit}{' + uncommitted work' if code.get('dirty') else ''}" if commit else "",
        f"data {run['data']['folder']}" if run.get("data") else "",
        f"limited to {results['limited_to']} per section" if results.get("limited_to") else "",
    ]
    about = " · ".join(escape(b) for b in bits if b)
    links = (
        ("headline", "Headline"),
        ("curves", "Curves"),
        ("groups", "Kinds"),
        ("videos", "Videos"),
        ("figures", "All figures"),
        ("cost", "Cost"),
        ("basis", "Basis"),
    )
    return (
        f"<header><h1>{escape(str(results['suite']))}</h1>"
        f'<p class="soft">“{escape(str(results.get("question", "")))}”<br>{about}</p><nav>'
        + "".join(f'<a href="#{key}">{name}</a>' for key, name in links)
        + "</nav></header>"
    )


def headline(results: Mapping[str, Any]) -> str:
    """Cards, then the headline with intervals and every control beside it."""
    metrics = results["metrics"]
    counted = "".join(
        f"<span>{metrics[key]} {escape(word)}</span>"
        for key, word in (
            ("anomalous", "judged anomalous"),
            ("uncertain", "uncertain"),
            ("failed", "failed"),
        )
        if metrics.get(key) is not None
    )
    cards = [_card(key, name, results) for key, name in HEADLINE[:3]]
    cards.append(
        f'<div class="card"><span class="name">Items asked about</span><b>{metrics["items"]}</b>'
        f"{counted}</div>"
    )
    controls = dict(results.get("controls", {}))
    reference = results.get("reference") or {}
    if reference:
        controls["reference"] = reference["metrics"]
        controls["reference_constant"] = reference["controls"]["video_constant"]
    beside = {name: table for name, table in controls.items() if not isinstance(table, str)}
    head = "".join(
        f'<th class="n" title="{escape(CONTROLS.get(c, (c, c))[1])}">'
        f"{escape(CONTROLS.get(c, (c, c))[0])}</th>"
        for c in beside
    )
    rows = []
    for key, name in shown(metrics):
        cells = "".join(_control(table, key) for table in beside.values())
        strong = ' class="strong"' if key == "micro_auroc" else ""
        rows.append(
            f"<tr{strong}><td>{escape(name)}{_aside(key, metrics)}</td>"
            f'<td class="n">{_value(metrics[key])}</td>'
            f'<td class="n">{_interval(key, metrics)}</td>{cells}</tr>'
        )
    absent = "".join(
        f"<li>{escape(CONTROLS.get(c, (c, c))[0])}: {escape(why)}</li>"
        for c, table in controls.items()
        if (why := _short_of(table, metrics["items"], c))
    )
    return (
        f'<div class="cards">{"".join(cards)}</div>'
        '<section id="headline"><h2>Headline, with controls</h2><div class="scroll"><table><thead>'
        f'<tr><th>figure</th><th class="n">value</th><th class="n">95 % interval</th>{head}</tr>'
        f'</thead><tbody>{"".join(rows)}</tbody></table></div><p class="note">Intervals: '
        "percentile bootstrap over whole videos; with few videos they are wide and themselves "
        "rough. The threshold of false alarms per hour is chosen anew in each draw, and for each "
        "control. A control that comes close says that the figure measures something simpler; "
        "a random or constant score flags and explains nothing, so it has a “–” there. "
        f"{escape(str(results.get('policy', '')))}</p>"
        + (f'<ul class="note">{absent}</ul>' if absent else "")
        + "</section>"
    )


def unscored(results: Mapping[str, Any]) -> str:
    """Traces that could not be scored, by name."""
    rows = results.get("unscored") or []
    if not rows:
        return ""
    items = "".join(
        f"<li><b>{escape(r['name'])}</b> ({escape(r['file'])}): {escape(r['reason'])}</li>"
        for r in rows
    )
    return (
        f'<section id="unscored"><h2>Not scored: {len(rows)}</h2><div class="warn"><ul>{items}</ul>'
        "</div></section>"
    )


def groups(results: Mapping[str, Any]) -> str:
    """Figures per kind and per category, against the normal videos."""
    parts = []
    for key, name in (
        ("by_kind", "kind"),
        ("by_category", "category"),
        ("by_completeness", "recording"),
    ):
        table = results.get(key) or {}
        if not table:
            continue
        columns = [c for c in next(iter(table.values())) if not c.startswith("auroc_95")]
        head = "".join(f'<th class="n">{escape(c)}</th>' for c in (*columns, "95 % interval"))
        body = "".join(
            f"<tr><td>{escape(group)}</td>"
            + "".join(f'<td class="n">{_value(row.get(c))}</td>' for c in columns)
            + f'<td class="n">{_interval("auroc", row)}</td></tr>'
            for group, row in table.items()
        )
        parts.append(
            f'<div class="scroll"><table><thead><tr><th>{name}</th>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div><br>"
        )
    rounds = results.get("rounds") or []
    if len(rounds) > 1:
        head = "".join(f'<th class="n">{escape(c)}</th>' for c in rounds[0])
        answer = {key: results["metrics"].get(key) for key in rounds[0]} | {"round": "answer"}
        body = "".join(
            f'<tr><td class="n">{row["round"]}</td>'
            + "".join(f'<td class="n">{_value(v)}</td>' for k, v in row.items() if k != "round")
            + "</tr>"
            for row in (*rounds, answer)
        )
        parts.append(
            '<p class="note">Round by round: what the verdicts standing after it said, held '
            "constant on their events. The answer adds what is measured frame by frame, "
            "neighbours and the level above, so the last two rows are not one step apart; what "
            "iteration bought in the answer is its distance from the control single look.</p>"
            f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
            "</table></div>"
        )
    if not parts:
        return ""
    return (
        '<section id="groups"><h2>By kind and category</h2><p class="note">AUROC of a group: its '
        "videos’ abnormal frames against its own normal frames and those of all normal videos; "
        "no interval where too few draws hold the group."
        f"</p>{''.join(parts)}</section>"
    )


def figures(results: Mapping[str, Any]) -> str:
    """Every metric with its unit and definition, folded by group."""
    metrics, undefined = results["metrics"], results.get("undefined", {})
    known: dict[str, Definition] = {**DEFINITIONS, **EXTRA}
    by_group: dict[str, list[str]] = {}
    for key in metrics:
        if not key.endswith(("_95_low", "_95_high")):
            group = known[key].group if key in known else "Other"
            by_group.setdefault(group, []).append(key)
    parts = []
    for group, keys in by_group.items():
        rows = "".join(_row(key, known.get(key), metrics, undefined) for key in keys)
        parts.append(
            f"<details><summary><b>{escape(group)}</b></summary><div class='scroll'><table>"
            '<thead><tr><th>figure</th><th class="n">value</th><th class="n">95 % interval</th>'
            f"<th>unit</th><th>definition</th></tr></thead><tbody>{rows}</tbody></table></div>"
            "</details>"
        )
    return f'<section id="figures"><h2>All figures</h2>{"".join(parts)}</section>'


def costs(results: Mapping[str, Any], pairs: Sequence[tuple[Sample, Outcome]]) -> str:
    """What the run spent: per tool, and in all."""
    metrics = results["metrics"]
    total = "".join(
        f"<tr><td>{escape(definition.text.rstrip('.'))}</td>"
        f'<td class="n">{_value(metrics.get(key))}</td><td>{escape(definition.unit)}</td></tr>'
        for key, definition in DEFINITIONS.items()
        if definition.group == "Cost" and key in metrics
    )
    calls: dict[str, int] = {}
    for _, outcome in pairs:
        for call in outcome.trajectory:
            calls[call.tool] = calls.get(call.tool, 0) + 1
    spent = results.get("tool_seconds", {})
    tools = "".join(
        f'<tr><td>{escape(tool)}</td><td class="n">{count}</td>'
        f'<td class="n">{_value(spent.get(tool))}</td></tr>'
        for tool, count in sorted(calls.items(), key=lambda c: -float(spent.get(c[0]) or 0))
    )
    stops = "".join(
        f'<tr><td>{escape(reason or "none given")}</td><td class="n">{count}</td></tr>'
        for reason, count in (results.get("stop_reasons") or {}).items()
    )
    parts = [
        f'<table><thead><tr><th>in all</th><th class="n"></th><th></th></tr></thead>{total}</table>'
    ]
    if tools:
        parts.append(
            '<table><thead><tr><th>tool</th><th class="n">calls</th><th class="n">seconds, test '
            f"items</th></tr></thead>{tools}</table>"
        )
    if stops:
        parts.append(
            '<table><thead><tr><th>why runs stopped</th><th class="n">items</th></tr></thead>'
            f"{stops}</table>"
        )
    return (
        '<section id="cost"><h2>Cost</h2><div class="scroll">'
        + "</div><br><div class='scroll'>".join(parts)
        + "</div></section>"
    )


def basis(results: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """What the figures rest on, from ``run.json``."""
    if not run:
        return (
            '<footer id="basis">No run.json lies beside the results: it is not known which code '
            "and data they rest on.</footer>"
        )
    wall = f"{run['seconds']} s with {run['workers']} worker(s)" if "workers" in run else "not ours"
    rows = [
        ("code", f"{run['code'].get('id')} · {run['code'].get('commit') or 'no commit'}"),
        ("data", f"{run['data']['folder']} · fingerprint {run['data']['fingerprint']}"),
        ("wall time", wall),
        ("machine", ", ".join(f"{k} {v}" for k, v in run.get("machine", {}).items())),
        ("sentence vectors", results.get("embedder") or "none: similarity is not measured"),
        ("packages", ", ".join(f"{k} {v}" for k, v in run.get("versions", {}).items())),
        ("settings", ", ".join(f"{k}={v}" for k, v in run.get("settings", {}).items())),
    ]
    body = "".join(f"<tr><td>{escape(k)}</td><td>{escape(str(v))}</td></tr>" for k, v in rows)
    return (
        '<section id="basis"><h2>What this rests on</h2><div class="scroll">'
        f"<table>{body}</table></div></section><footer>Vidocq · {escape(str(results['suite']))}"
        " · made from saved traces alone</footer>"
    )


def _card(key: str, name: str, results: Mapping[str, Any]) -> str:
    metrics = results["metrics"]
    if metrics.get(key) is None:
        why = results.get("undefined", {}).get(key, "not measured")
        return (
            f'<div class="card"><span class="name">{escape(name)}</span><b class="dim">–</b>'
            f"<span>{escape(why)}</span></div>"
        )
    spread = _interval(key, metrics)
    constant = results.get("controls", {}).get("video_constant")
    flat = constant.get(key) if isinstance(constant, dict) else None
    beside = "" if flat is None else f"<span>video-constant control {flat:.3f}</span>"
    videos = metrics.get("macro_auroc_videos")
    of = f"<span>{videos} videos with both classes</span>" if key == "macro_auroc" else ""
    return (
        f'<div class="card"><span class="name">{escape(name)}</span><b>{_value(metrics[key])}</b>'
        f"<span>{'95 %: ' + spread if spread != '–' else ''}</span>{beside}{of}</div>"
    )


def _short_of(table: Mapping[str, Any] | str, items: int, name: str) -> str:
    """Why a control has no figures, or which items these lack; empty for a whole one."""
    if isinstance(table, str):
        return table
    answered = name in {"no_rules", "shuffled_rules", "single_look"}
    some = table.get("items", items)
    return f"on {some} of {items} items, see not scored" if answered and some != items else ""


def _control(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    return (
        f'<td class="n">{_value(value)}</td>' if value is not None else '<td class="n dim">–</td>'
    )


def _aside(key: str, metrics: Mapping[str, Any]) -> str:
    text = ""
    if key == "macro_auroc":
        text = f"{metrics.get('macro_auroc_videos')} videos with both classes"
    if key == "auroc_within" and metrics.get("auroc_within_weight") is not None:
        text = f"weight w = {metrics['auroc_within_weight']:.3f} of micro"
    if key == "auroc_cross" and metrics.get("auroc_within_weight") is not None:
        text = f"weight 1 − w = {1 - metrics['auroc_within_weight']:.3f}"
    return f' <span class="soft">· {escape(text)}</span>' if text else ""


def _row(
    key: str,
    definition: Definition | None,
    metrics: Mapping[str, Any],
    undefined: Mapping[str, str],
) -> str:
    why = undefined.get(key, "")
    value = (
        _value(metrics[key])
        if metrics[key] is not None
        else f'<span class="dim">– {escape(why)}</span>'
    )
    text = definition.text if definition else ""
    source = (
        f' <span class="dim">({escape(definition.source)})</span>'
        if definition and definition.source
        else ""
    )
    css = "n" if metrics[key] is not None else ""
    return (
        f'<tr><td>{escape(key)}</td><td class="{css}">{value}</td>'
        f'<td class="n">{_interval(key, metrics)}</td>'
        f"<td>{escape(definition.unit if definition else '')}</td>"
        f"<td>{escape(text)}{source}</td></tr>"
    )


def _interval(key: str, metrics: Mapping[str, Any]) -> str:
    low, high = metrics.get(f"{key}_95_low"), metrics.get(f"{key}_95_high")
    return "–" if low is None or high is None else f"{_end(low)} – {_end(high)}"


def _end(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return escape(str(value))
