"""What a figure rests on: code, packages, machine and data; and files that appear whole or not."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import agent
import evals
import graphs
import prompts
import tools
from tools.errors import StoreError
from tools.types import content_id

__all__ = [
    "basis_of",
    "code_id",
    "data_id",
    "file_sha256",
    "git_state",
    "machine",
    "versions",
    "write_json",
    "write_text",
]

_PACKAGES = (
    "langgraph",
    "langgraph-checkpoint-sqlite",
    "langchain-core",
    "pydantic",
    "chromadb",
    "opencv-python-headless",
    "scenedetect-headless",
    "av",
    "numpy",
    "scipy",
    "scikit-learn",
)


@cache
def code_id(part: Literal["all", "scenes"] = "all") -> str:
    """A hash of the source: of the five packages, or of the scene generator alone.

    Two runs of one id ran the same code. Read once per process: later edits are not what runs.
    """
    digest = hashlib.sha256()
    folders = [Path(str(p.__file__)).parent for p in (prompts, tools, graphs, agent, evals)]
    for root in folders if part == "all" else [folders[-1] / "scenes"]:
        for file in sorted(root.rglob("*")):
            if file.suffix in {".py", ".md"}:
                digest.update(file.relative_to(root.parent).as_posix().encode() + b"\0")
                digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def git_state() -> dict[str, Any]:
    """Commit and dirty flag of the checkout; both None outside of one."""
    root = Path(evals.__file__).resolve().parents[1]

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=30
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit, status = git("rev-parse", "HEAD"), git("status", "--porcelain")
    return {"commit": commit, "dirty": None if status is None else bool(status)}


def versions() -> dict[str, str]:
    """Versions of Vidocq and of the packages that can change a figure."""
    found = {"python": sys.version.split()[0]}
    for name in ("vidocq", *_PACKAGES):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, Any]:
    """System, architecture and the number of cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"system": platform.system(), "architecture": platform.machine(), "cores": cores}


def file_sha256(path: str | Path) -> str:
    """Hash of a file, or of a folder's sorted names and contents."""
    target = Path(path)
    digest = hashlib.sha256()
    for file in sorted(target.rglob("*")) if target.is_dir() else [target]:
        if file.is_file():
            digest.update(b"" if file is target else file.name.encode() + b"\0")
            digest.update(file.read_bytes())
    return digest.hexdigest()


def data_id(hashes: Mapping[str, str]) -> str:
    """Fingerprint of a data set from the hashes of its files by name."""
    return content_id(dict(sorted(hashes.items())), length=16)


def basis_of(suite: Mapping[str, Any], folder: str, hashes: Mapping[str, str]) -> dict[str, Any]:
    """What every ``run.json`` holds.

    Args:
        suite: as JSON.
        folder: name of the data's folder.
        hashes: of its files, by name.
    """
    return {
        "suite": dict(suite),
        "code": {"id": code_id(), **git_state()},
        "versions": versions(),
        "machine": machine(),
        "data": {"folder": folder, "fingerprint": data_id(hashes), "files": len(hashes)},
    }


def write_json(path: Path, content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write a JSON file whole: beside its place first, then renamed. Raises StoreError."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))


def write_text(path: Path, text: str) -> None:
    """Write a file whole: beside its place first, then renamed. Raises StoreError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error.strerror}") from error


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file. Raises StoreError naming it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise StoreError(f"{path}: not JSON: {error}", remedy="run the suite again") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path}: not an object", remedy="run the suite again")
    return content
