"""What starting costs: the import of ``agent``, ``vidocq --help``, and what they must not load."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tools.errors import ToolFailed
from tools.types import Frozen

__all__ = ["FORBIDDEN", "Startup", "startup"]

FORBIDDEN = ("torch", "cv2", "chromadb", "transformers")
"""Heavy modules that ``import agent`` must not load."""

_PROBE = """
import json, sys, time
begun = time.perf_counter()
import agent
seconds = time.perf_counter() - begun
print(json.dumps([seconds, sorted(set(sys.modules) & set(json.loads(sys.argv[1])))]))
"""


class Startup(Frozen):
    """Medians of wall-clock seconds over fresh processes."""

    import_agent_s: float
    """Inside the process: the import statement alone."""
    help_s: float
    """From outside: ``vidocq --help``, the interpreter's start included."""
    bare_python_s: float
    """For comparison: an interpreter that does nothing."""
    forbidden: tuple[str, ...]
    """Heavy modules found loaded after ``import agent``."""


def startup(repeat: int = 5) -> Startup:
    """Measure with fresh processes, one after another. Raises ToolFailed where one fails."""
    probes = [
        json.loads(_output([sys.executable, "-c", _PROBE, json.dumps(FORBIDDEN)]))
        for _ in range(repeat)
    ]
    script = Path(sys.executable).with_name("vidocq")
    command = [str(script)] if script.is_file() else [sys.executable, "-m", "agent.cli"]
    return Startup(
        import_agent_s=round(statistics.median(p[0] for p in probes), 3),
        help_s=round(_wall([*command, "--help"], repeat), 3),
        bare_python_s=round(_wall([sys.executable, "-c", ""], repeat), 3),
        forbidden=tuple(sorted({name for p in probes for name in p[1]})),
    )


def _wall(command: list[str], repeat: int) -> float:
    walls = []
    for _ in range(repeat):
        begun = time.perf_counter()
        _output(command)
        walls.append(time.perf_counter() - begun)
    return statistics.median(walls)


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ToolFailed(f"{' '.join(command[:3])} … failed: {last[0]}")
    return done.stdout
