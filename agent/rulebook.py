"""``vidocq rules``: list, write and change the rules of a scene."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.options import (
    AuthorOption,
    JsonOption,
    SceneOption,
    archive,
    guarded,
    in_words,
    linted,
    print_json,
    scene_of,
    show,
)
from tools.errors import UserError

if TYPE_CHECKING:
    from agent.runtime import Stores
    from tools.rulebook.plainwords import Understood
    from tools.types import Predicate, Rule, Scope

__all__ = ["RuleArgument", "rules_app"]

rules_app = typer.Typer(no_args_is_help=True, help="The rules of a scene: read, write, review.")


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


WhenOption = Annotated[
    str | None,
    typer.Option(
        "--when",
        metavar="TEST",
        help='Test by code, e.g. "speed > 1.8 and activity in {runs}".',
    ),
]
RuleArgument = Annotated[str, typer.Argument(metavar="RULE", help="Id of the rule.")]
HoursOption = Annotated[str | None, typer.Option(help="Hours it holds, e.g. 22:00-06:00.")]
DaysOption = Annotated[str | None, typer.Option(help="Days it holds, e.g. mon-fri.")]
ZoneOption = Annotated[str | None, typer.Option(help="Zone it holds in.")]
CameraOption = Annotated[
    list[str] | None, typer.Option("--camera", help="Camera it holds for. Repeatable.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@rules_app.command("list")
@guarded
def rules_list(
    scene: SceneOption = None,
    retired: Annotated[bool, typer.Option("--all", help="Retired rules too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the rules of a scene; without --scene, the scenes."""
    from agent.console import out, table

    with archive() as stores:
        name = scene or stores.settings.scene
        if name is None:
            records = stores.archive.scenes()
            if as_json:
                print_json([r.model_dump(mode="json") for r in records])
                return
            rows = table("scene", "rules", "clips", "seconds", "induced")
            for r in records:
                count = len(stores.archive.rules.list(r.name))
                rows.add_row(r.name, str(count), str(len(r.clips)), f"{r.seconds:.0f}", r.created)
            out.print(rows if records else "No scenes yet: vidocq induce NORMAL... --scene NAME")
            return
        rules = stores.archive.rules.list(name, include_retired=retired)
        captions = len(stores.archive.normal_captions(name))
        alarms = stores.archive.scene(name).false_alarms
        expected = alarms.text(in_words=in_words(stores, name))
        show(stores, rules, as_json)
    if not as_json:
        own = sum(r.source == "user" and r.status == "active" for r in rules)
        out.print(f"{expected}{f' Not counting the {own} written by people.' if own else ''}")
        if captions:
            out.print(
                f"What is said is compared with {captions} "
                f"caption{'' if captions == 1 else 's'} of normal footage: "
                f"vidocq rules captions --scene {name}"
            )


@rules_app.command("add")
@guarded
def rules_add(
    text: Annotated[str, typer.Argument(help="The rule, in plain words.")],
    scene: SceneOption = None,
    kind: Annotated[
        Kind | None, typer.Option(help="What the rule calls it; else the sentence says it.")
    ] = None,
    category: Annotated[Category | None, typer.Option(help="What it is about.")] = None,
    when: WhenOption = None,
    hours: HoursOption = None,
    days: DaysOption = None,
    zone: ZoneOption = None,
    camera: CameraOption = None,
    words_only: Annotated[
        bool, typer.Option("--words-only", help="No test of its own: its words alone count.")
    ] = False,
    yes: YesOption = False,
    author: AuthorOption = "user",
    as_json: JsonOption = False,
) -> None:
    """Add a rule of your own, in plain words; shows how it is tested and asks."""
    from agent.console import remark
    from tools.deduction import missed
    from tools.rulebook.plainwords import Understood, require_content, tests_of, understand
    from tools.types import RuleCategory, RuleKind

    with archive() as stores:
        name = scene_of(stores, scene)
        book = stores.archive.rules
        zones = book.zones(name)
        words = in_words(stores, name)
        chosen = RuleKind(kind) if kind else None
        given = _predicate(stores, when)
        attributes = stores.tools.captioner.attributes
        if given is not None or words_only:
            if given is None:
                require_content(text)
            plain = RuleKind.ANOMALOUS
            understood = Understood(
                text,
                chosen or plain,
                RuleCategory.ACTIVITY,
                given,
                _no_scope(),
                tests=(given,) if given else (),
            )
        else:
            known = {} if zone is None else {zone: book.zone(name, zone)}
            understood = understand(text, zones | known, name, kind=chosen, attributes=attributes)
        scope = _scope(stores, name, understood.scope, hours, days, zone, camera)
        asked = given is None and not words_only
        _refuse_counts_in_zones(understood, scope)
        _explain(understood, scope, in_words=words)
        if asked and not yes:
            _confirm()
        before = {r.id: r for r in book.list(name, include_retired=True)}
        rule = book.add(
            name,
            text,
            understood.kind,
            RuleCategory(category) if category else understood.category,
            understood.predicate,
            scope=scope,
            author=author,
        )
        findings = [f for f in linted(stores, book.list(name)) if rule.id in f.rules]
        show(stores, (rule,), as_json)
    if (old := before.get(rule.id)) is not None:
        again = "it was retired, and is in use again" if old != rule else "nothing was written"
        remark(f"note: this rule exists already, as {rule.id}@{rule.version}: {again}")
    tested = bool(tests_of(rule))
    for finding in findings:
        if finding.problem != "untestable" or tested:
            others = ", ".join(i for i in finding.rules if i != rule.id)
            remark(f"note: {finding.problem}{f' with {others}' if others else ''}: {finding.text}")
    if words_only and tested and not words:
        remark("note: the words of it that can be measured are tested all the same")
    if said := missed((rule,)):
        remark(f"note: {said}")


@rules_app.command("edit")
@guarded
def rules_edit(
    rule_id: RuleArgument,
    text: Annotated[str | None, typer.Option(help="New text.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="New kind.")] = None,
    category: Annotated[Category | None, typer.Option(help="New category.")] = None,
    when: WhenOption = None,
    no_test: Annotated[bool, typer.Option("--no-test", help="Remove the test by code.")] = False,
    hours: HoursOption = None,
    days: DaysOption = None,
    zone: ZoneOption = None,
    camera: CameraOption = None,
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Remove hours, days, zone and cameras.")
    ] = False,
    restore: Annotated[bool, typer.Option(help="Bring a retired rule back.")] = False,
    author: AuthorOption = "user",
    as_json: JsonOption = False,
) -> None:
    """Write a new version of a rule. Its sentence stays as it is unless --text changes it."""
    from agent.console import remark
    from tools.types import RuleCategory, RuleKind, RuleStatus

    with archive() as stores:
        book = stores.archive.rules
        predicate = _predicate(stores, when)
        last = book.get(rule_id.partition("@")[0])
        before = _no_scope() if anywhere else last.scope
        rule = book.edit(
            last.id,
            text=text,
            kind=RuleKind(kind) if kind else None,
            category=RuleCategory(category) if category else None,
            predicate=predicate,
            drop_predicate=no_test,
            scope=_scope(stores, last.scene, before, hours, days, zone, camera),
            status=RuleStatus.ACTIVE if restore else None,
            author=author,
        )
        show(stores, (rule,), as_json)
        apart = "" if text is None else _apart(rule, stores)
    if text is None and rule.predicate != last.predicate:
        remark(f"note: its sentence stays as it was: “{rule.text}”; --text changes it")
    if apart:
        remark(f"note: only the words were changed: read anew they would be {apart}")


def _apart(rule: Rule, stores: Stores) -> str:
    """How a rule differs from what its words would be understood as; empty where it does not."""
    from tools.rulebook.plainwords import understand
    from tools.rulebook.predicates import describe

    zones = stores.archive.rules.zones(rule.scene)
    try:
        anew = understand(
            rule.text, zones, rule.scene, attributes=stores.tools.captioner.attributes
        )
    except UserError as error:
        return f"refused ({error.message})"
    told = []
    if anew.kind is not rule.kind:
        told.append(f"{anew.kind} (--kind {anew.kind})")
    if anew.predicate is not None and anew.predicate != rule.predicate:
        told.append(f"tested by {describe(anew.predicate)} (--when)")
    if (anew.scope.hours, anew.scope.weekdays) != (rule.scope.hours, rule.scope.weekdays):
        told.append("in force at other hours or days (--hours, --days)")
    return ", ".join(told)


@rules_app.command("retire")
@guarded
def rules_retire(
    rule_id: RuleArgument, author: AuthorOption = "user", as_json: JsonOption = False
) -> None:
    """Take a rule out of use; its history stays."""
    with archive() as stores:
        rule = stores.archive.rules.retire(rule_id, author=author)
        show(stores, (rule,), as_json)


@rules_app.command("revert")
@guarded
def rules_revert(
    rule_id: RuleArgument,
    version: Annotated[int, typer.Argument(help="The version to go back to.")],
    author: AuthorOption = "user",
    as_json: JsonOption = False,
) -> None:
    """Write a new version that says what an earlier one said."""
    with archive() as stores:
        rule = stores.archive.rules.revert(rule_id, version, author=author)
        show(stores, (rule,), as_json)


# ---------------------------------------------------------------- pieces


def _predicate(stores: Stores, text: str | None) -> Predicate | None:
    if text is None:
        return None
    from tools.rulebook.predicates import parse, validate

    return validate(parse(text), stores.tools.captioner.attributes)


def _no_scope() -> Scope:
    from tools.types import Scope

    return Scope()


def _scope(
    stores: Stores,
    scene: str,
    scope: Scope,
    hours: str | None,
    days: str | None,
    zone: str | None,
    cameras: list[str] | None,
) -> Scope:
    """The scope with what the options say."""
    from tools.rulebook.scoping import parse_hours, parse_weekdays

    changes: dict[str, Any] = {}
    if hours is not None:
        changes["hours"] = parse_hours(hours)
    if days is not None:
        changes["weekdays"] = parse_weekdays(days)
    if zone is not None:
        drawn = stores.archive.rules.zone(scene, zone)
        changes |= {"zone": drawn.name, "polygon": drawn.polygon}
    if cameras:
        changes["cameras"] = tuple(cameras)
    return scope.model_copy(update=changes)


def _refuse_counts_in_zones(understood: Understood, scope: Scope) -> None:
    if scope.polygon and any(c.attribute == "count" for t in understood.tests for c in t.all):
        raise UserError(
            "people are counted in the whole picture: in a zone, a test of how many never holds",
            remedy="leave the zone out",
        )


def _explain(understood: Understood, scope: Scope, *, in_words: bool) -> None:
    """How a sentence was understood, before it is written."""
    from agent.console import remark
    from tools.rulebook.predicates import describe
    from tools.rulebook.scoping import describe_scope

    if not understood.tests:
        remark(f"understood as {understood.kind}, in words only")
        if where := describe_scope(scope):
            remark(f"only: {where}")
        for caveat in understood.caveats:
            remark(f"note: {caveat}")
        if not in_words:
            remark(
                "note: nothing of this rule can be checked by code, so it is kept as words only, "
                "for a language model to apply; give a test with --when TEST"
            )
        return
    tests = " or ".join(describe(test) for test in understood.tests)
    remark(f"understood as {understood.kind}: {tests}")
    if where := describe_scope(scope):
        remark(f"only: {where}")
    for caveat in understood.caveats:
        remark(f"note: {caveat}")
    if understood.unchecked:
        remark(
            f"note: not checked, because nothing measures it: {', '.join(understood.unchecked)}; "
            "the rule applies whether or not that is so"
        )


def _confirm() -> None:
    try:
        agreed = typer.confirm("Write this rule?", default=True, err=True)
    except typer.Abort:  # nobody there to ask
        typer.echo("", err=True)
        agreed = False
    if not agreed:
        raise UserError(
            "not confirmed: nothing was written",
            remedy="add --yes in scripts; --when TEST to say the test, --words-only for none",
        )
