"""Progress on a terminal: what is counted, how fast and how long fit whatever its width."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress

from agent.console import columns

LONG = "finding events and looking a_rather_long_name_of_a_camera_2026-11-28.mp4"


def shown(width: int, done: int, total: int, seconds: float) -> str:
    """The line of a bar whose work goes on steadily."""
    now = 0.0
    console = Console(width=width, file=StringIO(), force_terminal=True, color_system=None)
    bars = Progress(
        *columns(width), console=console, expand=True, get_time=lambda: now, auto_refresh=False
    )
    task = bars.add_task(LONG, total=total)
    for now in (0.0, *(seconds - 9.0 + n for n in range(10))):
        bars.update(task, completed=round(done * now / seconds))
    with console.capture() as captured:
        console.print(bars.get_renderable())
    (line,) = captured.get().splitlines()
    return line


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    ("done", "total", "seconds", "figures"),
    [
        (85, 1876, 10.0, ["9 frames/s", "0:10, 3:"]),
        (86_400, 172_800, 7_200.0, ["12 frames/s", "2:00:00, 2:00:00 left"]),
    ],
)
def test_no_figure_is_cut(
    width: int, done: int, total: int, seconds: float, figures: list[str]
) -> None:
    line = shown(width, done, total, seconds)
    assert len(line) <= width
    assert "…" not in line.partition("…")[2]  # the name alone may be cut
    assert "finding" in line
    assert all(f in line for f in figures)
    assert " left" in line
    assert (f" {done}/{total} " in line) == (width >= 80)
