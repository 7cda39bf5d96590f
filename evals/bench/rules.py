"""What the rule book costs and what it survives: retrieval, concurrent edits, kills."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench.rulebooks import Planted, fill, open_archive, parted
from tools import backends
from tools.archive import Archive
from tools.ports import Embedder
from tools.rulebook.normalcaptions import normal_id
from tools.rulebook.rulefile import export_rules, import_rules, read_rules
from tools.types import Interval, NormalCaption, Rule, TimeBase

__all__ = ["Edits", "Kills", "Retrieval", "edits", "kills", "retrieval"]

TOP = 5
PRELOAD = ["chromadb", "tools.backends.chroma", "tools.archive", __name__]
SIZE = (360, 240)
CAPTIONS = 30


def _embedder(name: str, cache: Path) -> Embedder:
    return backends.make("embedder", name, backends.EMBEDDERS, cache)


@contextmanager
def _folder(work: Path | None) -> Iterator[Path]:
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
        yield work
        return
    with tempfile.TemporaryDirectory(prefix="vidocq-rules-") as made:
        yield Path(made)


# ---------------------------------------------------------------- retrieval


@dataclass(frozen=True)
class Retrieval:
    """How well and how fast planted rules are found."""

    embedder: str
    rules: int
    scenes: int
    queries: int
    reworded: float
    """Share of planted rules among the first five when one part of two or three is in other words,
    among rules that are all combinations of the same parts."""
    paraphrased: float
    """The same with every part in other words."""
    parted: float
    """What the embedder could find of these, were it told which words are which part."""
    known: float
    """Share of rules alone on their subject, in other words throughout."""
    held_out: float
    """The same, of rules and words that nobody had seen who chose how to search."""
    shared: float
    """Of these, where dozens of the scene's rules may be on the same place or deed."""
    terms: float
    """Share found by their own words in another order, of all kinds."""
    p50_ms: float
    p95_ms: float
    """By the clock, over all queries, every scene having been asked once before."""
    cpu_p95_ms: float
    """By the processor, all threads together."""
    build_s: float
    """Making record and index, by the clock."""
    peak_mb: float


def retrieval(
    *,
    rules: int = 100_000,
    scenes: int = 100,
    planted: int = 5,
    embedder: str = "hashed",
    work: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Retrieval:
    """Ask for planted rules among ``rules`` rules of ``scenes`` scenes, in random order."""
    with _folder(work) as folder:
        made = _embedder(embedder, folder / "cache")
        begun = time.perf_counter()
        archive = open_archive(folder / "home", made)
        try:
            asked = fill(archive, scenes=scenes, rules=rules // scenes, planted=planted)
            for scene in archive.scenes():
                archive.rules.retrieve(scene.name, "anything", k=TOP)
                tell(f"{scene.name} indexed after {time.perf_counter() - begun:.0f} s")
            build = time.perf_counter() - begun
            return _asked(archive, asked, made, rules, scenes, build)
        finally:
            archive.close()


def _asked(
    archive: Archive,
    planted: Sequence[Planted],
    embedder: Embedder,
    rules: int,
    scenes: int,
    build_s: float,
) -> Retrieval:
    import resource

    order = np.random.default_rng(1).permutation(len(planted))
    found: dict[str, list[bool]] = {
        how: [] for how in ("reworded", "paraphrased", "known", "held out", "shared", "terms")
    }
    wall: list[float] = []
    cpu: list[float] = []
    for n in order:
        sought = planted[int(n)]
        queries = [("terms", sought.terms)]
        if sought.kind == "combined":
            queries += [("reworded", sought.reworded), ("paraphrased", sought.paraphrase)]
        else:
            queries.append((sought.kind, sought.paraphrase))
        for how, query in queries:
            clock, processor = time.perf_counter(), time.process_time()
            hits = archive.rules.retrieve(sought.scene, query, k=TOP)
            wall.append(1e3 * (time.perf_counter() - clock))
            cpu.append(1e3 * (time.process_time() - processor))
            found[how].append(any(h.rule.id == sought.rule_id for h in hits))
    return Retrieval(
        embedder=embedder.name,
        rules=rules,
        scenes=scenes,
        queries=len(wall),
        reworded=statistics.fmean(found["reworded"]),
        paraphrased=statistics.fmean(found["paraphrased"]),
        parted=parted(embedder, rules // scenes, top=TOP),
        known=statistics.fmean(found["known"]),
        held_out=statistics.fmean(found["held out"]),
        shared=statistics.fmean(found["shared"]),
        terms=statistics.fmean(found["terms"]),
        p50_ms=statistics.median(wall),
        p95_ms=float(np.quantile(wall, 0.95)),
        cpu_p95_ms=float(np.quantile(cpu, 0.95)),
        build_s=build_s,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


# ---------------------------------------------------------------- concurrent edits


@dataclass(frozen=True)
class Edits:
    """What became of edits made side by side."""

    processes: int
    acknowledged: int
    lost: int
    """Acknowledged versions that are not on record as they were acknowledged."""
    doubled: int
    """Versions on record that nobody acknowledged, or numbers with a gap."""
    index_differs: bool
    seconds: float


def edits(*, processes: int = 8, each: int = 125, rules: int = 20, seed: int = 0) -> Edits:
    """``processes`` processes add, edit, retire and search the same rules at the same time."""
    with _folder(None) as folder:
        home = folder / "home"
        archive = open_archive(home, _embedder("hashed", folder))
        fill(archive, scenes=1, rules=rules, planted=0)
        before = _everything(archive)
        context = _forkserver()
        begun = time.perf_counter()
        children = []
        for number in range(processes):
            acks = folder / f"acks{number}"
            child = context.Process(target=_edit, args=(home, acks, number, each, seed))
            child.start()
            children.append(child)
        for child in children:
            child.join()
        seconds = time.perf_counter() - begun
        failed = [c.exitcode for c in children if c.exitcode]
        if failed:
            raise RuntimeError(f"{len(failed)} of {processes} processes failed: {failed}")
        told = [line for n in range(processes) for line in _lines(folder / f"acks{n}")]
        after = _everything(archive)
        lost = sum(after.get(ref) != text for ref, text in told)
        extra = len(after) - len(before) - len({ref for ref, _ in told})
        differs = _index_differs(archive)
        archive.close()
        return Edits(
            processes, len(told), lost, extra + _gaps(after) + len(told) - len({*told}), differs,
            seconds,
        )  # fmt: skip


def _edit(home: Path, acks: Path, number: int, each: int, seed: int) -> None:
    rng = random.Random(1000 * seed + number)
    archive = open_archive(home, _embedder("hashed", home))
    book = archive.rules
    with acks.open("w", encoding="utf-8") as file:
        for step in range(each):
            text = f"Process {number} wrote this at step {step}."
            ids = [r.id for r in book.list("scene000", include_retired=True)]
            kind = rng.random()
            if kind < 0.15:
                some = book.get(rng.choice(ids))
                rule = book.add("scene000", text, some.kind, some.category, author=str(number))
            else:
                rule = book.edit(rng.choice(ids), text=text, author=str(number))
            file.write(f"{rule.ref}\t{rule.text}\n")
            if kind > 0.95:
                book.retrieve("scene000", text, k=TOP)
    archive.close()


# ---------------------------------------------------------------- kills


@dataclass(frozen=True)
class Kills:
    """What became of work that was killed."""

    kills: int
    acknowledged: int
    lost: int
    half_imported: int
    half_kept: int
    """Times the normal captions in use were not those of one induction, or not all of them."""
    unreadable: int
    """Times the record could not be opened or the index not be searched afterwards."""
    index_differed: int
    damaged: int
    """Times the index was deleted or overwritten between two kills."""
    seconds: float


def kills(*, count: int = 200, rules: int = 40, seed: int = 0, longest_s: float = 0.5) -> Kills:
    """Kill a process that imports, edits and searches at random moments, and look what is left."""
    rng = random.Random(seed)
    with _folder(None) as folder:
        home = folder / "home"
        archive = open_archive(home, _embedder("hashed", folder))
        fill(archive, scenes=1, rules=rules, planted=0)
        archive.close()
        context = _forkserver()
        lost = half = half_kept = unreadable = differed = damaged = acknowledged = 0
        begun = time.perf_counter()
        for number in range(count):
            acks, ready = folder / "acks", context.Event()
            acks.unlink(missing_ok=True)
            child = context.Process(target=_busy, args=(home, acks, ready, number))
            child.start()
            ready.wait(60)
            time.sleep(rng.uniform(0.0, longest_s))
            os.kill(int(child.pid or 0), signal.SIGKILL)
            child.join()
            if number % 5 == 4:
                damaged += _damage(home / "chroma", rng)
            told = _lines(acks)
            acknowledged += len(told)
            archive = open_archive(home, _embedder("hashed", folder))
            try:
                known = _everything(archive)
                lost += sum(known.get(ref) != text for ref, text in told) + bool(_gaps(known))
                half += _half(archive.rules.list("scene000"))
                half_kept += _half_kept(archive)
                differed += _index_differs(archive)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is counted
                unreadable += 1
                print(f"kill {number}: {error}")  # noqa: T201
            finally:
                archive.close()
        return Kills(
            count, acknowledged, lost, half, half_kept, unreadable, differed, damaged,
            time.perf_counter() - begun,
        )  # fmt: skip


def _busy(home: Path, acks: Path, ready: Any, round_: int) -> None:
    """Import, edit, keep captions, search, for ever; what is acknowledged is on disk by then."""
    archive = open_archive(home, _embedder("hashed", home))
    book = archive.rules
    path = home / "book.yaml"
    ready.set()
    step = 0
    with acks.open("a", encoding="utf-8") as file:
        while True:
            step += 1
            mark = f"g{round_}x{step}"
            latest = book.list("scene000")
            text = export_rules("scene000", latest, {})
            lines = [
                f"    text: Import {mark} of this rule." if n.startswith("    text: ") else n
                for n in text.splitlines()
            ]
            path.write_text("\n".join(lines), encoding="utf-8")
            done = import_rules(book, read_rules(path, {}), "scene000", SIZE)
            _acknowledge(file, done.changed)
            _acknowledge(file, [book.edit(latest[0].id, text=f"Edit {mark}.")])
            _induce_again(archive, mark)
            book.retrieve("scene000", mark, k=TOP)


def _induce_again(archive: Archive, mark: str) -> None:
    """Keep other normal captions with the scene; its rules are all a person's, and stay."""
    captions = [
        NormalCaption(
            id=normal_id("scene000", "bench", frame, mark),
            scene="scene000",
            version=1,
            video_id="bench",
            clip="bench.mp4",
            interval=Interval(start=frame, end=frame + 1, time_base=TimeBase(num=1, den=10)),
            frame=frame,
            text=mark,
        )
        for frame in range(CAPTIONS)
    ]
    scene = archive.scene("scene000")
    archive.save_scene(scene, archive.profile("scene000"), (), captions)


def _half_kept(archive: Archive) -> int:
    kept = archive.normal_captions("scene000")
    return int(bool(kept) and (len({c.text for c in kept}) > 1 or len(kept) != CAPTIONS))


def _acknowledge(file: Any, rules: Sequence[Rule]) -> None:
    file.writelines(f"{rule.ref}\t{rule.text}\n" for rule in rules)
    file.flush()
    os.fsync(file.fileno())


def _half(rules: Sequence[Rule]) -> int:
    """Whether rules of different imports stand side by side; the first may have been edited."""
    texts = {r.text for r in rules if r.text.startswith("Import ")}
    old = [r for r in rules if not r.text.startswith(("Import ", "Edit "))]
    return int(len(texts) > 1 or bool(texts and old))


def _damage(index: Path, rng: random.Random) -> int:
    file = index / "chroma.sqlite3"
    if not file.exists():
        return 0
    how = rng.choice(("delete", "overwrite", "truncate", "graph"))
    if how == "delete":
        shutil.rmtree(index)
    elif how == "overwrite":
        file.write_bytes(b"garbage" * 9000)
    elif how == "truncate":
        os.truncate(file, 30_000)
    else:
        for path in index.glob("*/*"):
            path.write_bytes(b"\xff" * 50)
    return 1


# ---------------------------------------------------------------- pieces


def _forkserver() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)  # what takes seconds to import is imported once
    return context


def _everything(archive: Archive) -> dict[str, str]:
    """Text of every version on record, by reference."""
    found: dict[str, str] = {}
    for scene in archive.scenes():
        for rule in archive.rules.list(scene.name, include_retired=True):
            found |= {r.ref: r.text for r in archive.rules.history(rule.id)}
    return found


def _gaps(known: dict[str, str]) -> int:
    """Rules whose versions are not 1, 2, 3 …"""
    versions: dict[str, list[int]] = {}
    for ref in known:
        name, _, version = ref.partition("@")
        versions.setdefault(name, []).append(int(version))
    return sum(sorted(v) != list(range(1, len(v) + 1)) for v in versions.values())


def _index_differs(archive: Archive) -> bool:
    """Whether what a search leaves in the index is not what the record has."""
    wrong = False
    for scene in archive.scenes():
        rules = archive.rules.list(scene.name)
        archive.rules.retrieve(scene.name, "anything at all", k=TOP)
        wrong |= archive.rules.indexed(scene.name) != {r.ref.removeprefix("rule:") for r in rules}
        one = rules[len(rules) // 2]
        hits = archive.rules.retrieve(scene.name, one.text, k=len(rules))
        wrong |= one.ref not in {h.rule.ref for h in hits}
    return wrong


def _lines(path: Path) -> list[tuple[str, str]]:
    """Acknowledgements; the last line may be cut by the kill."""
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    return [(ref, text) for ref, _, text in (line.partition("\t") for line in whole.splitlines())]
