"""Rule books made up for measuring: sentences of parts, and the same said in other words.

Every other scene holds, besides such combinations, rules on subjects of their own, and then no
combination that names one of these; the others hold combinations of all parts, and some of those
rules among them, whose subjects dozens of combinations may share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml

from tools.archive import Archive, SceneRecord
from tools.ports import Embedder, SceneProfile
from tools.rulebook.retrieval import words
from tools.types import Rule, RuleCategory, RuleKind
from tools.wordnet import synonyms

__all__ = [
    "EVERY_PART",
    "Pair",
    "Parts",
    "Planted",
    "apart",
    "fill",
    "open_archive",
    "pairs",
    "parted",
    "sentences",
]  # fmt: skip

Pair = tuple[str, str]
"""Something as a rule says it, and in other words."""
PAIRS = Path(__file__).with_name("paraphrases.yaml")

ACTIONS = (
    ("whistle", "blows a tune through the lips"),
    ("juggle", "keeps several balls in the air"),
    ("knit", "makes wool into a pullover"),
    ("read a newspaper", "looks through the daily press"),
    ("make phone calls", "talks on a mobile"),
    ("pray", "says a prayer with folded hands"),
    ("hand out leaflets", "distributes flyers"),
    ("repair shoes", "mends boots"),
    ("play chess", "moves pawns and bishops on a board"),
    ("beg for coins", "asks passers-by for small change"),
    ("plant tulips", "puts flower bulbs into the soil"),
    ("cut hair", "works as a barber"),
    ("fly a kite", "lets a paper dragon rise on a string"),
    ("roast chestnuts", "heats nuts over coals"),
    ("give speeches", "addresses an audience"),
    ("collect signatures", "asks people to sign a petition"),
    ("measure the floor", "lays a tape on the ground"),
    ("hang posters", "puts up placards"),
    ("practise yoga", "does stretching exercises on a mat"),
    ("dig holes", "makes pits with a spade"),
    ("wash carpets", "cleans rugs with water"),
    ("sew curtains", "stitches drapes"),
    ("tell fortunes", "predicts the future from palms"),
    ("type letters", "writes mail on a keyboard"),
    ("wave flags", "swings banners"),
    ("brush teeth", "cleans the mouth with paste"),
    ("iron shirts", "presses clothes smooth"),
    ("blow bubbles", "makes spheres of soap"),
    ("fold boxes", "bends cardboard into shape"),
    ("count money", "tallies banknotes"),
)
"""What is done, as a rule says it and as somebody who saw it might."""
PLACES = (
    ("at the main entrance", "by the front door"),
    ("on the stairs", "on the steps"),
    ("near the cash desk", "beside the till"),
    ("in the car park", "where automobiles are left"),
    ("on the railway platform", "where passengers board trains"),
    ("behind the warehouse", "at the back of the storehouse"),
    ("in the lift", "inside the elevator"),
    ("by the swimming pool", "next to the basin for bathers"),
    ("in the playground", "where children have swings"),
    ("on the roof", "on top of the building"),
    ("at the bus stop", "where coaches pick people up"),
    ("in the corridor", "along the hallway"),
    ("near the fuel pump", "by the petrol dispenser"),
    ("on the bridge", "on the river crossing"),
    ("in the garden", "among the flower beds"),
    ("at the loading dock", "on the ramp for lorries"),
    ("in the library", "among the book shelves"),
    ("near the power station", "by the electricity plant"),
    ("in the kitchen", "where food is cooked"),
    ("on the beach", "on the sandy shore"),
    ("in the tunnel", "in the underground passage"),
    ("at the reception", "by the welcome counter"),
    ("in the server room", "where the computers stand"),
    ("on the runway", "where aeroplanes land"),
    ("in the stable", "where horses are kept"),
    ("at the school gate", "at the way into the pupils' yard"),
    ("in the waiting room", "where patients sit before their turn"),
    ("on the ice rink", "on the frozen surface for skaters"),
    ("in the market hall", "among the stalls of traders"),
    ("at the harbour", "where ships moor"),
)
TIMES = (
    ("", ""),
    ("at night", "after dark"),
    ("during the lunch break", "around noon"),
    ("on public holidays", "on days when nobody works"),
    ("when it rains", "in wet weather"),
    ("while the alarm sounds", "as the siren is on"),
)


class Parts(NamedTuple):
    """What rules are put together from."""

    actions: Sequence[Pair]
    places: Sequence[Pair]
    times: Sequence[Pair]


EVERY_PART = Parts(ACTIONS, PLACES, TIMES)


@dataclass(frozen=True)
class Planted:
    """A rule and ways of asking for it."""

    scene: str
    rule_id: str
    kind: str
    """``combined``: many of its scene share a part with it; ``known``, ``held out``: alone on its
    subject, of these pairs; ``shared``: one of the held-out pairs, not alone."""
    reworded: str
    """One part in other words; empty for those that are no combination."""
    paraphrase: str
    """The same in other words throughout."""
    terms: str
    """Its own words, in another order."""


def pairs() -> dict[str, list[Pair]]:
    """Rules on subjects of their own, each in other words, by set."""
    read = yaml.safe_load(PAIRS.read_text(encoding="utf-8"))
    return {name: [(rule, other) for rule, other in found] for name, found in read.items()}


def apart(parts: Parts, others: Sequence[Pair]) -> Parts:
    """The parts less the actions and places that share a word, or a synonym of one, with these."""
    texts = [text for pair in others for text in pair]
    taken = {stem for text in texts for stem in words(text)}
    each = {word.casefold() for text in texts for word in text.replace(".", "").split()}
    taken |= {s for word in each if words(word) for o in synonyms(word) for s in words(o)}

    def left(some: Sequence[Pair]) -> list[Pair]:
        return [pair for pair in some if taken.isdisjoint(words(" ".join(pair)))]

    return Parts(left(parts.actions), left(parts.places), parts.times)


def sentences(
    rng: np.random.Generator, count: int, parts: Parts = EVERY_PART
) -> Iterator[tuple[str, str, str, str]]:
    """``count`` different rules: as written, one part and all in other words, turned about."""
    actions, places, times = parts
    every = len(actions) * len(places) * len(times)
    if count > every:
        raise ValueError(f"at most {every} different sentences, not {count}")
    for number in rng.choice(every, count, replace=False):
        rest, a = divmod(int(number), len(actions))
        t, p = divmod(rest, len(places))
        text = f"Nobody may {actions[a][0]} {places[p][0]} {times[t][0]}".strip() + "."
        part = int(number) % 2  # the place, or what is done
        does = f"Someone {actions[a][1]}" if part else f"Nobody may {actions[a][0]}"
        one = f"{does} {places[p][1 - part]} {times[t][0]}".strip() + "."
        other = f"Someone {actions[a][1]} {places[p][1]} {times[t][1]}".strip() + "."
        terms = f"{times[t][0]} {places[p][0]} {actions[a][0]}".strip()
        yield text, one, other, terms


def parted(embedder: Embedder, rules: int, *, top: int, draws: int = 2000, seed: int = 0) -> float:
    """What an embedder would find of :func:`sentences`, all in other words, were it told the parts.

    Each part of a query is compared with the same part of every rule, as a text of its own; the
    largest sum is the best. Gives the share of queries whose rule is among the ``top`` of about
    ``rules`` at random: a yardstick of what its vectors know of these words, not a bound.
    """
    rng = np.random.default_rng(seed)
    likeness = []
    for parts in EVERY_PART:
        said, asked = (embedder.embed([pair[n] or "-" for pair in parts]) for n in (0, 1))
        table = asked @ said.T
        empty = np.array([not pair[0] for pair in parts])
        table[empty], table[:, empty] = 0.0, 0.0
        likeness.append(table)
    shape = (len(ACTIONS), len(PLACES), len(TIMES))
    share = rules / float(np.prod(shape))
    found = 0
    for a, p, t in rng.integers(shape, size=(draws, 3)).tolist():
        action, place, time = likeness[0][a], likeness[1][p], likeness[2][t]
        total = action[:, None, None] + place[None, :, None] + time[None, None]
        better = (total > total[a, p, t]) & (rng.random(shape) < share)
        found += int(better.sum() < top)
    return found / draws


def _turned(rng: np.random.Generator, text: str) -> str:
    return " ".join(rng.permutation(text.removesuffix(".").split()))


def open_archive(home: Path, embedder: Embedder, *, busy_timeout_s: float = 60.0) -> Archive:
    return Archive(home, embedder, busy_timeout_s=busy_timeout_s)


def fill(
    archive: Archive, *, scenes: int, rules: int, planted: int, seed: int = 0
) -> tuple[Planted, ...]:
    """Put ``scenes`` scenes of ``rules`` rules each on record.

    Gives rules to ask for, per scene: ``planted`` of each kind that it holds.
    """
    rng = np.random.default_rng(seed)
    sets = pairs()
    found: list[Planted] = []
    for number in range(scenes):
        scene = f"scene{number:03d}"
        book: list[Rule] = []
        mixed = number % 2 == 1
        kinds = {"shared": "held_out"} if mixed else {"known": "known", "held out": "held_out"}
        chosen = [
            (kind, sets[name][int(n)])
            for kind, name in kinds.items()
            for n in rng.choice(len(sets[name]), planted, replace=False)
        ]
        parts = EVERY_PART if mixed else apart(EVERY_PART, [pair for _, pair in chosen])
        drawn = [(kind, text, "", other, _turned(rng, text)) for kind, (text, other) in chosen]
        rest = sentences(rng, rules - len(drawn), parts)
        drawn += [("combined" if mixed else "", *each) for each in rest]
        sought = len(chosen) + (planted if mixed else 0)
        for place, (kind, text, one, other, terms) in enumerate(drawn):
            rule = Rule(
                id=f"r{place:05d}-{number:03d}",
                scene=scene,
                version=1,
                kind=RuleKind.ANOMALOUS,
                category=RuleCategory.ACTIVITY,
                text=text,
            )
            book.append(rule)
            if place < sought:
                found.append(Planted(scene, rule.id, kind, one, other, terms))
        made = {"captioner": "bench", "width": 360, "height": 240, "seconds": 1.0}
        archive.save_scene(
            SceneRecord.model_validate({"name": scene, "profile_version": "v1", **made}),
            SceneProfile(
                scene=scene, captioner="bench", width=360, height=240, clips=(), seconds=1.0,
                version="v1",
            ),
            book,
        )  # fmt: skip
    return tuple(found)
