"""What a suite asks about, and who answers: the one place that knows every layout."""

from __future__ import annotations

from pathlib import Path

from agent import load_settings
from evals.items import AgentAsker, Asker, Task
from evals.recordings import (
    DeductionAsker,
    ReplayAsker,
    caption_sections,
    recorded_sections,
    reference_asker,
)
from evals.sections import Prepared, Say
from evals.suite import (
    CaptionsSpec,
    ChoiceSpec,
    ImportedSpec,
    RecordedSpec,
    ScenesSpec,
    Suite,
    UcsdSpec,
    data_root,
)
from evals.videos import video_folder, video_sections
from tools.errors import UserError

__all__ = ["open_asker", "prepare"]


def prepare(
    suite: Suite, target: Path, *, data: Path | None, limit: int | None, say: Say
) -> Prepared:
    """Read the data and lay out the sections. Raises UserError before any work is done."""
    # The environment and a vidocq.toml count too, so the effective settings are what is recorded.
    settings = load_settings({"home": target, **suite.settings})
    effective = settings.model_dump(mode="json", exclude={"home"})
    match suite.dataset:
        case UcsdSpec() | ScenesSpec():
            folder = data if data is not None else video_folder(suite, target, say)
            sections, hashes = video_sections(suite, target, folder, limit, effective)
        case RecordedSpec():
            folder = data if data is not None else data_root() / suite.dataset.folder
            sections, hashes = recorded_sections(suite, target, folder, limit)
        case CaptionsSpec() | ChoiceSpec():
            folder = data if data is not None else data_root() / suite.dataset.folder
            sections, hashes = caption_sections(suite, target, folder, limit)
        case ImportedSpec():
            raise UserError(
                f"suite {suite.name}: imported results cannot be run",
                remedy="use: python -m evals score DIR",
            )
    return Prepared(folder, sections, effective, hashes)


def open_asker(suite: Suite, task: Task) -> Asker:
    """Who answers in the section of a task."""
    match suite.dataset:
        case RecordedSpec() if task.section == "reference":
            return reference_asker(Path(task.data))
        case RecordedSpec():
            return ReplayAsker(suite, Path(task.data), Path(task.home), inject=task.inject)
        case CaptionsSpec() | ChoiceSpec():
            return DeductionAsker(suite, Path(task.data), task.section)
        case _:
            return AgentAsker(suite, Path(task.home), inject=task.inject)
