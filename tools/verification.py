"""From an event, what was seen and the rules retrieved to a calibrated verdict."""

from __future__ import annotations

from tools.ports import Planner, Verifier
from tools.scoring import Thresholds, score_of
from tools.types import RuleKind, Verdict, content_id

__all__ = ["calibrated", "covered_raw", "embedded_planner", "embedded_verifier"]


def embedded_verifier() -> Verifier:
    """The verifier that needs no model: rule predicates and measured surprise."""
    from tools.backends.embedded.verifier import EmbeddedVerifier

    return EmbeddedVerifier()


def embedded_planner() -> Planner:
    """The planner that needs no model: grammar and policy."""
    from tools.backends.embedded.planner import EmbeddedPlanner

    return EmbeddedPlanner()


def covered_raw(verdict: Verdict) -> float:
    """The part of a raw strength that active rules account for; 0 where none accuses."""
    if verdict.raw is None or not any(m.kind is RuleKind.ANOMALOUS for m in verdict.matches):
        return 0.0
    return verdict.raw if verdict.covered is None else verdict.covered


def calibrated(verdict: Verdict, limits: Thresholds) -> Verdict:
    """The verdict on the scene's calibrated scale (see tools.scoring).

    Matches get their own strength on that scale. A raw strength past the alarm threshold that no
    active rule covers gives *uncertain* with the reason, the verifier's own where it gave one:
    measurement alone accuses nobody. A score
    the verifier set itself (a rule written by a person, a question's own definition) is kept where
    it is higher.
    """
    if verdict.raw is None:
        return verdict
    score = max(score_of(verdict.raw, limits), verdict.score or 0.0)
    matches = tuple(
        m if m.raw is None else m.model_copy(update={"strength": score_of(m.raw, limits)})
        for m in verdict.matches
    )
    accused = max(score_of(covered_raw(verdict), limits), verdict.score or 0.0)
    changes: dict[str, object] = {"score": score, "matches": matches}
    if score >= 0.5 and accused >= 0.5:
        changes["score"] = accused
    elif score >= 0.5:
        changes |= {
            "score": None,
            "reason": verdict.reason
            or f"measured {verdict.raw:.1f}× the normal limit, but no active rule accounts for it",
        }
    if changes["score"] is not None:
        changes["reason"] = ""
    changes["id"] = content_id(verdict.id, limits)
    return verdict.model_copy(update=changes)
