"""Promises: what is exported, what importing it costs, where it comes from, what is documented."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

import agent
from agent.cli import app
from tests.walkway import Walkway, shared_walkway

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGES = ["prompts", "tools", "graphs", "agent", "evals"]
HEAVY = ["torch", "cv2", "chromadb", "transformers", "av", "scenedetect", "sklearn", "openai"]


@pytest.fixture(scope="session")
def walkway(tmp_path_factory: pytest.TempPathFactory) -> Walkway:
    return shared_walkway(tmp_path_factory)


def run(code: str, **environment: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---------------------------------------------------------------- what is exported


@pytest.mark.parametrize("name", agent.__all__)
def test_what_is_exported_exists(name: str) -> None:
    assert getattr(agent, name) is not None
    assert name in dir(agent)


def test_nothing_else_is_exported() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'build_agnet'"):
        agent.build_agnet  # noqa: B018
    assert sorted(agent.__all__) == agent.__all__


def modules() -> list[str]:
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "__main__" not in parts and parts != ("agent", "app"):  # the latter opens a home
                found.append(".".join(p for p in parts if p != "__init__"))
    return found


@pytest.mark.parametrize("name", modules())
def test_all_of_all_exists(name: str) -> None:
    module = importlib.import_module(name)
    missing = [n for n in getattr(module, "__all__", ()) if not hasattr(module, n)]
    assert missing == []


# ---------------------------------------------------------------- what importing costs


@pytest.mark.parametrize("name", ["agent", "agent.cli", "graphs.investigate", "tools.toolbox"])
def test_importing_loads_nothing_heavy(name: str) -> None:
    code = f"import sys, {name}; print([m for m in {HEAVY} if m in sys.modules])"
    assert run(code) == "[]\n"


def test_building_an_agent_loads_no_model_library(tmp_path: Path) -> None:
    code = (
        "import sys; from agent import build_agent; build_agent().close();"
        "print([m for m in ('torch', 'transformers', 'openai', 'chromadb') if m in sys.modules])"
    )
    assert run(code, VIDOCQ_HOME=str(tmp_path)) == "[]\n"


# ---------------------------------------------------------------- where it comes from


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_comes_from_this_checkout_and_is_typed(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve().parent == ROOT / name
    assert (ROOT / name / "py.typed").is_file()


# ---------------------------------------------------------------- what is documented


def commands() -> list[str]:
    root = get_command(app)
    found = []
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [f"{name} {n}" for n in inner] if inner else [name]
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"vidocq {command}" in README


@pytest.mark.parametrize("option", ["--report", "--thread", "--resume", "--scene-free"])
def test_what_people_will_look_for_is_in_the_readme(option: str) -> None:
    assert option in README


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [x for x in links if "://" not in x and not (ROOT / x).exists()] == []


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"^make (\w+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_there_is_python_in_the_readme() -> None:
    assert python_blocks()


@pytest.mark.parametrize("number", range(len(python_blocks())))
def test_the_python_of_the_readme_runs(number: int, walkway: Walkway, tmp_path: Path) -> None:
    """With a scene called ``gate`` and a clip of it, as the page supposes."""
    shutil.copy(walkway.bike, tmp_path / "gate.mp4")
    home = walkway.copy_home(tmp_path / "home")
    block = python_blocks()[number]
    said = run(f"import os; os.chdir({str(tmp_path)!r})\n{block}", VIDOCQ_HOME=str(home))
    assert "rule:" in said
    assert "frame:" in said
