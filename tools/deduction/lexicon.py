"""What English words name, as far as rules about a scene need it: concepts and their kinds.

Written from general knowledge of English, not from any data set. ``PARENTS`` says what a concept is
a kind of; a rule about the parent covers the child, and siblings are alike. What a list of words
cannot hold, every animal or every way of walking, is added by WordNet where it is installed
(:mod:`tools.deduction.meanings`): ``SENSES`` says which of its meanings are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

__all__ = [
    "ACTIONS",
    "COMPOUNDS",
    "LIFELESS",
    "LIGHT",
    "MOUNTS",
    "MOVEMENTS",
    "PARENTS",
    "RIDDEN",
    "SENSES",
    "STATIC",
    "WHEELED",
    "ancestors",
    "concept_of",
]

_WORDS: Mapping[str, str] = MappingProxyType({
    # what somebody does
    "walk": "walk stroll wander pace march stride hike saunter trek step walker",
    "run": "run jog sprint dash race gallop runner jogger sprinter running",
    "ride": "ride cycle bike pedal skate rollerskate rollerblade longboard scoot rider cyclist "
    "bicyclist biker skater skateboarder rollerblader motorcyclist scooterist",
    "drive": "drive driver steer motorist",
    "jump": "jump leap hop skip bounce vault jumper",
    "fall": "fall trip stumble collapse tumble slip topple faint",
    "lie": "lie sprawl recline",
    "bend": "bend crouch squat kneel stoop hunch duck lean",
    "crawl": "crawl creep",
    "climb": "climb scale clamber mount",
    "fight": "fight brawl punch kick hit beat strike slap attack assault wrestle grapple shove "
    "altercation violence violent aggressive aggression scuffle",
    "push": "push pull drag tug shove",
    "throw": "throw toss hurl fling pitch lob",
    "drop": "drop",
    "dance": "dance twirl spin dancer",
    "wave": "wave gesture signal gesticulate beckon",
    "loiter": "loiter linger lurk prowl dawdle",
    "steal": "steal rob snatch grab theft thief robbery burglary shoplift",
    "damage": "damage break smash vandalise vandalize vandalism destroy tamper graffiti wreck "
    "demolish deface",
    "abandon": "abandon unattended discard",
    "hurry": "hurry rush fast quick quickly rapid rapidly swift swiftly hasty hastily speed "
    "speeding abrupt abruptly sudden suddenly briskly",
    "chase": "chase pursue flee escape",
    "swim": "swim dive wade",
    "stand": "stand",
    "sit": "sit seat",
    "wait": "wait queue",
    "talk": "talk chat converse conversation discuss speak",
    "look": "look watch observe gaze stare view glance",
    "carry": "carry hold",
    # what is there
    "vehicle": "vehicle transport transportation automobile",
    "car": "car sedan taxi cab suv jeep",
    "van": "van minivan minibus",
    "truck": "truck lorry pickup trailer tractor bulldozer excavator forklift",
    "bus": "bus coach tram",
    "motorcycle": "motorcycle motorbike moped motorscooter",
    "emergency vehicle": "ambulance",
    "golf cart": "golf_cart buggy",
    "bicycle": "bicycle bike tricycle unicycle",
    "board": "skateboard scooter longboard rollerblade rollerskate hoverboard segway skate "
    "rollerskates roller_skate roller_skates",
    "handcart": "cart pushcart trolley stroller pram wheelchair wheelbarrow dolly shopping_cart "
    "carriage",
    "bag": "bag backpack handbag rucksack purse satchel tote",
    "luggage": "luggage suitcase package parcel briefcase baggage box crate",
    "animal": "animal dog cat horse cow sheep puppy",
    "weapon": "weapon gun knife rifle pistol sword bat machete",
    "fire": "fire flame smoke burn explosion explode blaze",
    "ball": "ball frisbee kite football basketball balloon",
    "umbrella": "umbrella parasol",
})  # fmt: skip

RIDDEN: Mapping[str, str] = MappingProxyType({
    "cycle": "bicycle", "bike": "bicycle", "pedal": "bicycle", "cyclist": "bicycle",
    "bicyclist": "bicycle", "biker": "bicycle", "skate": "board", "rollerskate": "board",
    "rollerblade": "board", "longboard": "board", "scoot": "board", "skater": "board",
    "skateboarder": "board", "rollerblader": "board", "scooterist": "board",
    "motorcyclist": "motorcycle",
})  # fmt: skip
"""What is ridden, of words for riding, or for the rider of, one kind of thing."""
MOUNTS = frozenset("cycle bike pedal skate rollerskate rollerblade longboard".split())
"""Those that are the thing itself unless somebody does them: "a bike" is no riding."""

PARENTS: Mapping[str, str] = MappingProxyType({
    "car": "vehicle", "van": "vehicle", "truck": "vehicle", "bus": "vehicle",
    "motorcycle": "vehicle", "emergency vehicle": "vehicle", "golf cart": "vehicle",
    "bicycle": "light vehicle", "board": "light vehicle",
    "run": "fast movement", "hurry": "fast movement", "chase": "fast movement",
})  # fmt: skip

SENSES: Mapping[str, str] = MappingProxyType({
    "walk": "walk.v.1", "run": "run.v.1", "ride": "ride.v.1 ride.v.2 skate.v.1",
    "drive": "drive.v.1 drive.v.2", "jump": "jump.v.1", "lie": "lie.v.2",
    "bend": "crouch.v.1 crouch.v.2 kneel.v.1", "crawl": "crawl.v.1", "climb": "climb.v.1",
    "fight": "fight.v.1 fight.n.2 hit.v.3 beat.v.2 attack.v.1", "throw": "throw.v.1",
    "dance": "dance.v.1 dance.v.2", "wave": "gesticulate.v.1", "loiter": "loiter.v.1 lurk.v.1",
    "steal": "steal.v.1 rob.v.1 larceny.n.1", "damage": "damage.v.1 destroy.v.1 destroy.v.2",
    "hurry": "hurry.v.1", "chase": "chase.v.1 pursue.v.2 flee.v.1", "swim": "swim.v.1",
    "vehicle": "vehicle.n.1", "car": "car.n.1", "truck": "truck.n.1", "bus": "bus.n.1",
    "motorcycle": "motorcycle.n.1", "bicycle": "bicycle.n.1", "animal": "animal.n.1",
    "weapon": "weapon.n.1", "fire": "fire.n.1 fire.n.3 explosion.n.1",
})  # fmt: skip
"""Concepts by meanings of WordNet 3.0: word, kind of word, number of the sense. Things that hold
other things are left out: a trunk is more often a tree's than luggage."""

ACTIONS = frozenset(
    "walk run ride drive jump fall lie bend crawl climb fight push throw drop dance wave loiter "
    "steal damage abandon hurry chase swim stand sit wait talk look carry".split()
)
"""Concepts that say what somebody does."""

MOVEMENTS = frozenset({"walk", "run", "ride", "drive", "jump", "crawl", "climb", "dance", "swim"})
"""Ways of getting about: "non-walking movement" is any of these but walking."""

WHEELED = frozenset({"vehicle", "light vehicle"})
"""What one rides on or drives; being on it is riding it."""

STATIC = frozenset(
    "park parked stationary unoccupied empty stop stopped idle lock locked rack".split()
)
"""What says of a thing that it does not move."""

LIFELESS = frozenset(
    "leaf leaves rain snow hail water night evening darkness dusk dawn sun sunlight light shade "
    "shadow temperature curtain clock tap fountain river stream wind fog cloud paint".split()
)
"""What falls, runs, dances or climbs without anybody doing so."""

LIGHT = frozenset(
    "a an and are as at be been being by for from has have in into is it its of off on onto or "
    "other that the their them there these they this those to toward towards up down very which "
    "while who with he she his her him one two three four five six seven eight nine ten any some "
    "all each first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth last another person people man woman child individual "
    "someone somebody pedestrian group image picture scene frame photo appear seem visible see "
    "include start left right also such etc do make use engage perform get go come take move "
    "movement motion activity behavior behaviour manner usual unusual unexpected unexpectedly "
    "typical typically normal abnormal anomalous unfamiliar uncommon unidentified unrecognized "
    "strange odd object item thing area place presence present public several few many much then "
    "than but not no so too more most both same different possibly perhaps maybe might may could "
    "can likely seemingly apparently probably would should will was were if when where what "
    "beyond around about near next between over across through under behind front side".split()
)
"""Words that carry no matter of their own in captions and rules."""

COMPOUNDS = frozenset(
    "fire_hydrant fire_truck fire_engine fire_exit fire_escape fire_extinguisher manhole_cover "
    "trash_bin trash_can garbage_bin traffic_light pedestrian_crossing zebra_crossing "
    "golf_cart shopping_cart roller_skate bus_stop bus_station parking_lot car_park running_track "
    "bicycle_stand bicycle_rack bike_rack bike_lane bicycle_lane side_mirror police_car "
    "ice_cream mobile_phone mobile_device lamp_post street_lamp running_shoe running_water "
    "walking_stick walking_frame swimming_pool skating_rink riding_boot climbing_frame "
    "driving_school dancing_school fighting_dog".split()
)
"""Pairs of words that name one thing, which is none of the two: a fire hydrant is no fire."""


@lru_cache(maxsize=1)
def _index() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for concept, words in _WORDS.items():
        for word in words.split():
            found.setdefault(word, concept)
    return found


def concept_of(lemma: str) -> str | None:
    """The concept a lemma names; None for the many words that rules are not about."""
    return _index().get(lemma)


@lru_cache(maxsize=256)
def ancestors(concept: str) -> tuple[str, ...]:
    """What a concept is a kind of, nearest first."""
    found: list[str] = []
    parent = PARENTS.get(concept)
    while parent is not None:
        found.append(parent)
        parent = PARENTS.get(parent)
    return tuple(found)
