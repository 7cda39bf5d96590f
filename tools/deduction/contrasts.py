"""What may be unusual at a place of people, by general knowledge: stated priors, for every scene.

Each contrast is a rule in words, with the concepts (:mod:`tools.deduction.lexicon`) whose absence
from a scene's normal captions lets it hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.types import RuleCategory

__all__ = ["CONTRASTS", "Contrast"]


@dataclass(frozen=True)
class Contrast:
    """A rule that holds where normal captions never, or hardly ever, say any of ``nodes``."""

    slot: str
    nodes: frozenset[str]
    text: str
    category: RuleCategory = RuleCategory.ACTIVITY


def _does(slot: str, text: str, *concepts: str) -> Contrast:
    return Contrast(slot, frozenset(f"<{c}>" for c in concepts or (slot,)), text)


def _is(slot: str, text: str, *concepts: str) -> Contrast:
    nodes = frozenset(f"<{c}>" for c in concepts or (slot,))
    return Contrast(slot, nodes, text, RuleCategory.OBJECT)


CONTRASTS = (
    _does("ride", "Riding, such as on a bicycle, scooter or skateboard"),
    _does("drive", "Driving"),
    _does("run", "Running"),
    _does("hurry", "Moving fast, or in a hurry"),
    _does("chase", "Chasing somebody, or fleeing"),
    _does("jump", "Jumping"),
    _does("fall", "Falling"),
    _does("lie", "Lying down"),
    _does("bend", "Bending down or crouching"),
    _does("crawl", "Crawling"),
    _does("climb", "Climbing"),
    _does("dance", "Dancing"),
    _does("fight", "Fighting, or hitting somebody"),
    _does("push", "Pushing or pulling somebody"),
    _does("throw", "Throwing things"),
    _does("drop", "Dropping things"),
    _does("steal", "Stealing"),
    _does("damage", "Damaging or breaking things"),
    _does("loiter", "Loitering"),
    _is("abandon", "Unattended or abandoned things"),
    _is("car", "Cars"),
    _is("van", "Vans"),
    _is("truck", "Trucks"),
    _is("bus", "Buses"),
    _is("motorcycle", "Motorcycles"),
    _is("emergency vehicle", "Ambulances"),
    _is("golf cart", "Golf carts"),
    _is("vehicle", "Vehicles of any kind"),
    _is("bicycle", "Bicycles"),
    _is("board", "Skateboards or scooters"),
    _is("handcart", "Carts, trolleys or strollers"),
    _is("animal", "Animals"),
    _is("weapon", "Weapons"),
    _is("fire", "Fire or smoke"),
)
