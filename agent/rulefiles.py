"""``vidocq rules``: books as files, what is wrong with them, their index, and zones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.options import (
    AuthorOption,
    JsonOption,
    SceneOption,
    archive,
    guarded,
    linted,
    print_json,
    scene_of,
)
from agent.rulereading import rules_app
from tools.errors import UserError

if TYPE_CHECKING:
    from tools.rulebook.linting import Finding

__all__ = ["rules_app", "zone_app"]

zone_app = typer.Typer(no_args_is_help=True, help="Named parts of a scene's picture.")
rules_app.add_typer(zone_app, name="zone")


@rules_app.command("export")
@guarded
def rules_export(
    scene: SceneOption = None,
    to: Annotated[
        Path | None, typer.Option("--to", "-o", help="File to write; else stdout.", metavar="YAML")
    ] = None,
    retired: Annotated[bool, typer.Option("--all", help="Retired rules too.")] = False,
) -> None:
    """Write a scene's rules as YAML, to be edited and reviewed."""
    from agent.console import remark
    from tools.rulebook.rulefile import export_rules

    with archive() as stores:
        name = scene_of(stores, scene)
        rules = stores.archive.rules.list(name, include_retired=retired)
        text = export_rules(name, rules, stores.archive.rules.zones(name))
        keeps_captions = stores.archive.scene(name).captions_version > 0
    if keeps_captions:
        remark("note: its normal captions stay with the scene: they are no rules")
    if to is None:
        typer.echo(text, nl=False)
        return
    try:
        to.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{to}: cannot be written: {error.strerror}", remedy="name another file"
        ) from None
    remark(f"wrote {len(rules)} rules to {to}")


@rules_app.command("import")
@guarded
def rules_import(
    file: Annotated[Path, typer.Argument(help="YAML as `rules export` writes it.")],
    scene: SceneOption = None,
    retire_missing: Annotated[
        bool, typer.Option("--retire-missing", help="Retire rules that the file does not have.")
    ] = False,
    author: AuthorOption = "user",
    as_json: JsonOption = False,
) -> None:
    """Write what a YAML file says into the record, all or nothing.

    Rules that contradict are written all the same, each pair named on a line of its own.
    """
    from agent.console import out, remark
    from tools.rulebook.rulefile import import_rules, read_rules

    with archive() as stores:
        found = read_rules(file, stores.tools.captioner.attributes)
        name = scene or found.scene or scene_of(stores, None)
        record = stores.archive.scene(name)
        done = import_rules(
            stores.archive.rules,
            found,
            name,
            (record.width, record.height),
            author=author,
            retire_missing=retire_missing,
        )
        findings = linted(stores, stores.archive.rules.list(name))
    written = {r.id for r in (*done.added, *done.changed)}
    wrong = [f for f in findings if f.problem == "contradictory" and written & set(f.rules)]
    if as_json:
        print_json(
            {
                "scene": name,
                "added": [r.ref for r in done.added],
                "changed": [r.ref for r in done.changed],
                "retired": [r.ref for r in done.retired],
                "zones": [z.name for z in done.zones],
                "same": done.same,
                "contradictory": [f.model_dump(mode="json") for f in wrong],
            }
        )
        return
    out.print(
        f"Scene {name}: {len(done.added)} added, {len(done.changed)} changed, "
        f"{len(done.retired)} retired, {done.same} as they were; "
        f"{len(done.zones)} zone{'' if len(done.zones) == 1 else 's'} drawn."
    )
    for finding in wrong:
        where = _places(file, finding, done.lines)
        remark(f"contradictory: {where}: {finding.text}; both are in the book now")
    if left := len(findings) - len(wrong):
        things = f"{left} {'other ' if wrong else ''}thing{'' if left == 1 else 's'}"
        remark(f"note: {things} to look at: vidocq rules lint --scene {name}")


@rules_app.command("lint")
@guarded
def rules_lint(
    file: Annotated[
        Path | None, typer.Argument(help="YAML to look at instead of the record.")
    ] = None,
    scene: SceneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Name rules that contradict, repeat, never count or cannot be tested."""
    from agent.console import out, remark
    from tools.deduction import missed
    from tools.rulebook.rulefile import read_rules

    with archive() as stores:
        lines: dict[str, int] = {}
        if file is None:
            rules = stores.archive.rules.list(scene_of(stores, scene))
        else:
            found = read_rules(file, stores.tools.captioner.attributes)
            name = scene or found.scene or scene_of(stores, None)
            record = stores.archive.scene(name)
            zones = {n: z.polygon for n, z in stores.archive.rules.zones(name).items()}
            drawn = found.corners(record.width, record.height)
            known = {r.id: r for r in stores.archive.rules.list(name, include_retired=True)}
            everything = found.rules(name, zones | drawn, known)
            rules = tuple(r for r in everything if r.status == "active")
            lines = {r.id: e.line for r, e in zip(everything, found.entries, strict=True)}
        findings = linted(stores, rules)
    if as_json:
        print_json([f.model_dump(mode="json") for f in findings])
    else:
        for finding in findings:
            where = _places(file, finding, lines)
            out.print(f"{finding.problem}: {where}: {finding.text}", markup=False)
        if not findings:
            out.print(f"{len(rules)} rules: nothing to complain about.")
    if said := missed(rules):
        remark(f"note: {said}")
    if findings:
        raise typer.Exit(1)


def _places(file: Path | None, finding: Finding, lines: Mapping[str, int]) -> str:
    """The rules of a finding, those of a file with their lines."""
    named = (
        i if i not in lines else f"{file}:{lines[i]}{'' if i == f'line-{lines[i]}' else f' {i}'}"
        for i in finding.rules
    )
    return ", ".join(named)


@rules_app.command("reindex")
@guarded
def rules_reindex(
    scene: SceneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the retrieval index again from the record, with the embedder that is set now."""
    from agent.console import out

    with archive() as stores:
        names = [scene] if scene else [s.name for s in stores.archive.scenes()]
        done = stores.archive.rules.reindex(names)
        embedder = stores.archive.rules.embedder
    if as_json:
        print_json({"embedder": embedder, "rules": done})
        return
    out.print(f"Indexed {sum(done.values())} rules of {len(done)} scenes with {embedder}.")


@zone_app.command("add")
@guarded
def zone_add(
    name: Annotated[str, typer.Argument(help="Its name, as sentences will say it.")],
    polygon: Annotated[
        str, typer.Option(help='Corners in pixels, "X,Y X,Y X,Y".', metavar="CORNERS")
    ],
    scene: SceneOption = None,
    author: AuthorOption = "user",
) -> None:
    """Define a zone, or draw it anew: rules that name it get a new version."""
    from agent.console import out
    from tools.rulebook.scoping import parse_corners

    with archive() as stores:
        where = scene_of(stores, scene)
        record = stores.archive.scene(where)
        corners = parse_corners(polygon, record.width, record.height)
        if not name.strip() or len(name) > 64 or any(c in name for c in '"\n'):
            raise UserError(f"“{name}” cannot name a zone", remedy="use a plain word like fence")
        zone, moved = stores.archive.rules.set_zone(where, name.strip(), corners, author=author)
    out.print(f"Zone {zone.name}@{zone.version} of scene {where}: {_corners(zone.polygon)}")
    if moved:
        out.print(f"{len(moved)} rules follow it: {', '.join(r.id for r in moved)}")


@zone_app.command("list")
@guarded
def zone_list(scene: SceneOption = None, as_json: JsonOption = False) -> None:
    """The zones of a scene."""
    from agent.console import out

    with archive() as stores:
        name = scene_of(stores, scene)
        zones = stores.archive.rules.zones(name)
    if as_json:
        print_json([z.model_dump(mode="json") for z in zones.values()])
        return
    for zone in zones.values():
        out.print(f"{zone.name}@{zone.version}  {_corners(zone.polygon)}", markup=False)
    if not zones:
        out.print(f"Scene {name} has no zones: vidocq rules zone add NAME --polygon CORNERS")


@zone_app.command("remove")
@guarded
def zone_remove(
    name: Annotated[str, typer.Argument(help="Name of the zone.")],
    scene: SceneOption = None,
    author: AuthorOption = "user",
) -> None:
    """Take a zone out of use; refused while a rule names it."""
    from agent.console import out

    with archive() as stores:
        zone = stores.archive.rules.drop_zone(scene_of(stores, scene), name, author=author)
    out.print(f"Zone {zone.name} is no longer in use.")


def _corners(polygon: tuple[tuple[float, float], ...]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in polygon)
