"""Who breaks a rule: for each rule of a thing found, the sighting or caption that bears it out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphs.standing import accuses
from tools.citations import bears_out
from tools.decision import EventScore
from tools.ledger import Ledger
from tools.types import Caption, Match, Observation, Rule

__all__ = ["broken_by"]

Witness = Observation | Caption


def broken_by(
    episode: EventScore,
    told: Observation | None,
    beside: Iterable[str],
    ledger: Ledger,
    *,
    at_most: int,
) -> list[tuple[Witness, list[Rule]]]:
    """The rules that were broken, strongest first, each with whoever broke it.

    Whoever is told breaks a rule themselves wherever they can; what only another sighting broke is
    that one's. Nobody is charged with what another did.

    Args:
        episode: the thing found.
        told: its sighting that is told; None where only a caption tells of it.
        beside: other events that are told with it.
        at_most: so many rules.
    """
    broken: dict[str, list[tuple[Match, Witness]]] = {}
    events = ledger.verdicts if told is not None else (episode.event_id, *beside)
    for event_id in events:
        verdict = ledger.verdicts.get(event_id)
        for match in filter(accuses, verdict.matches if verdict else ()):
            witness = _witness(match, told, episode.observations, ledger)
            rule = ledger.evidence(match.rule)
            if witness is None or not isinstance(rule, Rule):
                continue
            if bears_out(match, rule, witness, event_id, ledger):
                broken.setdefault(match.rule, []).append((match, witness))
    own = {ref for ref, found in broken.items() if any(w is told for _, w in found)}
    strength = {ref: max(m.strength for m, _ in found) for ref, found in broken.items()}
    chosen = sorted(broken, key=lambda ref: -strength[ref])[:at_most]
    first = max(own, key=lambda ref: strength[ref], default=None)
    if first is not None and not own.intersection(chosen):
        chosen = [first, *chosen[: at_most - 1]]
    return _grouped(sorted(chosen, key=lambda ref: ref not in own), broken, told, ledger)


def _witness(
    match: Match, told: Observation | None, sightings: Sequence[str], ledger: Ledger
) -> Witness | None:
    """Whoever a match speaks of, if they are of the thing found."""
    if told is not None and match.observation == told.id:
        return told
    if told is not None:
        return ledger.observation(match.observation) if match.observation in sightings else None
    found = ledger.evidence(f"caption:{match.observation}")
    return found if isinstance(found, Caption) else ledger.observation(match.observation)


def _grouped(
    chosen: Sequence[str],
    broken: dict[str, list[tuple[Match, Witness]]],
    told: Observation | None,
    ledger: Ledger,
) -> list[tuple[Witness, list[Rule]]]:
    groups: dict[str, tuple[Witness, list[Rule]]] = {}
    for ref in chosen:
        rule = ledger.evidence(ref)
        mine = [w for _, w in broken[ref] if w is told]
        _, strongest = max(broken[ref], key=lambda found: found[0].strength)
        witness = mine[0] if mine else strongest
        if isinstance(rule, Rule):
            groups.setdefault(witness.id, (witness, []))[1].append(rule)
    return list(groups.values())
