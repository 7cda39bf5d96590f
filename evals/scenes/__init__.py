"""Synthetic surveillance scenes with known ground truth, drawn with our own code."""

from evals.scenes.cast import KINDS
from evals.scenes.changes import Change, ChangeScene, render_changes
from evals.scenes.render import SHARE, render, render_set
from evals.scenes.sample import render_sample
from evals.scenes.truth import SceneTruth, Track

__all__ = [
    "KINDS",
    "SHARE",
    "Change",
    "ChangeScene",
    "SceneTruth",
    "Track",
    "render",
    "render_changes",
    "render_sample",
    "render_set",
]
