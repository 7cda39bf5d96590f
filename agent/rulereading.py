"""``vidocq rules``: what is on record, without changing it: captions, versions, search."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from agent.options import (
    JsonOption,
    SceneOption,
    archive,
    guarded,
    in_words,
    print_json,
    scene_of,
    show,
)
from agent.rulebook import RuleArgument, rules_app
from tools.errors import UserError

__all__ = ["rules_app"]


@rules_app.command("captions")
@guarded
def rules_captions(
    reference: Annotated[
        str | None,
        typer.Argument(metavar="CAPTION", help="The one that a decision cites: normal:ID@V."),
    ] = None,
    scene: SceneOption = None,
    as_json: JsonOption = False,
) -> None:
    """The captions of normal footage that are kept with a scene learned by words."""
    from agent.console import out

    with archive() as stores:
        if reference is None:
            name = scene_of(stores, scene)
            captions = stores.archive.normal_captions(name)
        else:
            captions = (stores.archive.normal_caption(reference),)
            name = captions[0].scene
        captioner = stores.archive.scene(name).captioner
        again = in_words(stores, name)
    if as_json:
        print_json([c.model_dump(mode="json") for c in captions])
        return
    for caption in captions:
        out.print(f"{caption.ref}  {caption.clip} {caption.interval}", markup=False)
        out.print(f"    {caption.text}", markup=False)
    if not captions:
        remedy = f"; induce it again: vidocq induce NORMAL... --scene {name}" if again else ""
        out.print(
            f"No normal captions are kept with scene {name}, which was learned with {captioner}"
            f"{remedy}.",
            markup=False,
        )


@rules_app.command("history")
@guarded
def rules_history(rule_id: RuleArgument, as_json: JsonOption = False) -> None:
    """All versions of a rule, or the one that ID@VERSION names: who wrote it, when, and why."""
    with archive() as stores:
        book = stores.archive.rules
        versions = (book.get(rule_id),) if "@" in rule_id else book.history(rule_id)
        show(stores, versions, as_json, provenance=True)


@rules_app.command("diff")
@guarded
def rules_diff(
    rule_id: Annotated[str, typer.Argument(metavar="RULE", help="Id, or ID@VERSION.")],
    first: Annotated[
        int | None, typer.Argument(metavar="VERSION", help="Version to compare with.")
    ] = None,
    second: Annotated[
        int | None, typer.Argument(metavar="VERSION", help="Version to compare the first with.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What changed between two versions: by default between the last two."""
    from agent.console import out
    from tools.rulebook.changes import difference

    with archive() as stores:
        book = stores.archive.rules
        new = book.get(rule_id)
        if second is not None and "@" in rule_id:
            raise UserError(
                f"three versions of {new.id} were named",
                remedy=f"vidocq rules diff {new.id} {first} {second}",
            )
        if first is None and new.version == 1:
            raise UserError(
                f"rule {new.id} has one version only", remedy="there is nothing to compare"
            )
        if second is not None:
            new = book.get(new.id, second)
        old = book.get(new.id, first if first is not None else new.version - 1)
        if "@" not in rule_id and second is None and old.version == new.version:
            raise UserError(
                f"version {old.version} of rule {new.id} is the latest",
                remedy=f"name two: vidocq rules diff {new.id} VERSION VERSION",
            )
    changes = difference(old, new)
    if as_json:
        print_json({"old": old.ref, "new": new.ref, "changes": [list(c) for c in changes]})
        return
    out.print(f"{old.id} @{old.version} → @{new.version} (by {new.author}, {new.created})")
    for name, before, after in changes:
        out.print(f"  {name}", markup=False)
        out.print(f"  - {before}", style="red", markup=False)
        out.print(f"  + {after}", style="green", markup=False)
    if not changes:
        out.print("  they say the same")


@rules_app.command("search")
@guarded
def rules_search(
    query: Annotated[str, typer.Argument(help="What was seen, or what is looked for.")],
    scene: SceneOption = None,
    at: Annotated[
        str | None, typer.Option(help="When, e.g. 2026-11-28T23:00: leaves other hours out.")
    ] = None,
    camera: Annotated[str | None, typer.Option(help="Of which camera.")] = None,
    count: Annotated[int, typer.Option("--top", min=1, help="How many.")] = 8,
    as_json: JsonOption = False,
) -> None:
    """The rules that bear most on something, each with its score and the reason."""
    from datetime import datetime

    from agent.console import out
    from tools.rulebook.scoping import Occasion, parse_moment

    if not re.search(r"\w", query):
        raise UserError(
            "the query is blank", remedy='say what to look for, e.g. "riding a bicycle"'
        )
    occasion = None
    if at is not None or camera is not None:
        occasion = Occasion(camera or "", datetime.fromisoformat(parse_moment(at)) if at else None)
    with archive() as stores:
        book = stores.archive.rules
        hits = book.retrieve(scene_of(stores, scene), query, count, occasion=occasion)
        embedder = book.embedder
    if as_json:
        print_json([h.model_dump(mode="json") for h in hits])
        return
    for hit in hits:
        out.print(
            f"{hit.score:.2f}  {hit.rule.id}@{hit.rule.version}  {hit.rule.text}", markup=False
        )
        out.print(f"      {hit.reason}", style="dim", markup=False)
    if not hits:
        out.print(f"No rule bears on it ({embedder}).")
