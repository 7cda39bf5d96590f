"""Who breaks a rule: for each rule of a thing found, the sighting or caption that bears it out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphs.episodes import same
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
    """The rules that were broken, the strongest, each with whoever broke it; first whoever is told.

    Whoever is told breaks a rule themselves wherever they can; what only another sighting broke is
    that one's. Sightings that were elsewhere at the time, joined by way of others, are left out.

    Args:
        episode: the thing found.
        told: its sighting that is told; None where only captions tell of it.
        beside: other events that are told with it.
        at_most: so many rules.
    """
    broken: dict[str, list[tuple[float, Witness]]] = {}
    rules: dict[str, Rule] = {}
    for event_id in (episode.event_id, *beside) if told is None else ledger.verdicts:
        verdict = ledger.verdicts.get(event_id)
        for match in filter(accuses, verdict.matches if verdict else ()):
            rule = ledger.evidence(match.rule)
            witness = _witness(match, told, episode.observations, ledger)
            if witness is None or not isinstance(rule, Rule):
                continue
            if bears_out(match, rule, witness, event_id, ledger):
                rules[rule.ref] = rule
                broken.setdefault(rule.ref, []).append((match.strength, witness))
    strength = {ref: max(s for s, _ in found) for ref, found in broken.items()}
    own = {ref for ref, found in broken.items() if any(w is told for _, w in found)}
    chosen = sorted(broken, key=lambda ref: -strength[ref])[:at_most]
    if own and not own.intersection(chosen):
        chosen = [max(own, key=lambda ref: strength[ref]), *chosen[: at_most - 1]]
    groups: dict[str, tuple[Witness, list[Rule]]] = {}
    for ref in sorted(chosen, key=lambda ref: ref not in own):
        # Whoever is told, else the strongest.
        _, witness = max(broken[ref], key=lambda found: (found[1] is told, found[0]))
        groups.setdefault(witness.id, (witness, []))[1].append(rules[ref])
    return list(groups.values())


def _witness(
    match: Match, told: Observation | None, sightings: Sequence[str], ledger: Ledger
) -> Witness | None:
    """Whoever a match speaks of, if they are of the thing found."""
    if told is None:
        found = ledger.evidence(f"caption:{match.observation}")
        return found if isinstance(found, Caption) else ledger.observation(match.observation)
    if match.observation == told.id:
        return told
    other = ledger.observation(match.observation) if match.observation in sightings else None
    if other is None or (other.interval.intersection(told.interval) and not same(told, other)):
        return None
    return other
