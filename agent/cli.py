"""The command line: ``vidocq``. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.options import JsonOption, SceneOption, guarded, print_json
from agent.rulefiles import rules_app
from agent.usage import OneLine
from tools.errors import UserError

__all__ = ["app", "main"]


class _Vidocq(OneLine):
    prefix = "vidocq"


app = typer.Typer(
    cls=_Vidocq,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Ask video archives what was out of the ordinary, where, how sure that is, and why.",
)
trace_app = typer.Typer(no_args_is_help=True, help="Recorded runs.")
app.add_typer(rules_app, name="rules")
app.add_typer(trace_app, name="trace")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"vidocq {version('vidocq')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Options that stand before a command."""


@app.command()
@guarded
def induce(
    normal: Annotated[list[str], typer.Argument(help="Clips or folders of normal footage.")],
    scene: Annotated[str, typer.Option("--scene", "-s", help="Name of the scene.")],
    as_json: JsonOption = False,
) -> None:
    """Learn what is normal at a place from a few normal clips."""
    from agent.console import out, progress, remark, show_rules
    from agent.runtime import induce_scene, open_stores

    stores = open_stores()
    try:
        words = not stores.tools.captioner.attributes
        with progress("induce") as report:
            record = induce_scene(normal, scene, stores=stores, progress=report)
        rules = stores.archive.rules.list(scene)
        captions = len(stores.archive.normal_captions(scene))
    finally:
        stores.close()
    for note in record.notes:
        remark(f"note: {note}")
    if as_json:
        print_json(
            {
                "scene": record.model_dump(mode="json"),
                "rules": [r.model_dump(mode="json") for r in rules],
            }
        )
        return
    out.print(
        f"Scene {scene}: {len(rules)} rules from {len(record.clips)} "
        f"clip{'' if len(record.clips) == 1 else 's'} "
        f"({record.seconds:.0f} s of normal footage); "
        + (
            "scores of words are not calibrated."
            if words
            else f"calibrated on {record.calibration.events} held-out events."
        )
    )
    out.print(record.false_alarms.text(in_words=words))
    if captions:
        kept = "1 caption is" if captions == 1 else f"{captions} captions are"
        out.print(f"{kept} kept, to compare with what is said later.")
    show_rules(rules, in_words=words)


@app.command()
@guarded
def ask(
    question: Annotated[str | None, typer.Argument(help="The question, in plain words.")] = None,
    videos: Annotated[
        list[str] | None, typer.Argument(help="Files, folders of them, or folders of frames.")
    ] = None,
    scene: SceneOption = None,
    scene_free: Annotated[
        bool, typer.Option("--scene-free", help="Accept general priors instead of a scene's rules.")
    ] = False,
    as_json: JsonOption = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write here: decision, timeline plot, contact sheet, key frames, boxed crops."
        ),
    ] = None,
    max_looks: Annotated[int | None, typer.Option(help="Looks the run may take.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Seconds the run may take.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes for several videos, side by side.")
    ] = None,
    started: Annotated[
        str | None,
        typer.Option(help="When the video was taken, e.g. 2026-11-28T22:00: rules may have hours."),
    ] = None,
    camera: Annotated[str | None, typer.Option(help="Which camera took it.")] = None,
    thread: Annotated[
        str | None, typer.Option(help="Conversation to go on with; its follow-ups know the last.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with a run that was interrupted.", metavar="RUN")
    ] = None,
) -> None:
    """Ask a question about videos, or a follow-up in a --thread."""
    from agent.asking import Request, ask_and_show

    if question is None and resume is None:
        raise UserError("no question", remedy='ask e.g. "Anything unusual?" gate.mp4 --scene gate')
    ask_and_show(
        Request(
            question=question,
            videos=tuple(videos or ()),
            scene=scene,
            scene_free=scene_free,
            max_looks=max_looks,
            max_seconds=max_seconds,
            workers=workers,
            started=started,
            camera=camera,
            thread=thread,
            resume=resume,
        ),
        as_json=as_json,
        report=report,
    )


@app.command()
@guarded
def events(
    video: Annotated[str, typer.Argument(help="A video file, or a folder of numbered frames.")],
    as_json: JsonOption = False,
    plot: Annotated[
        Path | None, typer.Option(help="PNG of the signal with the tree over it.", metavar="PNG")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="PNG of the key frames, in time order.", metavar="PNG")
    ] = None,
    export: Annotated[
        list[Path] | None,
        typer.Option(
            help="Write the tree; the suffix says how: .csv, .json, .edl, .otio, .vtt. Repeatable.",
            metavar="FILE",
        ),
    ] = None,
    min_event: Annotated[
        float | None, typer.Option(help="Shortest event, in seconds.", min=0.05, max=10.0)
    ] = None,
    causal: Annotated[
        bool, typer.Option("--causal", help="Decide from the past alone, as for a stream.")
    ] = False,
    reference: Annotated[
        bool, typer.Option("--reference", help="The tree of the published reference system.")
    ] = False,
    key_frames: Annotated[
        bool, typer.Option(help="Choose the frames that stand for each event (a second pass).")
    ] = True,
    every: Annotated[bool, typer.Option("--all", help="Every event of a long video.")] = False,
    fps: Annotated[float | None, typer.Option(help="Rate of a folder of frames.")] = None,
) -> None:
    """Show where a video falls into events, coarse and fine."""
    from agent.events import Wanted
    from agent.events import events as show

    show(
        video,
        Wanted(
            as_json=as_json,
            plot=plot,
            sheet=sheet,
            exports=tuple(export or ()),
            min_event_s=min_event,
            causal=causal,
            reference=reference,
            keys=key_frames or sheet is not None,
            every=every,
            fps=fps,
        ),
    )


@app.command()
@guarded
def look(
    video: Annotated[str, typer.Argument(help="A video file, or a folder of numbered frames.")],
    at: Annotated[str, typer.Option("--at", help="Which moment: 00:08.7 or seconds.")],
    scene: SceneOption = None,
    as_json: JsonOption = False,
    save: Annotated[
        Path | None,
        typer.Option(help="The frame, with boxes numbered as in the text: .jpg or .png."),
    ] = None,
) -> None:
    """Say what is seen in one frame: who walks, who stands, what else moves and how."""
    from agent.looking import look as show

    show(video, at, scene=scene, as_json=as_json, save=save)


@app.command()
@guarded
def config(as_json: JsonOption = False) -> None:
    """Print the effective settings and where each comes from."""
    import sqlite3

    from agent.console import out, table
    from agent.settings import load_settings, origins

    values = load_settings().model_dump(mode="json")
    came = origins()
    if as_json:
        print_json({k: {"value": v, "from": came[k]} for k, v in values.items()})
        return
    rows = table("setting", "value", "from")
    for name, value in values.items():
        rows.add_row(name, "–" if value is None else str(value), came[name])
    out.print(rows)
    out.print(f"sqlite {sqlite3.sqlite_version}")


@app.command()
@guarded
def doctor(as_json: JsonOption = False) -> None:
    """Try every configured backend: one look, one verdict, one plan; say what does not work."""
    from agent.console import out, progress
    from agent.doctor import examined, report
    from agent.settings import load_settings

    with progress("doctor") as tell:
        found = examined(load_settings(), tell)
    if as_json:
        print_json([c.model_dump(mode="json") for c in found])
    else:
        for line in report(found):
            out.print(line, markup=False, emoji=False)
    if any(c.problem for c in found):
        raise typer.Exit(1)


@trace_app.command("show")
@guarded
def trace_show(run: Annotated[str, typer.Argument(help="Name of the run.")]) -> None:
    """Tell a recorded run as a readable story."""
    from agent.console import out
    from agent.settings import load_settings
    from agent.story import tell
    from agent.trace import TraceStore

    for line in tell(TraceStore(load_settings().home / "runs").read(run)):
        out.print(line, markup=False)


def main() -> None:
    """Entry point."""
    app()
