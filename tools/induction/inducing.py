"""Induction: from a few normal clips to a profile, voted rules and a calibration.

1. *watch*: the captioner learns the scene from all clips and describes them.
2. *vote*: batches of the clips (random parts of them, or of the time of a single one) are observed
   each on its own and vote on candidate rules (:mod:`tools.induction.proposals`), after
   AnomalyRuler (ECCV 2024). *draft*: a language model, where one is set, proposes rules from each
   batch's captions, which pass the same count of votes (:mod:`tools.induction.drafts`).
3. *merge*: rules that say the same become one, rules that contradict each other are dropped.
4. *test*: each fold of the clips is judged with a profile and with rules made from the others. A
   rule that fires on held-out normal events is relaxed, or retired where that does not help; the
   strengths that remain calibrate the scene (cross-conformal prediction, Vovk 2015), and how often
   the book fires on them is its expected rate of false alarms.

A captioner that gives words and measures nothing is served by :mod:`tools.deduction.induction`: its
captions vote, are tried on held-out captions there, and are kept with the scene, so that what is
said later can be compared with them.

:class:`Induction` does the steps; ``graphs/induce.py`` is the state machine over them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.archive import SceneRecord, check_scene_name
from tools.deduction import CaptionBook, NormalClip, induce_from_captions, words_only
from tools.errors import BackendError, BudgetSpent, UserError
from tools.induction.drafts import draft_proposals, settled
from tools.induction.heldout import (
    LEAST_SEEN_S,
    FalseAlarms,
    Held,
    calibrate,
    false_alarms,
    tested,
)
from tools.induction.normal import (
    Seen,
    Unit,
    batches_of,
    clip_provenance,
    described,
    distinct,
    folds_of,
    interval_of,
    merged,
    open_clips,
    units_of,
    witnesses,
)
from tools.induction.proposals import Proposal, propose
from tools.ports import (
    BoundaryDetector,
    Captioner,
    Clip,
    Drafter,
    FrameSource,
    Progress,
    SceneProfile,
    Verifier,
)
from tools.rulebook.normalcaptions import normal_id
from tools.rulebook.priors import scene_priors
from tools.scoring import Calibration
from tools.types import NormalCaption, Provenance, Rule, RuleStatus

if TYPE_CHECKING:
    from tools.toolbox import Toolbox

__all__ = ["Induced", "Induction", "SceneInduction", "induce", "induce_and_save"]


@dataclass(frozen=True)
class Induced:
    """The outcome of an induction, ready to be saved."""

    profile: SceneProfile
    rules: tuple[Rule, ...]
    """Active rules, and retired ones that the held-out test refuted."""
    calibration: Calibration
    notes: tuple[str, ...]
    """What a person should know: rules relaxed or refuted, footage left out, what is missing."""
    clips: tuple[Provenance, ...]
    batches: int
    false_alarms: FalseAlarms = field(default_factory=FalseAlarms)
    captions: tuple[NormalCaption, ...] = ()
    """What was said of the footage, where the captioner gives words only: deduction compares with
    it. Their version is set when they are saved."""


@dataclass(eq=False)
class Induction:
    """An induction under way. Its steps are done in order: watch, vote, draft, merge, test.

    Args:
        scene: name of the scene.
        clips: normal footage, all from one viewpoint.
        drafter: a language model that proposes rules; None for none.
        batches: how many batches vote; by default up to five.
        seed: for the random make-up of the batches.
        min_event_s: shortest event, in seconds.
    """

    scene: str
    clips: Sequence[FrameSource | Clip]
    captioner: Captioner
    detector: BoundaryDetector
    verifier: Verifier
    drafter: Drafter | None = None
    batches: int | None = None
    seed: int = 0
    min_event_s: float = 2.0
    progress: Progress | None = None

    notes: tuple[str, ...] = ()
    final: tuple[Proposal, ...] = ()
    drafted: tuple[Proposal, ...] = ()
    false_alarms: FalseAlarms = field(default_factory=FalseAlarms)
    calibration: Calibration = field(default_factory=Calibration)
    _whole: list[Clip] = field(default_factory=list)
    _units: tuple[Unit, ...] = ()
    _seen: tuple[Seen, ...] = ()
    _groups: tuple[tuple[int, ...], ...] = ()
    _profile: SceneProfile | None = None
    _book: CaptionBook | None = None

    def watch(self) -> None:
        """Learn the scene from all clips and describe them.

        Raises UserError for no clips or clips of several viewpoints, MediaError.
        """
        self._whole, twice = distinct(self.clips)
        if not self._whole:
            raise UserError(
                f"no normal clips for scene “{self.scene}”", remedy="name at least one video"
            )
        self._profile = self.captioner.learn(self.scene, self._whole, progress=self.progress)
        self._units = units_of(self._whole, self.detector, self.min_event_s, self._tell)
        everything = range(len(self._units))
        self._seen = described(
            self._units, everything, self.captioner, self.profile, self._tell, "watching the clips"
        )
        rng = np.random.default_rng(self.seed)
        self._groups = batches_of(len(self._units), self.batches, rng)
        self.notes = twice + _problems(self._units, self._seen)

    def vote(self) -> None:
        """What the batches agree on of what was measured; of captions alone, of what they say."""
        if self._seen_well and all(words_only(s.description) for s in self._seen_well):
            self._book = induce_from_captions(self.scene, self._told(), seed=self.seed)
            self.final = tuple(Proposal(rule) for rule in self._book.rules)
            self.notes += self._book.notes
            return
        self.final = self._proposals(frozenset(range(len(self._units))))

    def draft(self) -> None:
        """What the batches agree on of what a language model proposes from their captions.

        A model that does not answer is told in the notes; the measured rules stand without it.
        """
        if self.drafter is None:
            return
        shown = [
            [
                (s.description.caption, _shown_at(self._units[s.unit], s))
                for s in self._seen
                if s.unit in group and not s.description.problems
            ]
            for group in self._groups
        ]
        try:
            self.drafted, said = draft_proposals(
                self.scene, shown, self.drafter, self.captioner.attributes, self._tell
            )
        except (BackendError, BudgetSpent) as error:
            said = (f"{self.drafter.name} proposed no rules: {error.message}",)
        self.notes += said

    def merge(self) -> None:
        """Make one rule of those that say the same, drop those that contradict each other."""
        self.final, said = settled(self.final, self.drafted)
        self.notes += said

    def test(self) -> None:
        """Try the rules on held-out normal footage: relax, retire, calibrate.

        Raises UserError where nothing is left to judge by.
        """
        held = self._hold_out() if self._book is None else self._all_seen()
        if self._book is not None:
            self.false_alarms = self._alarms_of_words()
        elif not self._brief:
            self.false_alarms = false_alarms(self.final, held)
        self.final, factors, said = tested(self.final, held)
        active = {p.rule.id for p in self.final if p.rule.status is RuleStatus.ACTIVE}
        judged = held if self._book is None else self._held_words()
        self.calibration = calibrate(judged, active, factors, self.verifier)
        if not active:
            why, remedy = self._why_nothing()
            raise UserError(
                f"nothing could be learned of scene “{self.scene}”: {why}", remedy=remedy
            )
        self.notes += said + self._missing()
        if self._book is None and not self.calibration.scores:
            self.notes += ("no held-out normal event could be judged: scores are not calibrated",)

    def outcome(self) -> Induced:
        return Induced(
            profile=self.profile,
            rules=tuple(p.rule for p in self.final),
            calibration=self.calibration,
            notes=self.notes,
            clips=tuple(clip_provenance(clip) for clip in self._whole),
            batches=len(self._groups) if self._book is None else self._book.batches,
            false_alarms=self.false_alarms,
            captions=self._normal_captions() if self._book is not None else (),
        )

    @property
    def profile(self) -> SceneProfile:
        if self._profile is None:
            raise ValueError("nothing was watched yet")
        return self._profile

    # ------------------------------------------------------------ pieces

    def _why_nothing(self) -> tuple[str, str]:
        """Why no rule was found, and what would help."""
        problems = Counter(p for s in self._seen for p in s.description.problems)
        if problems and not self._seen_well:
            ((problem, _),) = problems.most_common(1)
            return (
                f"no clip can be judged: {problem}",
                "give clips of the working camera in which somebody or something moves",
            )
        return (
            "no rule found support in the clips",
            "give longer normal clips, or more of them, in which more happens",
        )

    @property
    def _longest_s(self) -> float:
        return max((interval_of(clip).seconds for clip in self._whole), default=0.0)

    def _tell(self, what: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(what, done, total)

    def _proposals(self, members: frozenset[int]) -> tuple[Proposal, ...]:
        """What the batches say when only these units are known."""
        if self._brief:
            return tuple(Proposal(rule) for rule in scene_priors(self.scene))
        known = [[u for u in group if u in members] for group in self._groups]
        votes = [witnesses(self._units, self._seen, group) for group in known if group]
        return propose(self.scene, votes, self.captioner.attributes, longest_s=self._longest_s)

    @property
    def _brief(self) -> bool:
        """Whether the clips, such as pairs of frames, are too short to follow anybody in them."""
        seen = self._seen_well
        return bool(seen) and all(s.event.interval.seconds < LEAST_SEEN_S for s in seen)

    @property
    def _seen_well(self) -> tuple[Seen, ...]:
        return tuple(s for s in self._seen if not s.description.problems)

    def _told(self) -> list[NormalClip]:
        """The captions of each part of the footage, with the frame each begins at."""
        told = []
        for number, unit in enumerate(self._units):
            info = unit.clip.source.info
            captions = tuple(
                (_first_frame(s, info.fps), s.description.caption.text)
                for s in self._seen_well
                if s.unit == number
            )
            told.append(NormalClip(info.id, info.name, captions))
        return told

    def _normal_captions(self) -> tuple[NormalCaption, ...]:
        """Every caption of what was seen well, in the order of the footage."""
        kept = []
        for s in self._seen_well:
            info, caption = self._units[s.unit].clip.source.info, s.description.caption
            frame = _first_frame(s, info.fps)
            kept.append(
                NormalCaption(
                    id=normal_id(self.scene, info.id, frame, caption.text),
                    scene=self.scene,
                    version=1,
                    video_id=info.id,
                    clip=info.name,
                    interval=s.event.interval,
                    frame=frame,
                    text=caption.text,
                    captioner=caption.captioner,
                )
            )
        return tuple(kept)

    def _all_seen(self) -> tuple[Held, ...]:
        """Every caption's event, for the drafted rules alone: the others were tried already."""
        return tuple(Held(s.event, s.description, self._kept_drafts) for s in self._seen_well)

    def _held_words(self) -> tuple[Held, ...]:
        """Every caption's event with the rules that the captions of other parts gave."""
        folds = folds_of(len(self._units))
        held: list[Held] = []
        for fold in folds if len(folds) > 1 else ():
            rest = [t for n, t in enumerate(self._told()) if n not in fold]
            if not any(t.captions for t in rest):
                continue
            rules = induce_from_captions(self.scene, rest, seed=self.seed).rules
            proposals = tuple(Proposal(rule) for rule in rules) + self._kept_drafts
            held += [
                Held(s.event, s.description, proposals) for s in self._seen_well if s.unit in fold
            ]
        return tuple(held)

    def _alarms_of_words(self) -> FalseAlarms:
        rate = self._book.false_alarm_rate if self._book is not None else None
        if rate is None:
            return FalseAlarms()
        events = [s.event for s in self._seen_well]
        seconds = sum(e.interval.seconds for e in events)
        return FalseAlarms(fired=round(rate * len(events)), events=len(events), seconds=seconds)

    @property
    def _kept_drafts(self) -> tuple[Proposal, ...]:
        names = {p.rule.id for p in self.final}
        return tuple(p for p in self.drafted if p.rule.id in names)

    def _hold_out(self) -> tuple[Held, ...]:
        """Every unit's events, seen with a profile and rules made from the other folds.

        Drafted rules are tried on all of them: their tests are stated priors, nothing was fitted.
        """
        if len(self._units) < 2:
            return ()
        held: list[Held] = []
        folds = folds_of(len(self._units))
        for number, fold in enumerate(folds, start=1):
            rest = frozenset(range(len(self._units))) - set(fold)
            clips = merged([self._units[u].clip for u in sorted(rest)])
            known = self.captioner.learn(self.scene, clips, base=self.profile)
            rules = self._proposals(rest) + self._kept_drafts
            what = f"testing on held-out footage, part {number} of {len(folds)}"
            seen = described(self._units, fold, self.captioner, known, self._tell, what)
            held += [
                Held(s.event, s.description, rules, number)
                for s in seen
                if not s.description.problems
            ]
        return tuple(held)

    def _missing(self) -> tuple[str, ...]:
        if self._book is not None:  # nothing is measured
            return ()
        seen = self._seen
        measured = {a.name for s in seen for o in s.description.observations for a in o.attributes}
        ruled = {p.rule.predicate.all[0].attribute for p in self.final if p.rule.predicate}
        notes: list[str] = []
        if self._brief:
            return (
                "the clips are too short to follow anybody: the usual motion was learned from them,"
                f" but the rules are general priors; clips of {LEAST_SEEN_S:g} s and more give"
                " rules of the scene's own",
            )
        if all(o.subject == "scene" for s in seen for o in s.description.observations):
            notes.append(
                "nothing moves in the clips, so only that is known as normal: give clips in which"
                " somebody or something moves for rules on how"
            )
        if "dwell" in measured and "dwell" not in ruled:
            notes.append(
                f"the longest clip watched lasts {self._longest_s:.0f} s, too short to say how long"
                " people usually stay: give longer clips for a rule on staying"
            )
        if seen and "place" not in measured:
            notes.append("too little footage to say where people usually are: no rule on places")
        if seen and "way" not in measured:
            notes.append(
                "too little footage to say which way things go at each place: no rule on it"
            )
        return tuple(notes)


def _first_frame(seen: Seen, fps: float) -> int:
    return round(seen.event.interval.start_s * fps)


def _shown_at(unit: Unit, seen: Seen) -> Provenance:
    """The clip of a caption, and the frame that shows what it says first."""
    frames = tuple(o.key_frame for o in seen.description.observations[:1])
    return clip_provenance(unit.clip).model_copy(update={"frames": frames})


def _problems(units: Sequence[Unit], seen: Sequence[Seen]) -> tuple[str, ...]:
    return tuple(
        f"{units[s.unit].clip.source.info.name} {s.event.interval} was left out: "
        + "; ".join(s.description.problems)
        for s in seen
        if s.description.problems
    )


# ---------------------------------------------------------------- at once, and on record


def induce(
    scene: str,
    clips: Sequence[FrameSource | Clip],
    captioner: Captioner,
    detector: BoundaryDetector,
    verifier: Verifier,
    *,
    drafter: Drafter | None = None,
    batches: int | None = None,
    seed: int = 0,
    min_event_s: float = 2.0,
    progress: Progress | None = None,
) -> Induced:
    """Induce a scene's profile, rules and calibration from normal clips. Deterministic.

    See :class:`Induction` for the arguments and what the steps raise.
    """
    work = Induction(
        scene, clips, captioner, detector, verifier, drafter, batches, seed, min_event_s, progress
    )
    for step in (work.watch, work.vote, work.draft, work.merge, work.test):
        step()
    return work.outcome()


class SceneInduction:
    """An induction from files to the archive: the clips are open as long as it is entered.

    Raises:
        UserError: an impossible scene name, no videos, or as :class:`Induction`.
        MediaError: no clip can be read; where some can, the others are named in the notes.
        StoreError: the archive cannot be written; it is as it was before.
    """

    def __init__(
        self,
        tools: Toolbox,
        paths: Sequence[str | Path],
        scene: str,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> None:
        check_scene_name(scene)
        self._tools = tools
        self._paths = paths
        self._opened = ExitStack()
        self.work = Induction(
            scene,
            (),
            tools.captioner,
            tools.detector,
            tools.verifier,
            tools.drafter,
            seed=seed,
            min_event_s=tools.min_event_s,
            progress=progress,
        )
        self._unread: tuple[str, ...] = ()

    def __enter__(self) -> SceneInduction:
        self.work.clips, self._unread = open_clips(self._opened, self._paths)
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    def record(self) -> SceneRecord:
        """Put the outcome on record, all or nothing."""
        induced = self.work.outcome()
        infos = {
            clip.source.info.id: clip.source.info
            for given in self.work.clips
            for clip in [given if isinstance(given, Clip) else Clip(given)]
        }.values()
        profile = induced.profile
        record = SceneRecord(
            name=self.work.scene,
            captioner=profile.captioner,
            profile_version=profile.version,
            width=profile.width,
            height=profile.height,
            clips=induced.clips,
            seconds=round(sum(info.seconds for info in infos), 3),
            calibration=induced.calibration,
            false_alarms=induced.false_alarms,
            batches=induced.batches,
            notes=(*self._unread, *induced.notes),
        )
        archive = self._tools.archive
        archive.save_scene(record, profile, induced.rules, induced.captions)
        for info in infos:
            archive.add_video(info)
        return archive.scene(record.name)


def induce_and_save(
    tools: Toolbox,
    paths: Sequence[str | Path],
    scene: str,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> SceneRecord:
    """Induce a scene from files and folders and put it on record, all or nothing.

    See :class:`SceneInduction`; ``graphs/induce.py`` does the same as a graph.
    """
    with SceneInduction(tools, paths, scene, seed=seed, progress=progress) as induction:
        work = induction.work
        for step in (work.watch, work.vote, work.draft, work.merge, work.test):
            step()
        return induction.record()
