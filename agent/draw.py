"""Draw the graph: ``python -m agent.draw`` prints it as Mermaid, for docs/architecture.md."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from agent.runtime import build_agent

__all__ = ["mermaid"]


def mermaid() -> str:
    """The compiled graph as Mermaid text, without colours."""
    with tempfile.TemporaryDirectory() as home:
        agent = build_agent(home=Path(home), checkpoints=False)
        try:
            return agent.get_graph().draw_mermaid(with_styles=False)
        finally:
            agent.close()


if __name__ == "__main__":
    sys.stdout.write(mermaid())
