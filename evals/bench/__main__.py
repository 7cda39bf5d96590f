"""``python -m evals.bench``: costs, measured on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.usage import OneLine
from tools.errors import VidocqError

__all__ = ["app", "main"]

app = typer.Typer(
    name="bench",
    cls=OneLine,
    help="Measures what Vidocq costs on this machine.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command()
def overhead(
    video: Annotated[
        Path | None, typer.Argument(help="Clip to ask about; without it one of 15 s is rendered.")
    ] = None,
    normal: Annotated[
        list[Path] | None, typer.Option(help="Normal clip of the same view; repeat for more.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Measured runs after the warm-up.")] = 3,
) -> None:
    """Share of a run that is not tool time (state machine, checkpoints, traces)."""
    from evals.bench.overhead import overhead as measure
    from tools.errors import UserError

    if video is not None and not normal:
        raise UserError("--normal is missing", remedy="give normal clips of the same view")
    runs, median = measure(video, normal or (), repeat=repeat)
    for run in runs:
        typer.echo(
            f"wall {run.wall:.3f} s, tools {run.tools:.3f} s in {run.calls} calls, "
            f"{run.rounds} rounds, {run.label}: overhead {run.overhead:.1%}"
        )
    typer.echo(f"median overhead {median:.1%}")


@app.command()
def imports(
    repeat: Annotated[int, typer.Option(min=1, help="Fresh processes per figure.")] = 5,
) -> None:
    """Cost of starting: import agent, vidocq --help, heavy modules loaded too early."""
    from evals.bench.imports import FORBIDDEN, startup

    found = startup(repeat)
    typer.echo(f"import agent    {found.import_agent_s:.3f} s")
    typer.echo(f"vidocq --help   {found.help_s:.3f} s (bare python {found.bare_python_s:.3f} s)")
    typer.echo(
        f"loaded by import agent, of {', '.join(FORBIDDEN)}: {', '.join(found.forbidden) or 'none'}"
    )
    if found.forbidden:
        raise typer.Exit(1)


@app.command()
def scoring(
    hours: Annotated[float, typer.Option(min=0.01, help="Length of the timelines.")] = 10.0,
    videos: Annotated[int, typer.Option(min=2, help="Videos they are spread over.")] = 120,
) -> None:
    """Cost of scoring: hours of 30 fps timelines, every metric, 1000 resamples."""
    from evals.bench.scoring import scoring as measure

    cost = measure(hours, videos=videos)
    typer.echo(
        f"{cost.frames} frames of {cost.videos} videos scored in {cost.seconds:.2f} s, "
        f"peak memory {cost.peak_mb:.0f} MB"
    )


@app.command()
def perception(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder laid out like UCSD Ped2; without it the one in VIDOCQ_DATA."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file for all figures.")] = None,
    seed: Annotated[int, typer.Option(help="Draw of the few normal frames.")] = 0,
) -> None:
    """Frame AUROC of the captioner's series: all clips, one clip, ten frames; online, offline."""
    import os

    from evals.bench.perception import perception as measure
    from evals.bench.perception import table
    from evals.datasets.ucsd import load_ucsd

    folder = data or Path(os.environ.get("VIDOCQ_DATA", "../shared/data")) / "ucsd_ped2"
    found = measure(load_ucsd(folder), seed=seed, tell=lambda line: typer.echo(line, err=True))
    if out is not None:
        out.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    typer.echo(table(found))


@app.command()
def speed(
    hours: Annotated[
        float, typer.Option(min=0, help="Also the memory of a 1080p video this long (slow).")
    ] = 0.0,
    processes: Annotated[int, typer.Option(min=1, help="Processes to compare with one.")] = 2,
    work: Annotated[Path | None, typer.Option(help="Where the long video is made.")] = None,
) -> None:
    """Frames a second from decode to score, the gain of several processes, memory of hours."""
    from evals.bench.speed import SIZES, memory, scaling
    from evals.bench.speed import speed as measure

    typer.echo("size        analysed   fine/s (wall)   coarse/s   decode + flow/s   share")
    for size in SIZES:
        found = measure(size)
        typer.echo(
            f"{found.width}x{found.height:<6} {found.analysed[0]}x{found.analysed[1]:<6} "
            f"{found.fine:7.1f} ({found.fine_wall:.1f}) {found.coarse:10.1f} {found.floor:14.1f} "
            f"{found.fine / found.floor:14.2f}"
        )
    if processes > 1:
        several = scaling(processes)
        typer.echo(
            f"{processes} processes: {several.ratio:.2f}× ({several.one_s:.1f} s to "
            f"{several.several_s:.1f} s, load {several.load:.1f}; processor "
            f"{several.one_cpu_s:.1f} s to {several.several_cpu_s:.1f} s)"
        )
    if hours:
        long = memory(hours, work=work)
        typer.echo(
            f"{long.hours:g} h of {long.width}x{long.height}, {long.frames} frames: peak "
            f"{long.peak_mb:.0f} MB, {long.cpu_s:.0f} s of processor, {long.wall_s:.0f} s of clock"
        )


@app.command()
def models(
    server: Annotated[
        str | None,
        typer.Option(help="MODEL@URL of a real server: looks and verdicts a second there."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the real data; without it VIDOCQ_DATA.")
    ] = None,
    calls: Annotated[int, typer.Option(min=1, help="Verdicts one after the other.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="Requests per place at once.")] = 40,
    at_once: Annotated[int, typer.Option(min=1, help="Calls at the same time.")] = 64,
) -> None:
    """Models behind a server: client overhead, how busy it is kept, prefixes, tokens a verdict."""
    import tempfile

    from evals.bench.models import clips, filling, overhead, rates, run

    if server is not None:
        for rate in rates(server, (1, 4, 16, at_once)):
            failed = f", {rate.failed} failed" if rate.failed else ""
            typer.echo(f"{rate.at_once:4} at once: {rate.per_s:8.2f} {rate.what}/s{failed}")
        return
    cost = overhead(calls)
    typer.echo(
        f"{cost.calls} verdicts: {cost.beyond_ms:.2f} ms a call beyond the server's "
        f"{cost.server_ms:.1f} ms; {cost.cpu_ms:.2f} ms of processor"
    )
    full = filling(at_once, rounds=rounds)
    typer.echo(
        f"{full.calls} requests, {full.at_once} at once, in {full.wall_s:.2f} s: a server of "
        f"200 ms is {full.share:.1%} busy"
    )
    with tempfile.TemporaryDirectory(prefix="vidocq-bench-") as folder:
        seen = run(*clips(data, Path(folder)))
    typer.echo(
        f"{seen.verdicts} verdicts of one scene, {seen.judged} of them sent: {seen.share:.1%} of "
        f"{seen.prompt} prompt tokens begin like an earlier prompt; at most {seen.most_generated} "
        "tokens generated for one"
    )
    typer.echo(f"tokens: {seen.trace_tokens} in the traces, {seen.server_tokens} at the server")


@app.command()
def events(
    data: Annotated[
        Path | None, typer.Option(help="Folder of the real data; without it VIDOCQ_DATA.")
    ] = None,
    first: Annotated[int, typer.Option(help="First seed of the scenes of known changes.")] = 100,
    scenes: Annotated[int, typer.Option(min=0, help="How many scenes.")] = 60,
    file: Annotated[
        list[Path] | None, typer.Option(help="File to measure speed on; else rendered ones.")
    ] = None,
    turns: Annotated[int, typer.Option(min=0, help="Turns of the measurement of speed.")] = 5,
    verbose: Annotated[bool, typer.Option("--verbose", help="Every scene.")] = False,
) -> None:
    """Event trees, cuts, boundaries of known changes; cost over decoding, memory over length."""
    import os

    from evals.bench import events as bench

    folder = data or Path(os.environ.get("VIDOCQ_DATA", "../shared/data"))
    if (folder / "recorded" / "msad").is_dir():
        t = bench.trees(folder / "recorded" / "msad")
        typer.echo(
            f"published trees: {t.exact} of {t.videos} exactly, in {t.seconds:.2f} s; ours: "
            f"{t.ours} events for {t.recorded} ({t.ours / t.recorded:.3f}), shortest "
            f"{t.shortest_s:.2f} s, {t.doubled} doubled, {t.missed} of {t.sure} sure boundaries "
            "missed"
        )
    for name in ("cuts", "normal"):
        if (folder / "videos" / name).is_dir():
            for video, at in bench.cuts(folder / "videos" / name).items():
                typer.echo(f"cuts of {video}: {', '.join(map(str, at)) or 'none'}")

    def show(what: str, b: bench.Boundaries) -> None:
        typer.echo(
            f"{what}: {b.videos} videos, {b.true} boundaries, {b.found} found, precision "
            f"{b.precision:.3f}, recall {b.recall:.3f}, F1 {b.f1:.3f}, mean over videos "
            f"{b.mean_f1:.3f}"
        )

    if scenes:
        tell = (lambda line: typer.echo(line, err=True)) if verbose else (lambda _: None)
        show("known changes", bench.changes(range(first, first + scenes), tell=tell))
    if (folder / "videos" / "ucf_crime").is_dir():
        show("ends of sentences", bench.sentences(folder / "videos" / "ucf_crime"))
    if turns:
        for c in bench.cost(file or (), turns=turns):
            typer.echo(
                f"{c.width}x{c.height}, {c.frames} frames, ms a frame by the clock (processor): "
                f"decode {1e3 * c.decode_wall / c.frames:.3f} ({1e3 * c.decode_cpu / c.frames:.3f})"
                f", boundaries {1e3 * c.ours_wall / c.frames:.3f} "
                f"({1e3 * c.ours_cpu / c.frames:.3f}), AdaptiveDetector "
                f"{1e3 * c.adaptive_wall / c.frames:.3f} ({1e3 * c.adaptive_cpu / c.frames:.3f}); "
                f"over decode {c.ours_wall / c.decode_wall:.2f}× "
                f"({c.ours_cpu / c.decode_cpu:.2f}×), AdaptiveDetector over ours "
                f"{c.adaptive_wall / c.ours_wall:.1f}× ({c.adaptive_cpu / c.ours_cpu:.1f}×)"
            )
        for minutes, peak in bench.peaks_mb().items():
            typer.echo(f"peak memory, {minutes:g} minutes at 360 lines: {peak:.0f} MB")


@app.command()
def halves(
    folder: Annotated[Path, typer.Argument(help="Folder of videos, or one of them.")],
    keep: Annotated[
        Path | None, typer.Option(help="Folder to keep halves, archives and traces in.")
    ] = None,
) -> None:
    """Second half of each video, judged by rules of its first; normal footage should not alarm."""
    from evals.bench.halves import halves as measure
    from evals.bench.halves import table

    typer.echo(table(measure(folder, keep=keep, tell=lambda name: typer.echo(name, err=True))))


@app.command()
def rules(
    what: Annotated[
        str, typer.Argument(help="retrieval, edits, kills, or all.", metavar="WHAT")
    ] = "all",
    count: Annotated[int, typer.Option(min=100, help="Rules to search among.")] = 100_000,
    scenes: Annotated[int, typer.Option(min=1, help="Scenes they belong to.")] = 100,
    embedder: Annotated[
        list[str] | None, typer.Option(help="hashed, sentences; repeat for both.")
    ] = None,
    killed: Annotated[int, typer.Option(min=1, help="Processes to kill.")] = 200,
) -> None:
    """The rule book: planted rules found among many, edits side by side, kills at any moment."""
    from evals.bench import rules as bench
    from tools.errors import UserError

    if what not in {"all", "retrieval", "edits", "kills"}:
        raise UserError(f"no bench “{what}”", remedy="one of: retrieval, edits, kills, all")
    if what in {"all", "retrieval"}:
        for name in embedder or ["hashed"]:
            r = bench.retrieval(
                rules=count,
                scenes=scenes,
                embedder=name,
                tell=lambda line: typer.echo(line, err=True),
            )
            typer.echo(
                f"retrieval, {r.embedder}: {r.rules} rules in {r.scenes} scenes, {r.queries} "
                f"queries: recall@5 with one part in other words {r.reworded:.3f}, with all "
                f"{r.paraphrased:.3f} ({r.parted:.3f} were the embedder told the parts), of rules "
                f"alone on their subject, all in other words, {r.known:.3f}, of such held out "
                f"{r.held_out:.3f} ({r.shared:.3f} where others share the subject), by their own "
                f"words {r.terms:.3f}; p50 {r.p50_ms:.1f} ms, p95 "
                f"{r.p95_ms:.1f} ms (processor {r.cpu_p95_ms:.1f} ms); made in {r.build_s:.0f} s, "
                f"peak {r.peak_mb:.0f} MB"
            )
    if what in {"all", "edits"}:
        e = bench.edits()
        typer.echo(
            f"edits: {e.acknowledged} from {e.processes} processes in {e.seconds:.1f} s: "
            f"{e.lost} lost, {e.doubled} doubled or with gaps, index "
            f"{'differs from' if e.index_differs else 'agrees with'} the record"
        )
    if what in {"all", "kills"}:
        k = bench.kills(count=killed)
        typer.echo(
            f"kills: {k.kills} in {k.seconds:.0f} s, {k.acknowledged} versions acknowledged: "
            f"{k.lost} lost, {k.half_imported} half imported, {k.half_kept} captions half "
            f"kept, {k.unreadable} unreadable afterwards; index damaged {k.damaged} times, "
            f"differed {k.index_differed} times"
        )


@app.command()
def deduction(
    data: Annotated[
        Path | None, typer.Option(help="Folder of caption data; without it the one in VIDOCQ_DATA.")
    ] = None,
    dataset: Annotated[str, typer.Option(help="Whose captions and rules.")] = "shanghaitech",
) -> None:
    """Distinct captions a second of processor time, on one core, without a sentence model."""
    from evals.bench.deduction import deduction as measure
    from evals.suite import data_root

    cost = measure(data or data_root() / "captions", dataset)
    typer.echo(
        f"{cost.captions} distinct captions, {cost.clauses} distinct clauses: first reading "
        f"{cost.first:.0f} captions/s, warm {cost.warm:.0f} captions/s; rules and normal captions "
        f"loaded in {cost.load_s:.2f} s"
    )


@app.command()
def local(
    size: Annotated[str, typer.Argument(help="tiny, qwen2.5-vl-7b or qwen2.5-14b.")] = "tiny",
    batch: Annotated[
        list[int] | None, typer.Option(min=1, help="Requests together; repeat for more.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda …")] = "auto",
    rounds: Annotated[int, typer.Option(min=1, help="Measured rounds; the best counts.")] = 3,
) -> None:
    """Speed of models of published sizes with random weights, in this process."""
    from evals.bench.local import EVENT_S, paces

    for pace in paces(size, batch or (1, 4, 16), device=device, rounds=rounds):
        hours = f", {pace.per_s * EVENT_S:.1f} h of video an hour" if pace.what == "looks" else ""
        typer.echo(
            f"{size}, batch {pace.batch}: {pace.per_s:.2f} {pace.what}/s{hours}"
            + (f", peak {pace.peak_gb:.1f} GB" if pace.peak_gb else "")
        )


@app.command()
def replies(
    data: Annotated[
        Path | None, typer.Option(help="Folder of the real data; without it VIDOCQ_DATA.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draw of the damage.")] = 0,
) -> None:
    """How replies of real models are read: strict, repaired, refused; and broken on purpose."""
    import os

    from evals.bench.replies import broken, recorded, table
    from tools.errors import UserError

    folder = data or Path(os.environ.get("VIDOCQ_DATA", "../shared/data"))
    found = recorded(folder)
    if not found:
        raise UserError(f"{folder} holds no recorded replies", remedy="set VIDOCQ_DATA")
    typer.echo(table(found))
    for count in found:
        for how, number in count.repaired.most_common():
            typer.echo(f"{count.source}: {number} {how}")
    typer.echo("\n" + table(broken(folder, seed=seed), "broken on purpose"))


def main() -> None:
    """Run the command line: one line for an expected error, its exit code, no traceback."""
    try:
        app()
    except VidocqError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
