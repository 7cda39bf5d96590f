"""Deduction over captions: verdicts on what a captioner says, from rules and normal captions.

For any captioner that gives words only. ``Deducer`` judges captions clause by clause and cites
clause, rule and phrase; ``induce_from_captions`` makes rules of normal captions; ``smoothed``
spreads scores over time by a named method.
"""

from tools.deduction.deducer import ALARM, Deduced, Deducer, Found, discounted, scenery
from tools.deduction.facts import words_only
from tools.deduction.induction import CaptionBook, NormalClip, induce_from_captions
from tools.deduction.language import Said, clauses_of, said_in
from tools.deduction.matching import (
    parts_of,
    phrase_of,
    readable,
    reading_of,
    share_of,
    stated,
)
from tools.deduction.missing import missed
from tools.deduction.smoothing import METHODS, Method, smoothed
from tools.deduction.unlike import Embed

__all__ = [
    "ALARM",
    "METHODS",
    "CaptionBook",
    "Deduced",
    "Deducer",
    "Embed",
    "Found",
    "Method",
    "NormalClip",
    "Said",
    "clauses_of",
    "discounted",
    "induce_from_captions",
    "missed",
    "parts_of",
    "phrase_of",
    "readable",
    "reading_of",
    "said_in",
    "scenery",
    "share_of",
    "smoothed",
    "stated",
    "words_only",
]
