"""General priors: rules that stand in where the user accepts to be answered without a scene.

They are stated bounds over attributes relative to usual human walking, not learned from any
footage, and every answer that rests on them says so.
"""

from __future__ import annotations

from tools.types import (
    Condition,
    Predicate,
    Rule,
    RuleCategory,
    RuleHit,
    RuleKind,
    content_id,
)

__all__ = ["AUTHOR", "PRIORS", "prior_hits", "scene_priors"]

AUTHOR = "general prior"
WALK = "× usual walking speed"


def _rule(
    name: str, category: RuleCategory, text: str, *conditions: tuple[str, float, str]
) -> Rule:
    tests = tuple(Condition(attribute=a, op=">", value=v, unit=u) for a, v, u in conditions)
    return Rule(
        id=f"prior-{name}",
        scene="",
        version=1,
        kind=RuleKind.ANOMALOUS,
        category=category,
        text=text,
        predicate=Predicate(all=tests),
        author=AUTHOR,
    )


PRIORS: tuple[Rule, ...] = (
    _rule(
        "glide",
        RuleCategory.MOTION,
        "Something moves fast as one rigid piece, by more than 1.5× usual human walking speed.",
        ("glide", 1.5, WALK),
    ),
    _rule(
        "speed",
        RuleCategory.MOTION,
        "Something moves at more than 2.2× usual human walking speed.",
        ("speed", 2.2, WALK),
    ),
    _rule(
        "size",
        RuleCategory.OBJECT,
        "Something is more than 2× as tall as a person there.",
        ("size", 2.0, "× usual height here"),
    ),
)


def scene_priors(scene: str) -> tuple[Rule, ...]:
    """The general priors as rules of a scene whose footage was too short to give rules."""
    return tuple(
        rule.model_copy(
            update={"scene": scene, "id": f"{rule.id}-{content_id('prior', scene, rule.id)[:6]}"}
        )
        for rule in PRIORS
    )


def prior_hits() -> tuple[RuleHit, ...]:
    """All general priors, as retrieval would give them."""
    reason = "general priors were accepted instead of a scene's rules"
    return tuple(RuleHit(rule=rule, score=1.0, reason=reason) for rule in PRIORS)
