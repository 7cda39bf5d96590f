"""The embedded planner: a small grammar from a question to a plan. Deterministic, no model.

It knows seven intents and the concepts of :mod:`tools.concepts`. What it does not understand it
says so (``Intent.UNSUPPORTED``); words it understood only in part are named in the target's caveat.
"""

from __future__ import annotations

import re

from tools.backends.embedded.camerawords import CAUSE, asks_whether_well, camera_asked
from tools.backends.embedded.questions import positive, split_questions
from tools.concepts import CONCEPTS, DIRECTIONS, Concept, directions_in, find_concepts
from tools.decision import Intent, Plan, Target, Window
from tools.errors import UserError
from tools.ports import PlanningContext
from tools.rulebook.plainwords import YARDSTICK, stated_bounds
from tools.rulebook.predicates import describe
from tools.types import Condition, Predicate, parse_clock

__all__ = ["EmbeddedPlanner"]

TIME = r"\d+(?::\d{1,2}){1,2}(?:\.\d+)?"
NUMBER = r"\d+(?:\.\d+)?"
MOMENT = rf"(?:{TIME}|{NUMBER} ?(?:s|secs?|seconds?|mins?|minutes?)\b)"
AROUND_S = 1.0
"""How far around an instant a question that names one is understood to reach."""

WHY = re.compile(r"\bwhy\b|\bexplain\b|\bwhat (?:made|makes) you\b", re.IGNORECASE)
CONFIDENCE = re.compile(
    r"\bhow (?:sure|certain|confident|reliable)\b|\bconfidence\b|\bare you (?:sure|certain)\b"
    r"|(?:\b(?:not|never)|n['’]t) (?:been )?(?:look|check|examin|cover|see|watch)"
    r"|\bwhat (?:did you|have you|was) (?:miss|skip|overlook)",
    re.IGNORECASE,
)
UNUSUAL = re.compile(
    r"\b(?:unusual|out of the ordinary|anomal\w*|abnormal\w*|suspicious|strange|odd|weird|atypical"
    r"|irregular\w*|not normal|unexpected|noteworthy|remarkable|alarming|wrong)\b",
    re.IGNORECASE,
)
OPEN = re.compile(
    r"\b(?:anything|something|everything|nothing|what|anyone|someone|is this|is it|all)\b",
    re.IGNORECASE,
)
HAPPENED = re.compile(
    r"\b(?:what|anything|something) (?:happen(?:s|ed)?|is happening|'s going on)\b", re.IGNORECASE
)
DEFINES = re.compile(
    r"\b(?:counts? as|count(?:s|ed)? as|call(?:s|ed)?|consider(?:s|ed)?|treat(?:s|ed)?|regard\w*"
    r"|is|are|as|be) (?:it |this |that |them )?(?:to be )?(?:as )?(?:an? )?"
    r"(?:unusual|anomal\w+|abnormal|forbidden|not allowed|alarm|violation)",
    re.IGNORECASE,
)
PIECES = re.compile(
    r"(?<=[.;!?])\s+|,?\s+(?:but|and)\s+(?=(?:please )?(?:ignor|disregard|leave|not count))"
    r"|,?\s+(?=(?:except|apart from|not counting|leaving out|ignoring)\b)",
    re.IGNORECASE,
)
"""Where a question ends and what it says for itself begins."""
IGNORE = re.compile(
    r"^(?:please )?(?:ignor(?:e|ing)|disregard(?:ing)?|leave out|leaving out"
    r"|(?:do not|don['’]t|not) count(?:ing)?|except(?: for)?|apart from)\b(?P<after>.+)"
    r"|^(?!(?:is|are|was|were|does|do|did|has|have)\b)(?P<before>.+?)\b(?:is|are|counts? as) "
    r"(?:perfectly |quite )?(?:normal|fine|ok|okay|allowed|permitted|usual|expected)\b[^?]*$",
    re.IGNORECASE,
)
CANNOT = re.compile(
    r"^(?:who|whose|how many|what (?:colou?r|kind|type|brand|make|name|age))\b"
    r"|\b(?:licen[cs]e plates?|number plates?|faces?|emotion\w*|angry|weather|steal\w*|stole\w*"
    r"|theft|rob(?:s|bed|bery|bing)?|burgl\w*|fight\w*|fought|punch\w*|hit(?:s|ting)?|attack\w*"
    r"|shoot\w*|shot|guns?|kni(?:fe|ves)|weapons?|fire|smoke|explo\w*|crash\w*|accident|fall(?:s|en"
    r"|ing)?|fell|say(?:s|ing)?|said|talk\w*|phone|sound|hear|intend\w*|plan(?:s|ned|ning))\b",
    re.IGNORECASE,
)
"""What the embedded backends cannot see; a question about it is refused even when it also names
something they can."""
COMMON = frozenset(
    """a about all an and any anybody anyone anything are as at be been before after between by can
    clip clips could count counts did do does during ever everyone exactly find first footage for
    from had happen happened happening happens has have here how i if in is it its last later many
    me minute minutes moment more most moving nobody object objects occur occurred of off on one or
    over path people person place please road see seen second seconds show sidewalk some somebody
    someone something street sure tell than that the their them then there these they thing things
    this those through time times to up usual video videos walkway was we were what when where
    which while who will with within would you your call called calls consider considered treat
    anomaly anomalies anomalous unusual abnormal alarm forbidden allowed not camera scene area
    pavement around across along frame frames recording today there's it's speed faster longer
    slower standing true really""".split()
)


class EmbeddedPlanner:
    """Grammar and policy; see the module docstring."""

    name = "embedded-grammar/1"

    def plan(self, query: str, context: PlanningContext) -> Plan:
        """A plan for the question. Raises UserError where it is blank."""
        text = " ".join(query.split())
        if not text or not re.search(r"\w", text):
            raise UserError(
                "the question is blank",
                remedy='ask e.g. "Did anything out of the ordinary happen?"',
            )
        plans = [(part, self._planned(part, context)) for part in split_questions(text)]
        # The first that can be answered is, with whichever others one plan answers as well.
        first = min(plans, key=lambda p: p[1].intent is Intent.UNSUPPORTED)[1]
        made, unmet = first, [first.unmet]
        for part, other in plans:
            if other is first:
                continue
            both = _both(made, other)
            made = made if both is None else both
            unmet += [other.unmet] if both is not None else [_unanswered(part, other)]
        said = "; ".join(dict.fromkeys(note for note in unmet if note))
        return made.model_copy(update={"query": text, "unmet": said})

    def _planned(self, text: str, context: PlanningContext) -> Plan:
        """A plan for one question."""
        window, rest = _window(text)
        rest, negated = positive(rest.lstrip(" ,"))
        named = YARDSTICK.sub(" ", rest)
        asks_anew = UNUSUAL.search(rest) and OPEN.search(rest)
        about_last = not context.names_video and not asks_anew
        if about_last and (context.has_decision or not find_concepts(named)):
            follow_up = _follow_up(rest if negated else text)
            if follow_up is not None:
                return self._follow_up(text, follow_up, context)
        rest, counts, ignores, unmet = _definitions(rest)
        named = YARDSTICK.sub(" ", rest)
        faults = camera_asked(rest)
        if faults is not None:
            return Plan(
                query=text,
                intent=Intent.CAMERA,
                faults=faults,
                window=window,
                unmet=CAUSE,
                negated=negated != asks_whether_well(rest),
                planner=self.name,
            )
        if CANNOT.search(rest):
            return self._unsupported(text)
        concepts = find_concepts(named)
        own = {"counts": counts, "ignores": ignores, "unmet": unmet, "negated": negated}
        common = {"query": text, "window": window, "planner": self.name, **own}
        open_question = UNUSUAL.search(rest) and OPEN.search(rest) and not DEFINES.search(rest)
        if open_question or (UNUSUAL.search(rest) and not concepts):
            return Plan.model_validate({**common, "intent": Intent.ANOMALY})
        if concepts:
            targets = tuple(_target(concept, phrase, rest) for concept, phrase in concepts)
            called = UNUSUAL.search(rest) or DEFINES.search(rest)
            return Plan.model_validate(
                {
                    **common,
                    "intent": Intent.CHECK if called else Intent.FIND,
                    "targets": _joined(_specific(targets), rest),
                    "counts": (),
                }
            )
        if HAPPENED.search(rest):
            return Plan.model_validate({**common, "intent": Intent.ANOMALY})
        return self._unsupported(text)

    def _follow_up(self, text: str, intent: Intent, context: PlanningContext) -> Plan:
        if not context.has_decision:
            return Plan(
                query=text,
                intent=Intent.UNSUPPORTED,
                planner=self.name,
                note="There is no earlier answer in this thread to follow up on. Ask about a video "
                "first, then ask again in the same thread (--thread ID).",
            )
        moment = re.search(TIME, text) or re.search(rf"{NUMBER}(?= ?s(?:ec|econds?)?\b)", text)
        return Plan(
            query=text,
            intent=intent,
            moment_s=parse_clock(moment.group(0)) if moment else None,
            planner=self.name,
        )

    def _unsupported(self, text: str) -> Plan:
        known = ", ".join(c.name for c in CONCEPTS)
        return Plan(
            query=text,
            intent=Intent.UNSUPPORTED,
            planner=self.name,
            note="This question is outside what the embedded backends can tell: they measure how "
            "things move, how large they are and where they are, but do not recognise identities, "
            "colours, speech or intentions. They can answer whether anything was out of the "
            "ordinary, whether the camera was tampered with or at fault, and when and where there "
            f"was: {known}.",
        )


def _both(one: Plan, other: Plan) -> Plan | None:
    """The plan that answers two questions at once; None where none does."""
    if one.intent is other.intent and one.intent in {Intent.UNSUPPORTED, Intent.CONFIDENCE}:
        return one
    things = {Intent.FIND, Intent.CHECK}
    alike = one.intent is other.intent or {one.intent, other.intent} <= things
    same_time = other.window in {None, one.window}  # "before 0:10 did anyone run, and did …"
    if not alike or not same_time or one.negated is not other.negated or one.intent is Intent.WHY:
        return None
    known = [(t.concept, t.predicate) for t in one.targets]
    new = [t for t in other.targets if (t.concept, t.predicate) not in known]
    any_fault = not one.faults or not other.faults
    return one.model_copy(
        update={
            "targets": (*one.targets, *new),
            "counts": (*one.counts, *other.counts),
            "ignores": (*one.ignores, *other.ignores),
            "faults": () if any_fault else tuple(dict.fromkeys((*one.faults, *other.faults))),
        }
    )


def _unanswered(part: str, plan: Plan) -> str:
    unknown = plan.intent is Intent.UNSUPPORTED and _follow_up(part) is None
    why = "it is outside what the embedded backends can tell" if unknown else "ask it by itself"
    return f"“{part.strip(' ?.!')}” was not answered: {why}"


def _definitions(text: str) -> tuple[str, tuple[Target, ...], tuple[Target, ...], str]:
    """The question without what it says for itself alone: what counts, what to ignore, a note.

    "Anything unusual? Riding counts as unusual here, but ignore the gardener's cart."
    """
    pieces = [p for p in PIECES.split(text) if p.strip(" ,.;")]
    kept: list[str] = []
    whole: list[str] = []
    counts: list[Target] = []
    ignores: list[Target] = []
    lost: list[str] = []
    for piece in pieces:
        said = piece.strip(" ,.;")
        ignored = IGNORE.match(said)
        if ignored:
            what = (ignored["after"] or ignored["before"]).strip(" ?")
            found = _specific(tuple(_target(c, p, what) for c, p in find_concepts(what)))
            ignores += [_ignored(t, what) for t in _joined(found, what)]
            lost += [] if found else [what]
        elif len(pieces) > 1 and DEFINES.search(said) and not said.endswith("?"):
            found = _specific(tuple(_target(c, p, said) for c, p in find_concepts(said)))
            counts += _joined(found, said)
            lost += [] if found else [said]
            whole.append(piece)
        else:
            kept.append(piece)
            whole.append(piece)
    note = "; ".join(f"“{what}” was not taken into account: nothing of it is measured"
                     for what in lost)  # fmt: skip
    if not kept and (counts or ignores or lost):
        kept = ["Did anything unusual happen?"]
    asked = " ".join(kept)
    if not (UNUSUAL.search(asked) and OPEN.search(asked)):  # it asks for what it defines
        return " ".join(whole or kept), (), tuple(ignores), note
    return asked, tuple(counts), tuple(ignores), note


def _ignored(target: Target, phrase: str) -> Target:
    """A target to ignore, with what that leaves out said.

    What moves as fast, in a way that cannot be told apart, is left out with it: whoever asks to
    ignore riders wants none of them accused for limbs that were half seen.
    """
    predicate = Predicate(all=tuple(_or_unclear(c, target.predicate) for c in target.predicate.all))
    caveat = f"left out for this question ({phrase}): {describe(predicate)}"
    caveat += f"; {target.caveat}" if target.caveat else ""
    return target.model_copy(update={"phrase": phrase, "caveat": caveat, "predicate": predicate})


def _or_unclear(condition: Condition, whole: Predicate) -> Condition:
    """A condition on how something moves fast, widened by what moves so in an unclear way."""
    fast = any(c.attribute == "speed" and c.op in {">", ">="} for c in whole.all)
    if condition.attribute != "activity" or not fast or not isinstance(condition.value, tuple):
        return condition
    return condition.model_copy(update={"value": tuple(sorted({*condition.value, "moves"}))})


def _follow_up(text: str) -> Intent | None:
    if CONFIDENCE.search(text):
        return Intent.CONFIDENCE
    return Intent.WHY if WHY.search(text) else None


def _window(text: str) -> tuple[Window | None, str]:
    """The time window a sentence names, and the sentence without it. Raises UserError."""
    patterns = (
        (rf"\b(?:between|from) ({MOMENT}|{NUMBER}) (?:and|to|until|till|-|–) ({MOMENT})", "both"),
        (rf"\b(?:after|since|from) ({MOMENT})", "after"),
        (rf"\b(?:before|until|till|up to) ({MOMENT})", "before"),
        (rf"\b(?:in|during|within) the first ({MOMENT})", "before"),
        (rf"(?<!for )\b(?:at|around) (?:about |around )?({MOMENT})", "at"),
        (r"\b(?:in|during|within) the last (?:[\d.]+ ?)?(?:s\b|sec|min)", "last"),
    )
    for pattern, kind in patterns:
        match = re.search(pattern, text, re.IGNORECASE)
        if match is None:
            continue
        rest = " ".join((text[: match.start()] + text[match.end() :]).split())
        if kind == "last":
            raise UserError(
                f"“{match.group(0)}…”: a time window cannot be counted from the end",
                remedy='count from the start, e.g. "after 1:30"',
            )
        if kind == "both":
            unit = match.group(2).lstrip("0123456789.")
            start, end = _seconds(match.group(1), unit), _seconds(match.group(2))
            if end <= start:
                raise UserError(
                    f"the time window {match.group(1)}–{match.group(2)} ends before it starts",
                    remedy="swap the two times",
                )
            return Window(start_s=start, end_s=end), rest
        moment = _seconds(match.group(1))
        if kind == "at":
            return Window(start_s=max(0.0, moment - AROUND_S), end_s=moment + AROUND_S), rest
        if kind == "after":
            return Window(start_s=moment), rest
        return Window(start_s=0, end_s=moment), rest
    return None, text


def _seconds(token: str, unit: str = "") -> float:
    """Seconds from ``1:30``, ``90 s`` or ``1.5 min``; ``unit`` for a bare number."""
    if ":" in token:
        return parse_clock(token)
    number = re.match(NUMBER, token)
    if number is None:
        raise ValueError(f"not a time: {token!r}")
    unit = token[number.end() :].strip() or unit.strip()
    return float(number.group(0)) * (60 if unit.lower().startswith("m") else 1)


def _target(concept: Concept, phrase: str, text: str) -> Target:
    predicate = stated_bounds(concept.predicate, text)
    predicate = Predicate(all=(*predicate.all, *directions_in(text)))
    untested = _untested(text)
    caveats = [concept.caveat] if concept.caveat else []
    if untested:
        caveats.append(f"not tested, because it is not measured: {', '.join(untested)}")
    return Target(
        phrase=phrase, concept=concept.name, predicate=predicate, caveat="; ".join(caveats)
    )


def _specific(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """Drop what something more telling, asked for too, says already."""
    speedy = any(
        t.concept != "moving fast" and any(c.attribute == "speed" for c in t.predicate.all)
        for t in targets
        if t.concept not in {"walking", "standing"}
    )
    vague = {"walking", "standing"} | ({"moving fast"} if speedy else set())
    return tuple(t for t in targets if t.concept not in vague) or targets


def _joined(targets: tuple[Target, ...], text: str) -> tuple[Target, ...]:
    """Things named in one breath ("running on the grass") as one test; a list stays a list."""
    if len(targets) < 2:
        return targets
    ends = [text.find(t.phrase) for t in targets]
    between = text[min(ends) : max(ends)]
    if re.search(r"\b(?:or|and|nor)\b|[,;]", between, re.IGNORECASE):
        return targets
    caveats = dict.fromkeys(c for t in targets for c in t.caveat.split("; ") if c)
    return (
        Target(
            phrase=" ".join(t.phrase for t in targets),
            concept=" + ".join(t.concept for t in targets),
            predicate=Predicate(all=tuple(c for t in targets for c in t.predicate.all)),
            caveat="; ".join(caveats),
        ),
    )


def _untested(text: str) -> tuple[str, ...]:
    """Content words that no concept covers: named to the user rather than silently ignored."""
    rest = text.lower()
    for pattern, _ in DIRECTIONS:
        rest = re.sub(pattern, " ", rest)
    for concept in CONCEPTS:
        rest = re.sub(rf"\b(?:{concept.words})\b", " ", rest, flags=re.IGNORECASE)
    rest = re.sub(rf"(?:more|longer|faster) than {NUMBER} ?\w*", " ", rest)
    words = re.findall(r"[a-z][a-z'-]+", rest.replace("’", "'"))
    return tuple(dict.fromkeys(w for w in words if w.removesuffix("n't") not in COMMON))
