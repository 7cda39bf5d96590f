"""The command line: ``vidocq``. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from agent.usage import OneLine
from tools.errors import UserError, VidocqError

__all__ = ["app", "main"]

P = ParamSpec("P")
R = TypeVar("R")


class _Vidocq(OneLine):
    prefix = "vidocq"


app = typer.Typer(
    cls=_Vidocq,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Ask video archives what was out of the ordinary, where, how sure that is, and why.",
)
rules_app = typer.Typer(no_args_is_help=True, help="The rules of a scene: read, write, retire.")
trace_app = typer.Typer(no_args_is_help=True, help="Recorded runs.")
app.add_typer(rules_app, name="rules")
app.add_typer(trace_app, name="trace")


class Kind(StrEnum):
    """Kinds of rules, as in tools.types, which is too heavy to import for ``--help``."""

    NORMAL = "normal"
    ANOMALOUS = "anomalous"


class Category(StrEnum):
    """Categories of rules."""

    ACTIVITY = "activity"
    OBJECT = "object"
    ENVIRONMENT = "environment"
    MOTION = "motion"


SceneOption = Annotated[
    str | None, typer.Option("--scene", "-s", help="Scene whose rules apply.", metavar="NAME")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, all else on stderr.")]
AuthorOption = Annotated[str, typer.Option(help="Who says so.", envvar="USER")]
WhenOption = Annotated[
    str | None,
    typer.Option(
        "--when",
        metavar="TEST",
        help='Test by code, e.g. "speed > 1.8 and activity in {runs}". Without one the words of '
        "the text are used.",
    ),
]


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Turn errors meant for the user into one line and an exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except VidocqError as error:
            from agent.console import complain

            complain(str(error))
            raise typer.Exit(error.exit_code) from None

    return run


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
        with progress("induce") as report:
            record = induce_scene(normal, scene, stores=stores, progress=report)
        rules = stores.archive.rules.list(scene)
    finally:
        stores.close()
    for note in record.notes:
        remark(f"note: {note}")
    if as_json:
        _print_json(
            {
                "scene": record.model_dump(mode="json"),
                "rules": [r.model_dump(mode="json") for r in rules],
            }
        )
        return
    out.print(
        f"Scene {scene}: {len(rules)} rules from {len(record.clips)} "
        f"clip{'' if len(record.clips) == 1 else 's'} "
        f"({record.seconds:.0f} s of normal footage); calibrated on "
        f"{record.calibration.events} held-out events."
    )
    show_rules(rules)


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
        typer.Option(help="Write a timeline plot, a contact sheet and the decision here."),
    ] = None,
    max_looks: Annotated[int | None, typer.Option(help="Looks the run may take.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Seconds the run may take.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes for several videos, side by side.")
    ] = None,
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
def config(as_json: JsonOption = False) -> None:
    """Print the effective settings and where each comes from."""
    import sqlite3

    from agent.console import out, table
    from agent.settings import load_settings, origins

    values = load_settings().model_dump(mode="json")
    came = origins()
    if as_json:
        _print_json({k: {"value": v, "from": came[k]} for k, v in values.items()})
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
        _print_json([c.model_dump(mode="json") for c in found])
    else:
        for line in report(found):
            out.print(line, markup=False, emoji=False)
    if any(c.problem for c in found):
        raise typer.Exit(1)


@rules_app.command("list")
@guarded
def rules_list(
    scene: SceneOption = None,
    retired: Annotated[bool, typer.Option("--all", help="Retired rules too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the rules of a scene; without --scene, the scenes."""
    from agent.console import out, show_rules, table

    with _archive() as stores:
        name = scene or stores.settings.scene
        if name is None:
            records = stores.archive.scenes()
            if as_json:
                _print_json([r.model_dump(mode="json") for r in records])
                return
            rows = table("scene", "rules", "clips", "seconds", "induced")
            for r in records:
                count = len(stores.archive.rules.list(r.name))
                rows.add_row(r.name, str(count), str(len(r.clips)), f"{r.seconds:.0f}", r.created)
            out.print(rows if records else "No scenes yet: vidocq induce NORMAL... --scene NAME")
            return
        rules = stores.archive.rules.list(name, include_retired=retired)
        _show(rules, as_json, show_rules)


@rules_app.command("add")
@guarded
def rules_add(
    text: Annotated[str, typer.Argument(help="The rule, in plain words.")],
    scene: SceneOption = None,
    kind: Annotated[Kind, typer.Option(help="What the rule calls it.")] = Kind.ANOMALOUS,
    category: Annotated[Category, typer.Option(help="What it is about.")] = Category.ACTIVITY,
    when: WhenOption = None,
    author: AuthorOption = "user",
    as_json: JsonOption = False,
) -> None:
    """Add a rule of your own."""
    from agent.console import remark, show_rules
    from tools.concepts import tests_of
    from tools.types import RuleCategory, RuleKind

    with _archive() as stores:
        name = _scene_of(stores, scene)
        rule = stores.archive.rules.add(
            name,
            text,
            RuleKind(kind),
            RuleCategory(category),
            _predicate(stores, when),
            author=author,
        )
    if not tests_of(rule):
        remark(
            "note: no measurable concept is named in this rule and no --when TEST is given, so the "
            "embedded verifier cannot apply it"
        )
    _show((rule,), as_json, show_rules)


@rules_app.command("edit")
@guarded
def rules_edit(
    rule_id: Annotated[str, typer.Argument(metavar="RULE", help="Id of the rule.")],
    text: Annotated[str | None, typer.Option(help="New text.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="New kind.")] = None,
    category: Annotated[Category | None, typer.Option(help="New category.")] = None,
    when: WhenOption = None,
    no_test: Annotated[bool, typer.Option("--no-test", help="Remove the test by code.")] = False,
    restore: Annotated[bool, typer.Option(help="Bring a retired rule back.")] = False,
    author: AuthorOption = "user",
    as_json: JsonOption = False,
) -> None:
    """Write a new version of a rule."""
    from agent.console import show_rules
    from tools.predicates import describe
    from tools.types import RuleCategory, RuleKind, RuleStatus

    with _archive() as stores:
        predicate = _predicate(stores, when)
        if predicate is not None and text is None:  # the old sentence would say something else
            text = f"Something is seen with {describe(predicate)}."
        rule = stores.archive.rules.edit(
            rule_id,
            text=text,
            kind=RuleKind(kind) if kind else None,
            category=RuleCategory(category) if category else None,
            predicate=predicate,
            drop_predicate=no_test,
            status=RuleStatus.ACTIVE if restore else None,
            author=author,
        )
    _show((rule,), as_json, show_rules)


@rules_app.command("retire")
@guarded
def rules_retire(
    rule_id: Annotated[str, typer.Argument(metavar="RULE", help="Id of the rule.")],
    author: AuthorOption = "user",
    as_json: JsonOption = False,
) -> None:
    """Take a rule out of use; its history stays."""
    from agent.console import show_rules

    with _archive() as stores:
        rule = stores.archive.rules.retire(rule_id, author=author)
    _show((rule,), as_json, show_rules)


@rules_app.command("history")
@guarded
def rules_history(
    rule_id: Annotated[str, typer.Argument(metavar="RULE", help="Id of the rule.")],
    as_json: JsonOption = False,
) -> None:
    """All versions of a rule."""
    from agent.console import show_rules

    with _archive() as stores:
        versions = stores.archive.rules.history(rule_id)
    _show(versions, as_json, show_rules)


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


def _archive() -> Any:
    from contextlib import closing

    from agent.runtime import open_stores

    return closing(open_stores())


def _scene_of(stores: Any, scene: str | None) -> str:
    name = scene or stores.settings.scene
    if name is None:
        known = ", ".join(r.name for r in stores.archive.scenes()) or "none yet"
        raise UserError("no scene was named", remedy=f"--scene NAME; known: {known}")
    return str(name)


def _predicate(stores: Any, text: str | None) -> Any:
    if text is None:
        return None
    from tools.predicates import parse, validate

    predicate = parse(text)
    validate(predicate, stores.tools.captioner.attributes)
    return predicate


def _show(rules: Any, as_json: bool, show: Callable[[Any], None]) -> None:
    if as_json:
        _print_json([r.model_dump(mode="json") for r in rules])
    else:
        show(rules)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def main() -> None:
    """Entry point."""
    app()
