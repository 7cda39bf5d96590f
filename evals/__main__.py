"""``python -m evals``: suites, their scores, reports and comparisons; scenes with known truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.usage import OneLine
from tools.errors import VidocqError

if TYPE_CHECKING:
    from evals.compare import Comparison

__all__ = ["app", "main"]

EmbedderOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Sentence vectors for similarity: hashed-ngrams, or sentence-transformers:MODEL. "
        "Default: the suite's.",
    ),
]

app = typer.Typer(
    name="evals",
    cls=OneLine,
    help="Renders test scenes and measures Vidocq on them and on real footage.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command()
def scenes(
    out: Annotated[
        Path, typer.Argument(help="Folder to write Train*.mp4, Test*.mp4, labels.json.")
    ],
    kinds: Annotated[
        str, typer.Option(help="Kinds of the test clips, separated by commas.")
    ] = "cyclist,skater,cart,runner",
    seeds: Annotated[str, typer.Option(help="One test clip per kind and seed: 0,1,2.")] = "0",
    normals: Annotated[int, typer.Option(min=0, help="Number of normal training clips.")] = 4,
    seconds: Annotated[float, typer.Option(help="Length of each clip.")] = 18.0,
    place: Annotated[int, typer.Option(help="Viewpoint and background.")] = 0,
) -> None:
    """Render a set of clips laid out like UCSD Ped2, with labels."""
    from evals.scenes import render_set

    try:
        chosen = [int(s) for s in seeds.split(",") if s.strip()]
    except ValueError:
        raise typer.BadParameter(f"not whole numbers: {seeds!r}", param_hint="--seeds") from None
    truths = render_set(
        out,
        kinds=[k.strip() for k in kinds.split(",") if k.strip()],
        seeds=chosen,
        normals=normals,
        seconds=seconds,
        place=place,
    )
    for truth in truths:
        spans = ", ".join(f"{a:.1f}–{b:.1f} s" for a, b in truth.intervals_s) or "normal"
        typer.echo(f"{out / truth.file}  {truth.kind}  {spans}")


@app.command()
def sample(
    out: Annotated[Path, typer.Argument(help="Folder for the demo's clips and truth.json.")],
) -> None:
    """Render the demo: four normal clips and walkway.mp4, in which a cyclist passes."""
    from evals.scenes import render_sample

    truth = render_sample(out)
    start, end = truth.intervals_s[0]
    typer.echo(
        f"{out}: 4 normal clips, and {truth.file} with a cyclist from {start:.1f} to {end:.1f} s"
    )


@app.command()
def run(
    suite: Annotated[Path, typer.Argument(help="A suite, such as evals/suites/ucsd_ped2.yaml.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Another folder of the suite's layout. Default: the one in VIDOCQ_DATA."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for traces and results. Default: runs/NAME.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Ask about the first so many items only.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes asking side by side.")] = 1,
    embedder: EmbedderOption = None,
) -> None:
    """Ask about every item, save a trace of each, score, write the report. Resumable."""
    from evals.embedders import open_embedder
    from evals.runner import run_suite
    from evals.suite import load_suite

    chosen = load_suite(suite)
    if embedder is not None:
        chosen = chosen.model_copy(update={"embedder": embedder})
    if chosen.embedder is not None:
        open_embedder(chosen.embedder)  # before hours of asking, not after
    results = run_suite(
        chosen,
        data=data,
        out=out,
        limit=limit,
        workers=workers,
        say=lambda line: typer.echo(line, err=True),
    )
    target = out if out is not None else Path("runs") / chosen.name
    _show(results)
    for name in ("results.json", "run.json", "report.html"):
        typer.echo(f"written: {target / name}", err=True)


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="The --out folder of a run.")],
    embedder: EmbedderOption = None,
) -> None:
    """Score a run again from its saved traces alone: no model, no video."""
    from evals.scoring import score_dir

    _show(score_dir(folder, embedder=embedder))
    typer.echo(f"written: {folder / 'results.json'}", err=True)


@app.command()
def judge(
    folder: Annotated[Path, typer.Argument(help="The --out folder of a run.")],
    model: Annotated[
        str | None, typer.Option(help="The pinned model. Default: the suite's judge.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Its OpenAI-compatible server, http://HOST:PORT/v1.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="Reasons with known labels, to measure the judge by: a JSONL file."),
    ] = None,
) -> None:
    """Have a language model judge a run's reasons, then score again. Resumable.

    A key, where the server wants one, is read from VIDOCQ_JUDGE_KEY.
    """
    from evals.judged import judge_dir, judge_of
    from evals.plan import read_plan

    chosen = judge_of(read_plan(folder).suite, model=model, url=url, labels=labels)
    _show(judge_dir(folder, chosen, say=lambda line: typer.echo(line, err=True)))
    typer.echo(f"written: {folder / 'judgements.jsonl'}", err=True)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="The --out folder of a run.")],
    embedder: EmbedderOption = None,
) -> None:
    """Write report.html: one page with curves, timelines and explanations, no network."""
    from evals.scoring import report_dir

    typer.echo(f"written: {report_dir(folder, embedder=embedder)}", err=True)


@app.command()
def compare(
    folders: Annotated[
        list[Path], typer.Argument(help="The --out folders; the first is the base.")
    ],
    gate: Annotated[
        list[str] | None,
        typer.Option(help="METRIC:CHANGE, the worst change allowed, e.g. micro_auroc:-0.005."),
    ] = None,
) -> None:
    """Runs side by side, regressions first. Exit code 1 where a gate fails."""
    from evals.compare import compare as compared
    from evals.compare import parse_gate

    stopped = False
    for comparison in compared(folders, [parse_gate(text) for text in gate or ()]):
        _show_comparison(comparison)
        stopped |= bool(comparison.failed)
    if stopped:
        raise SystemExit(1)


@app.command()
def table(
    folder: Annotated[Path, typer.Argument(help="The --out folder of a run.")],
    into: Annotated[
        list[Path] | None,
        typer.Option(help="Documents whose table of that suite is replaced by this one."),
    ] = None,
) -> None:
    """Print a run's figures as a Markdown table, for a README."""
    from evals.table import markdown_table, write_into

    for document in into or ():
        write_into(folder, document)
        typer.echo(f"written: {document}", err=True)
    if not into:
        typer.echo(markdown_table(folder), nl=False)


@app.command(name="import")
def bring_in(
    format: Annotated[
        str, typer.Argument(help="vadtree, anomalyruler, ucsd, frames-csv or intervals-csv.")
    ],
    path: Annotated[Path, typer.Argument(help="The folder or file to bring in.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. Default: runs/imported-FORMAT.")
    ] = None,
    clips: Annotated[
        Path | None,
        typer.Option(help="Folder of the videos that labels without scores are of."),
    ] = None,
) -> None:
    """Bring public result formats and simple folders into the suite format."""
    from evals.bringing import bring

    target = out if out is not None else Path("runs") / f"imported-{format}"
    typer.echo(bring(format, path, target, clips=clips))


@app.command()
def metrics() -> None:
    """Print what every figure means, as docs/evaluation.md lists it."""
    from evals.table import definitions_table

    typer.echo(definitions_table(), nl=False)


def _show(results: Mapping[str, Any]) -> None:
    from evals.page.tables import shown as headline

    metrics, undefined = results["metrics"], results["undefined"]
    for key, name in headline(metrics):
        value = metrics.get(key)
        shown = (
            f"{value:.4f}{_spread(key, metrics)}"
            if value is not None
            else f"–  ({undefined.get(key, '')})"
        )
        typer.echo(f"{name:28} {shown}")
    for name, control in results["controls"].items():
        shown = control if isinstance(control, str) else _number(control["micro_auroc"])
        typer.echo(f"  control {name:14} {shown}")
    if results["reference"]:
        reference = results["reference"]["metrics"]
        for name, value in reference.items():
            if not name.endswith(("_95_low", "_95_high")):
                typer.echo(f"  reference {name:22} {_number(value)}{_spread(name, reference)}")
        constant = results["reference"]["controls"]["video_constant"]
        typer.echo(f"  reference {'video_constant control':22} {_number(constant['micro_auroc'])}")
    _show_scrutiny(results)
    counts = ("items", "anomalous", "uncertain", "failed", "unscored")
    typer.echo(", ".join(f"{metrics[key]} {key}" for key in counts if metrics[key] is not None))
    for row in results["unscored"]:
        typer.echo(f"not scored: {row['file']}: {row['reason']}", err=True)


def _show_scrutiny(results: Mapping[str, Any]) -> None:
    metrics = results["metrics"]
    for tool, row in results["injected"].items():
        ends = ", ".join(f"{n} {label}" for label, n in row["labels"].items() if n)
        typer.echo(
            f"  {tool} made to fail: {row['struck']} of {row['items']} items, "
            f"{len(row['changed'])} with another label ({ends or 'none'})"
        )
    who = results["judge"]
    if who:
        typer.echo(
            f"  judge {who['model']}, rubric {who['rubric']}: {who['judged']} judged, "
            f"{who['unreadable']} unreadable, agreement {_number(metrics['judge_agreement'])}, "
            f"kappa {_number(metrics['judge_kappa'])}"
        )


def _show_comparison(comparison: Comparison) -> None:
    typer.echo(f"{comparison.other} against {comparison.base}: {comparison.common} common items")
    worse = comparison.regressions
    typer.echo(
        f"\nworse ({len(worse)} of {comparison.common} items; right label gone, then loss of "
        "micro AUROC):"
    )
    for item in worse[:20]:
        labels = f"{item.base_label} → {item.other_label}"
        change = f"{item.base:.5f} → {item.other:.5f}  {item.worse:+.5f}"
        typer.echo(f"  {item.name:32} {change}  {labels}")
    if len(worse) > 20:
        typer.echo(f"  and {len(worse) - 20} more")
    for name in comparison.missing:
        typer.echo(f"  {name}: not scored in {comparison.other}")
    if comparison.added:
        typer.echo(f"  not in {comparison.base}, so not compared: {len(comparison.added)} items")
    typer.echo("\nfigures:")
    same = 0
    for row in comparison.differences:
        if row.change is None or not (row.change or row.low or row.high):
            same += row.change is not None
            continue
        spread = f"  95 %: {row.low:+.4f} … {row.high:+.4f}" if row.low is not None else ""
        typer.echo(f"  {row.metric:24} {row.base:.4f} → {row.other:.4f}  {row.change:+.4f}{spread}")
    typer.echo(f"  {same} figures are the same in both")
    for line in comparison.failed:
        typer.echo(f"gate failed: {line}", err=True)


def _spread(key: str, metrics: Mapping[str, Any]) -> str:
    low, high = metrics.get(f"{key}_95_low"), metrics.get(f"{key}_95_high")
    return f"   95 %: {low:.4f} – {high:.4f}" if low is not None else ""


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def main() -> None:
    """Run the command line: one line for an expected error, its exit code, no traceback."""
    try:
        app()
    except VidocqError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
