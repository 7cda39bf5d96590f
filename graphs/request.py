"""Reading a caller's input: the question, the videos, the budget."""

from __future__ import annotations

import re

from langchain_core.messages import HumanMessage
from pydantic import ValidationError

from graphs.state import State
from tools.decision import Budget
from tools.errors import UserError
from tools.medianames import VIDEO_SUFFIXES
from tools.rulebook.scoping import parse_moment

__all__ = ["budget_of", "paths_of", "question_of", "started_of"]

SUFFIX = "|".join(sorted(re.escape(s) for s in VIDEO_SUFFIXES))
PATHS = re.compile(
    rf"""["'`]([^"'`\n]+?(?:{SUFFIX}|/))["'`]|((?:[^\s"'`,;?!()]*)(?:{SUFFIX}))(?![\w.])""",
    re.IGNORECASE,
)


def question_of(state: State) -> str:
    """The query, or the text of the last human message.

    Raises:
        UserError: where there is none, or a blank one.
    """
    query = state.get("query")
    if query is None:
        asked = [m for m in state.get("messages") or [] if isinstance(m, HumanMessage)]
        if not asked:
            raise UserError("no question", remedy='give {"query": ...} or {"messages": [...]}')
        query = asked[-1].text
    if not re.search(r"\w", query):
        raise UserError(
            "the question is blank", remedy='ask e.g. "Did anything out of the ordinary happen?"'
        )
    return query


def paths_of(state: State, query: str) -> tuple[list[str], str]:
    """Videos in scope, and the question with paths replaced by "the video".

    Paths in the question's text come in addition to the given list; a turn that names none keeps
    those of the turn before.
    """
    named = [quoted or bare for quoted, bare in PATHS.findall(query)]
    listed = state.get("videos") or ()
    given = [*([listed] if isinstance(listed, str) else listed), *named]
    return list(dict.fromkeys(given or state.get("paths") or ())), PATHS.sub("the video", query)


def started_of(state: State, videos: list[str]) -> str:
    """When the one video in scope was taken, as the caller says. Raises UserError."""
    given = state.get("started")
    if not given:
        return ""
    if len(videos) > 1:
        raise UserError(
            "one start was given for several videos",
            remedy="ask about one, or name the files like gate_20261128_220000.mp4",
        )
    return parse_moment(given)


def budget_of(state: State, default: Budget) -> Budget:
    """The caller's budget over the configured one. Raises UserError for a budget of nothing."""
    given = state.get("budget")
    try:
        if isinstance(given, Budget):
            budget = given
        else:
            budget = Budget.model_validate({**default.model_dump(), **(given or {})})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(p) for p in first["loc"])
        raise UserError(
            f"budget {field}: {first['msg'].lower()}",
            remedy="known: max_looks, max_seconds, max_rounds",
        ) from None
    if budget.max_rounds > default.max_rounds:
        raise UserError(
            f"a budget of {budget.max_rounds} rounds is more than the {default.max_rounds} allowed",
            remedy="raise the setting max_rounds",
        )
    if budget.max_looks == 0 or budget.max_seconds == 0:
        raise UserError(
            "a budget of zero cannot answer anything",
            remedy="allow at least one look, or leave the bound out",
        )
    return budget
