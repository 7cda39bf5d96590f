"""``python -m evals``: scenes with known truth, suites over videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tools.errors import VidocqError

__all__ = ["app", "main"]

app = typer.Typer(
    name="evals",
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
        typer.Option(help="Folder of clips and labels.json. Default: the suite's in VIDOCQ_DATA."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for results and archives. Default: runs/NAME.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Ask about the first so many clips only.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes asking side by side.")] = 1,
) -> None:
    """Induce, ask about every clip, and write results.json and run.json. Resumable."""
    from evals.runner import run_suite
    from evals.suite import load_suite

    chosen = load_suite(suite)
    results = run_suite(
        chosen,
        data=data,
        out=out,
        limit=limit,
        workers=workers,
        say=lambda line: typer.echo(line, err=True),
    )
    for name, value in results["metrics"].items():
        shown = value if value is not None else f"undefined: {results['undefined'].get(name, '')}"
        typer.echo(f"{name:24} {shown}")
    target = out if out is not None else Path("runs") / chosen.name
    typer.echo(f"written: {target / 'results.json'}, {target / 'run.json'}", err=True)


def main() -> None:
    """Run the command line: one line for an expected error, its exit code, no traceback."""
    try:
        app()
    except VidocqError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
