"""What a sentence asks: one question or several in one breath, and whether it asks for nothing.

"Did anybody run, and was a bag left behind?" is two questions. "Did nobody run?" asks what "did
anybody run?" asks, with yes and no the other way round.
"""

from __future__ import annotations

import re

__all__ = ["positive", "split_questions"]

_AUX = r"(?:did|do|does|was|were|is|are|has|have|had)"
_WH = r"(?:who|whose|what|when|where|why|how|which)"
_LINKS = r"(?:(?:and|but|also|then|so) )*"
_SUBJECT = (
    r"(?:any\w*|some\w*|every\w*|nobody|no[ -]one|nothing|none|no|there|the|an?|people"
    r"|(?!(?:this|its|as|always|was|is|has|does)\b)[a-z]+s)\b"
)
_HEAD = rf"(?:{_AUX}(?:n['’]t)? {_SUBJECT}|{_WH}\b.*\b{_AUX}\b)"
_NEXT = re.compile(
    rf"(?:[?.;!,]? (?:(?:and|but|also|then) )+|[?;!.] )(?={_HEAD})"
    rf"(?!(?:when|where)(?: and (?:when|where))?(?: exactly)? {_AUX} (?:it|that|this|they)\b)",
    re.IGNORECASE,
)
"""Where another question begins; "and when was it?" belongs to the one before."""
_ASKS = re.compile(
    rf"(?:^|[,;:] ){_LINKS}(?:{_AUX}(?:n['’]t)?|{_WH} .*\b{_AUX}|any\w*)\b", re.IGNORECASE
)

_NOT = {
    r"nobody|no[ -]?one|not a (?:single )?(?:person|soul)": "anyone",
    r"nothing|not a (?:single )?thing": "anything",
    r"never": "ever",
    r"none|no(?! (?:longer|more)\b)|not (?:a single|any|one|even one)": "any",
}
_WORDS = "|".join(_NOT)
_FILLER = (
    rf"(?:(?:there|it|true|correct|the case|so|that|this|really|the|{_AUX}"
    r"|camera|lens|picture|image|video|view) )*"
)
_NOTHING = re.compile(
    rf"^(?P<head>{_LINKS}{_AUX} {_FILLER})(?P<word>{_WORDS})\b"
    rf"|^(?P<start>{_LINKS})(?P<first>{_WORDS})\b(?=[^:;.]*\?$)",
    re.IGNORECASE,
)
_TAG = re.compile(r",? (?:right|correct|true) ?\?$", re.IGNORECASE)


def split_questions(text: str) -> tuple[str, ...]:
    """The questions of a sentence, in order; whatever is no question stays with its neighbour."""
    found: list[str] = []
    start = 0
    for match in _NEXT.finditer(text):
        before = text[start : match.start()]
        if _ASKS.search(before):
            mark = text[match.start()] if text[match.start()] in "?.!" else ""
            found.append(before + mark)
            start = match.end()
    return (*found, text[start:])


def positive(text: str) -> tuple[str, bool]:
    """A question without its denial, and whether it had one: "did nobody run?" is "did anyone
    run?", denied. "Didn't anybody run?" hopes for a yes and denies nothing."""
    asked = _TAG.sub("?", text)
    match = _NOTHING.match(asked)
    if match is None:
        return text, False
    said = match["word"] or match["first"]
    instead = next(word for words, word in _NOT.items() if re.fullmatch(words, said, re.IGNORECASE))
    return f"{match['head'] or match['start'] or ''}{instead}{asked[match.end() :]}", True
