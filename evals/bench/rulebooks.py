"""Rule books made up for measuring: sentences of four parts, and the same said in other words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.archive import Archive, SceneRecord
from tools.ports import Embedder, SceneProfile
from tools.types import Rule, RuleCategory, RuleKind

__all__ = ["Planted", "fill", "open_archive", "parted", "sentences"]

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

NEEDLES = (
    ("Nobody may ride a bicycle on the walkway.", "Cycling on the footpath is forbidden."),
    ("Running is not allowed in this hall.", "People must not jog or sprint in here."),
    ("Dogs have to be kept on a leash.", "A dog off its lead is not permitted."),
    (
        "Cars must not drive into the pedestrian zone.",
        "No vehicles in the area for people on foot.",
    ),
    ("Children may not play without a grown-up.", "Kids need an adult with them when they play."),
    (
        "A bag that is left alone for minutes is suspicious.",
        "Unattended luggage is a reason for alarm.",
    ),
    ("Two people hitting each other is an alarm.", "A fist fight must be reported."),
    (
        "Someone lying on the ground needs help.",
        "A person who has fallen down and stays on the floor.",
    ),
    ("Smoke or flames are an emergency.", "Something is on fire."),
    ("Nobody may climb over the barrier.", "Jumping across the fence is prohibited."),
    (
        "Delivery lorries may stop only at the ramp.",
        "Trucks with goods are to halt nowhere but at the loading bay.",
    ),
    ("The emergency exit must stay free of boxes.", "Do not block the fire door with crates."),
    ("Workers on the site wear helmets.", "Hard hats are compulsory for construction staff."),
    ("Nobody may swim in the fountain.", "Bathing in the water basin is not permitted."),
    ("Skateboards are forbidden on the stairs.", "No skating down the steps."),
    ("Shopping trolleys must not leave the car park.", "Carts stay within the parking lot."),
    (
        "A crowd of more than twenty people is unusual.",
        "Many people gathering together is out of the ordinary.",
    ),
    (
        "Nobody should be in the office after closing time.",
        "Staff in the bureau late at night is abnormal.",
    ),
    (
        "The safe may be opened by two clerks only.",
        "Opening the vault takes two employees together.",
    ),
    (
        "Passengers stay behind the yellow line.",
        "Travellers must not step over the platform marking.",
    ),
    ("Nobody walks on the railway tracks.", "Pedestrians on the rails are in danger."),
    (
        "Forklifts drive slowly in the aisle.",
        "Lift trucks must keep a low speed between the shelves.",
    ),
    ("Throwing stones at the windows is vandalism.", "Somebody hurls rocks at the glass."),
    ("Spraying paint on the wall is forbidden.", "Graffiti on the facade is not allowed."),
    ("Wheelchair users go in by the side door.", "Disabled visitors take the lateral entrance."),
    ("Pigeons must not be fed on the square.", "Do not give food to the birds in the plaza."),
    ("The gate is closed at sunset.", "When it gets dark the doorway must be shut."),
    ("Nobody may sleep on the benches.", "Napping on the seats is not tolerated."),
    ("Drinking alcohol is forbidden at the playground.", "No beer or wine where children play."),
    ("Music must be turned off in the evening.", "Loud songs late in the day are not welcome."),
    ("Motorcycles park beside the wall.", "Motorbikes are left next to the brickwork."),
    (
        "The ambulance may drive on the pavement.",
        "Emergency medical vehicles are allowed on the sidewalk.",
    ),
    (
        "A ladder against the house is suspicious.",
        "Steps leaning on the building may mean burglars.",
    ),
    ("Nobody may photograph the machines.", "Taking pictures of the equipment is prohibited."),
    ("Guards make their round every hour.", "Security staff patrol hourly."),
    ("The rubbish is collected in the morning.", "Garbage is picked up early in the day."),
    ("Customers must not go behind the counter.", "Clients are not allowed past the till."),
    (
        "Someone who tries many car doors is a thief.",
        "A person pulling at the handles of several parked vehicles.",
    ),
    ("The lights are switched on when it is dark.", "Lamps burn at night."),
    ("Nobody may carry a knife.", "Weapons such as blades are forbidden."),
    (
        "Patients wait on the chairs in the corridor.",
        "Sick people sit in the hallway until it is their turn.",
    ),
    ("A boat must be tied to the pier.", "Vessels have to be moored at the jetty."),
    ("Cows stay inside the meadow.", "Cattle must not leave the pasture."),
    ("Aeroplanes have right of way on the apron.", "Aircraft go first on the tarmac."),
    (
        "Pupils leave the yard after the last bell.",
        "Students go home from the school grounds when lessons end.",
    ),
    ("Snow has to be cleared from the steps.", "The stairs must be freed of ice and snow."),
    ("Visitors wear a badge.", "Guests must show a name tag."),
    (
        "A van that stops with its engine running is unusual.",
        "An idling delivery vehicle is out of the ordinary.",
    ),
    ("Umbrellas are left at the cloakroom.", "Put your parasol in the wardrobe at the entrance."),
    ("Nobody may lean out of the window.", "Bending over the sill is dangerous."),
)
"""Rules on subjects of their own, each in other words. How to search was chosen knowing these."""
HELD_OUT = (
    ("Smoking is prohibited at the petrol pumps.", "Don't light a cigarette where drivers refuel."),
    ("Nobody may fish from the bridge.", "Angling off the river crossing is banned."),
    (
        "Surgeons wash their hands before an operation.",
        "Doctors scrub up prior to going into theatre.",
    ),
    (
        "Hens are shut in the coop at night.",
        "Once it gets dark, the chickens go into their little house.",
    ),
    (
        "The crane must not lift a load above people.",
        "Never hoist anything heavy over someone's head.",
    ),
    (
        "A person who hides goods under a coat is a shoplifter.",
        "Stuffing merchandise inside your jacket counts as stealing from the store.",
    ),
    ("Water on the floor must be wiped up at once.", "Puddles indoors need mopping immediately."),
    ("Nobody may light a barbecue on the lawn.", "Grilling on the grass is against the rules."),
    (
        "Drones must not fly over the stadium.",
        "Unmanned aircraft are to be kept away from the sports arena.",
    ),
    (
        "A fallen tree on the road must be reported.",
        "Let us know if a trunk is blocking the street.",
    ),
    (
        "The lift carries eight persons at most.",
        "No more than 8 people should ride in the elevator together.",
    ),
    ("Taxis wait in a row at the rank.", "Cabs line up at their stand."),
    ("Street musicians need a permit.", "Without a licence, buskers cannot perform here."),
    ("Nobody may pick flowers from the beds.", "Plucking blossoms out of the borders isn't okay."),
    (
        "Horses are led through the stable, not ridden.",
        "Get off your mount and guide it by hand inside the barn.",
    ),
    (
        "A newborn leaves the maternity ward only with its parents.",
        "No infant goes out of the birth unit unless mum and dad are there.",
    ),
    (
        "Nobody may park in front of the hydrant.",
        "Leaving a vehicle at the firefighters' water point is prohibited.",
    ),
    (
        "Nobody may reach into the running press.",
        "Keep your hands out of the stamping machine while it is on.",
    ),
    (
        "Pallets are stacked three high at most.",
        "Never pile more than 3 wooden skids on top of each other.",
    ),
    (
        "Nobody may look over another's shoulder at the cash machine.",
        "Spying on someone who is withdrawing money is not acceptable.",
    ),
    (
        "Nobody goes through the turnstile without a ticket.",
        "Fare dodgers must not get past the entry gate.",
    ),
    (
        "The drawbridge stays up while a ship passes.",
        "The movable span remains raised until the vessel has gone by.",
    ),
    (
        "Bathers take a shower before they enter the pool.",
        "Rinse yourself off prior to getting in for a swim.",
    ),
    (
        "The lifeguard must stay on the tower.",
        "Whoever watches over the swimmers cannot leave the lookout post.",
    ),
    ("Nobody may touch the paintings.", "Keep your fingers off the artworks."),
    ("Eating is not permitted in the library.", "No food among the bookshelves, please."),
    (
        "Pedestrians cross only when the light is green.",
        "At red, people on foot must not step into the road.",
    ),
    (
        "Wild boars must be driven out of the vineyard.",
        "Chase off any feral pigs found among the grapes.",
    ),
    ("Tractors carry no passengers.", "Nobody but the driver rides on a farm vehicle."),
    (
        "Gas bottles are kept in the locked cage.",
        "Propane cylinders belong behind bars, with a padlock on.",
    ),
    (
        "Every chemical drum must have a label.",
        "A barrel of hazardous liquid needs a sticker naming its contents.",
    ),
    ("Kitchen staff cover their hair.", "Cooks must have a cap or net on their heads."),
    ("The medicine cupboard is always locked.", "Never let the drug cabinet stand open."),
    (
        "A parcel is handed over only against a signature.",
        "Recipients confirm in writing before we give them their package.",
    ),
    (
        "A hand in a stranger's pocket is theft.",
        "Taking a wallet out of another person's trousers counts as stealing.",
    ),
    (
        "Cutting a hole in the fence means a break-in.",
        "If someone snips the wire mesh, an intruder is at work.",
    ),
    (
        "Nobody enters the bank with a mask on.",
        "People hiding their face must be kept out of the teller hall.",
    ),
    (
        "Only players go on the pitch during the match.",
        "Spectators must keep off the field until the game is over.",
    ),
    (
        "Cars must not overtake in the tunnel.",
        "Passing other vehicles in the underpass is forbidden.",
    ),
    (
        "A driver going the wrong way on the motorway is an emergency.",
        "Raise the alarm when a car heads against the traffic on the highway.",
    ),
    ("Mobile phones stay switched off in class.", "During lessons, no one may make calls or text."),
    (
        "Prams are not taken on the escalator.",
        "Parents pushing a buggy should not use the moving stairs.",
    ),
    ("Life jackets are worn on deck.", "Everyone aboard the ship must have a buoyancy vest on."),
    ("Open trenches must be fenced off.", "Put a railing around every ditch you dig."),
    ("Tents must not be pitched in the park.", "Camping on the village green is off limits."),
    (
        "Begging in front of the shop is not allowed.",
        "Asking passers-by for spare change outside the store is prohibited.",
    ),
    (
        "Nobody goes near the beehives without a veil.",
        "Approach the apiary only with your face protected by netting.",
    ),
    (
        "A long queue means that another till must open.",
        "When too many shoppers are waiting, start up an extra checkout.",
    ),
    ("Nobody may walk on the frozen lake.", "Stepping onto the ice of the pond is forbidden."),
    (
        "The flag is taken down in a strong wind.",
        "When a gale blows, somebody has to lower the banner.",
    ),
)
"""The same, written down by somebody who did not know how rules are searched, after that had been
chosen."""


@dataclass(frozen=True)
class Planted:
    """A rule and two ways of asking for it."""

    scene: str
    rule_id: str
    kind: str
    """``combined``: many of its scene share a part with it; ``alone``, ``held out``: its subject is
    its own, of ``NEEDLES`` or of ``HELD_OUT``."""
    reworded: str
    """One part in other words; empty for those on subjects of their own."""
    paraphrase: str
    """The same in other words throughout."""
    terms: str
    """Its own words, in another order."""


def sentences(rng: np.random.Generator, count: int) -> Iterator[tuple[str, str, str, str]]:
    """``count`` different rules: as written, one part and all in other words, turned about."""
    every = len(ACTIONS) * len(PLACES) * len(TIMES)
    if count > every:
        raise ValueError(f"at most {every} different sentences, not {count}")
    for number in rng.choice(every, count, replace=False):
        rest, a = divmod(int(number), len(ACTIONS))
        t, p = divmod(rest, len(PLACES))
        text = f"Nobody may {ACTIONS[a][0]} {PLACES[p][0]} {TIMES[t][0]}".strip() + "."
        part = int(number) % 2  # the place, or what is done
        does = f"Someone {ACTIONS[a][1]}" if part else f"Nobody may {ACTIONS[a][0]}"
        one = f"{does} {PLACES[p][1 - part]} {TIMES[t][0]}".strip() + "."
        other = f"Someone {ACTIONS[a][1]} {PLACES[p][1]} {TIMES[t][1]}".strip() + "."
        terms = f"{TIMES[t][0]} {PLACES[p][0]} {ACTIONS[a][0]}".strip()
        yield text, one, other, terms


def parted(embedder: Embedder, rules: int, *, top: int, draws: int = 2000, seed: int = 0) -> float:
    """What an embedder would find of :func:`sentences`, all in other words, were it told the parts.

    Each part of a query is compared with the same part of every rule, as a text of its own; the
    largest sum is the best. Gives the share of queries whose rule is among the ``top`` of about
    ``rules`` at random: a yardstick of what its vectors know of these words, not a bound.
    """
    rng = np.random.default_rng(seed)
    likeness = []
    for parts in (ACTIONS, PLACES, TIMES):
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


def needles(
    rng: np.random.Generator, pairs: Sequence[tuple[str, str]], count: int
) -> Iterator[tuple[str, str, str, str]]:
    """``count`` of these rules on subjects of their own: as :func:`sentences`."""
    for number in rng.choice(len(pairs), count, replace=False):
        text, other = pairs[int(number)]
        yield text, "", other, " ".join(rng.permutation(text.removesuffix(".").split()))


def open_archive(home: Path, embedder: Embedder, *, busy_timeout_s: float = 60.0) -> Archive:
    return Archive(home, embedder, busy_timeout_s=busy_timeout_s)


def fill(
    archive: Archive, *, scenes: int, rules: int, planted: int, seed: int = 0
) -> tuple[Planted, ...]:
    """Put ``scenes`` scenes of ``rules`` rules each on record.

    Gives rules to ask for, per scene: ``planted`` of each kind.
    """
    rng = np.random.default_rng(seed)
    found: list[Planted] = []
    for number in range(scenes):
        scene = f"scene{number:03d}"
        book: list[Rule] = []
        drawn = [("alone", *n) for n in needles(rng, NEEDLES, planted)]
        drawn += [("held out", *n) for n in needles(rng, HELD_OUT, planted)]
        drawn += [("combined", *n) for n in sentences(rng, rules - 2 * planted)]
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
            if place < 3 * planted:
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
