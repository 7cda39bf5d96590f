"""What the conformance suites ask that even a language model of random weights can give.

A module that stars this in, and defines the fixtures ``captioner``, ``verifier`` and ``planner``,
runs those tests on its own backends. Left out is what takes understanding: a plan that fits the
question, a caption that says that nothing is known of the scene.
"""
# ruff: noqa: F401

from tests.conformance.test_captioner import (
    bike,
    part,
    profile,
    seen,
    test_a_profile_names_its_scene_clips_and_captioner,
    test_an_answer_has_frames_of_the_interval_or_no_value,
    test_every_clause_rests_on_observations_of_the_description,
    test_everything_lies_in_the_interval_asked_for,
    test_learning_again_gives_the_same_version,
    test_looking_twice_tells_the_same,
    test_numbers_have_the_units_the_captioner_declares,
    test_the_series_runs_forward_frame_by_frame,
    walkway,
)
from tests.conformance.test_planner import (
    test_a_blank_question_is_the_users_error,
    test_the_same_question_gets_the_same_plan,
)
from tests.conformance.test_verifier import (
    test_a_verdict_names_its_event_and_its_verifier,
    test_every_claim_cites_what_was_given,
    test_questions_do_not_name_the_rule_they_serve,
    test_the_same_evidence_gets_the_same_verdict,
    test_what_cannot_be_judged_gets_a_reason_and_no_score,
)

__all__ = [name for name in dir() if name.startswith("test_")]
__all__ += ["bike", "part", "profile", "seen", "walkway"]
