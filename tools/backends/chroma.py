"""The rule index in Chroma: dense retrieval, one collection per scene, made from the record.

Chroma is an index, never a record. Its persistent client belongs to one process at a time: a
second process sees a stale graph, a kill can leave a broken one. So a lock file is held around
every operation, the client is opened anew whenever the record has moved on without it, ids and
versions are compared with the record, and whatever is different, broken or absent is made again.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import chromadb
import httpx
import numpy as np
from chromadb.api.shared_system_client import SharedSystemClient
from chromadb.config import Settings
from chromadb.errors import ChromaError, NotFoundError
from chromadb.utils.embedding_functions import register_embedding_function
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from tools.errors import StoreError, UserError
from tools.ports import Embedder
from tools.types import content_id

__all__ = ["ChromaIndex", "ChromaServerIndex", "VidocqEmbedding"]

T = TypeVar("T")

BATCH = 5000
"""Chroma refuses more than 5461 at once."""
GRAPH = MappingProxyType(
    {"space": "cosine", "ef_construction": 400, "ef_search": 1000, "max_neighbors": 32}
)
"""Of the approximate search: wide enough to be exact over a thousand rules. With Chroma's own
settings a rule unlike all others, which few neighbours lead to, was missed one time in seven."""
MADE_AS = 2
"""Number of :data:`GRAPH`; a collection with another one is made again."""


@register_embedding_function
class VidocqEmbedding(chromadb.EmbeddingFunction[chromadb.Documents]):
    """Our embedder as Chroma wants it, so that a reopened collection finds it by name."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def __call__(self, input: chromadb.Documents) -> chromadb.Embeddings:
        return list(self._embedder.embed(input))

    @staticmethod
    def name() -> str:
        return "vidocq"

    def get_config(self) -> dict[str, Any]:
        return {"embedder": self._embedder.name, "dim": self._embedder.dim}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> VidocqEmbedding:
        return VidocqEmbedding(_Declared(str(config["embedder"]), int(config["dim"])))


@dataclass(frozen=True)
class _Declared:
    """The embedder a collection was made with, by name: vectors always come from ours."""

    name: str
    dim: int
    by_meaning: bool = False

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise StoreError(f"the embedder {self.name} is known by name only")


class ChromaIndex:
    """Nearest texts of a scene by cosine similarity.

    Args:
        folder: where Chroma keeps its files; made where absent, deleted and made again when broken.
        embedder: turns texts into vectors; its name and dimension are kept with each collection.
        lock_timeout_s: how long to wait for another process.
    """

    def __init__(self, folder: Path, embedder: Embedder, *, lock_timeout_s: float = 30.0) -> None:
        self._folder = folder
        self._where = str(folder)
        self._stamp = folder.with_name(folder.name + ".stamp")
        self._seen: object = None
        self._embedder = embedder
        self._mutex = threading.RLock()
        self._lock = FileLock(str(folder) + ".lock", timeout=lock_timeout_s)
        self._client: Any = None
        self._synced: dict[str, frozenset[str]] = {}
        self._held: dict[str, Any] = {}

    def search(
        self, scene: str, documents: Mapping[str, str], query: str, k: int
    ) -> tuple[tuple[str, float], ...]:
        """The up to ``k`` documents nearest to ``query``: (id, cosine similarity), best first.

        Args:
            scene: names the collection.
            documents: id → text of everything that may be found, from the record. An id must
                change when its text does (``RULE@VERSION``).

        Raises:
            UserError: the collection was made with another embedder.
            StoreError: Chroma can be neither opened nor made again.
        """
        return self.nearest(scene, documents, self._embedder.embed([query])[0], k)

    def nearest(
        self, scene: str, documents: Mapping[str, str], vector: NDArray[np.float32], k: int
    ) -> tuple[tuple[str, float], ...]:
        """As :meth:`search`, for a query that is a vector already."""
        if not documents or not np.any(vector):
            return ()
        with self._exclusive():
            return self._mended(lambda: self._search(scene, documents, vector, k))

    def check(self, scene: str) -> None:
        """Make sure that a scene's collection, if there is one, can be searched by this embedder.

        Raises as :meth:`search`, without searching.
        """
        name = _collection_name(scene)

        def opened() -> None:
            self._ready(name)
            self._known(name)

        with self._exclusive():
            self._mended(opened)

    def rebuild(self, scene: str, documents: Mapping[str, str]) -> int:
        """Make a scene's collection again with the present embedder, whatever was in it.

        Returns how many documents it holds. Raises as :meth:`search`.
        """
        name = _collection_name(scene)

        def again() -> int:
            self._ready(name)
            self._drop(name)
            return int(self._collection(scene, documents).count())

        with self._exclusive():
            return self._mended(again)

    def held(self, scene: str) -> frozenset[str]:
        """Ids of what is in a scene's collection, as it is; none where there is no collection."""
        name = _collection_name(scene)
        with self._exclusive():
            self._ready(name)
            try:
                found = self._client.get_collection(name, embedding_function=None)
            except NotFoundError:
                return frozenset()
            return frozenset(found.get(include=[])["ids"])

    def _mended(self, work: Callable[[], T]) -> T:
        """The work done; where the files turn out to be broken, after making them again."""
        try:
            return work()
        except BaseException as error:
            if not _broken(error):
                raise
        self._discard()
        try:
            return work()
        except BaseException as error:
            if not _broken(error):
                raise
            self.close()
            raise self._unusable(error) from error

    def close(self) -> None:
        """Let go of the files. A later search opens them again."""
        client, self._client = self._client, None
        self._seen = None
        self._synced.clear()
        self._held.clear()
        if client is not None:
            client.close()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with self._mutex:
            try:
                self._folder.parent.mkdir(parents=True, exist_ok=True)
                self._lock.acquire()
            except Timeout as error:
                raise StoreError(
                    f"{self._folder}: the index is in use by another process",
                    remedy="wait for the other vidocq to finish, or end it, and try again",
                ) from error
            except OSError as error:
                raise self._unusable(error) from error
            try:
                yield
            finally:
                self._lock.release()

    def _search(
        self, scene: str, documents: Mapping[str, str], vector: NDArray[np.float32], k: int
    ) -> tuple[tuple[str, float], ...]:
        collection = self._collection(scene, documents)
        found = collection.query(
            query_embeddings=[vector],
            n_results=min(k, len(documents)),
            include=["distances"],
        )
        pairs = zip(found["ids"][0], found["distances"][0], strict=True)
        hits = [(key, 1.0 - float(distance)) for key, distance in pairs if key in documents]
        return tuple(sorted(hits, key=lambda hit: (-hit[1], hit[0])))

    def _collection(self, scene: str, documents: Mapping[str, str]) -> Any:
        """The scene's collection, holding exactly ``documents``."""
        name = _collection_name(scene)
        wanted = frozenset(documents)
        self._ready(name)
        if self._synced.get(name) == wanted:
            return self._held[name]
        collection = self._held[name] = self._get_or_make(name)
        present = set(collection.get(include=[])["ids"])
        surplus, missing = sorted(present - wanted), sorted(wanted - present)
        if surplus or missing:
            self._writing()
        for start in range(0, len(surplus), BATCH):
            collection.delete(ids=surplus[start : start + BATCH])
        for start in range(0, len(missing), BATCH):
            ids = missing[start : start + BATCH]
            texts = [documents[i] for i in ids]
            collection.upsert(ids=ids, documents=texts, embeddings=self._embedder.embed(texts))
        self._synced[name] = wanted
        return collection

    def _ready(self, name: str) -> None:
        """A client that sees what other processes wrote."""
        if self._client is not None and self._seen != self._state():
            self.close()
        if self._client is None:
            self._open()
            self._seen = self._state()

    def _state(self) -> object:
        """What changes when another process writes, or somebody takes the files away."""
        try:
            return self._stamp.read_text(), (self._folder / "chroma.sqlite3").stat().st_ino
        except OSError:
            return None

    def _writing(self) -> None:
        """Tell other processes that what they have in memory is old."""
        self._stamp.write_text(uuid.uuid4().hex)
        self._seen = self._state()

    def _drop(self, name: str) -> None:
        self._synced.pop(name, None)
        try:
            self._client.delete_collection(name)
        except NotFoundError:
            return
        self._writing()

    def _get_or_make(self, name: str) -> Any:
        function = VidocqEmbedding(self._embedder)
        collection = self._known(name)
        if collection is None:
            return self._made(name, self._mine, function)
        if (collection.metadata or {}).get("graph") != MADE_AS:
            self._drop(name)  # of an earlier version, whose searches miss rules
            return self._made(name, self._mine, function)
        return collection

    @property
    def _mine(self) -> dict[str, Any]:
        return {"embedder": self._embedder.name, "dim": self._embedder.dim}

    def _known(self, name: str) -> Any:
        """The collection, None where there is none. Raises UserError for another embedder's."""
        try:
            collection = self._client.get_collection(name, embedding_function=None)
        except NotFoundError:
            return None
        theirs = {key: (collection.metadata or {}).get(key) for key in self._mine}
        if theirs != self._mine:
            raise UserError(
                f"{self._where}: indexed with the embedder {theirs['embedder']}, not with"
                f" {self._embedder.name}",
                remedy="vidocq rules reindex, or configure that embedder",
            )
        return collection

    def _made(self, name: str, metadata: dict[str, Any], function: VidocqEmbedding) -> Any:
        self._synced.pop(name, None)
        self._writing()
        return self._client.create_collection(
            name,
            metadata=metadata | {"graph": MADE_AS},
            embedding_function=function,
            configuration={"hnsw": dict(GRAPH)},
        )

    def _open(self) -> None:
        file = self._folder / "chroma.sqlite3"
        if file.exists() and not _intact(file):
            shutil.rmtree(self._folder)
        settings = Settings(anonymized_telemetry=False)
        try:
            self._client = chromadb.PersistentClient(path=str(self._folder), settings=settings)
        except BaseException:
            # Chroma would hand out its half-opened system again at the next attempt.
            SharedSystemClient._identifier_to_system.pop(str(self._folder), None)
            raise

    def _discard(self) -> None:
        """Delete the index files; the record holds all that was in them."""
        try:
            self.close()
        except BaseException as error:
            if not _broken(error):
                raise
        SharedSystemClient._identifier_to_system.pop(str(self._folder), None)
        if self._folder.is_dir():
            shutil.rmtree(self._folder, ignore_errors=True)

    def _unusable(self, error: BaseException) -> StoreError:
        return StoreError(
            f"{self._folder}: Chroma cannot open the rule index: {error}",
            remedy="check free space and permissions, then delete that path: it is made again",
        )


class ChromaServerIndex(ChromaIndex):
    """The same on a Chroma server, which somebody else runs; a client only.

    Args:
        url: e.g. ``http://127.0.0.1:8000``.
    """

    def __init__(self, url: str, embedder: Embedder) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UserError(
                f"“{url}” is no address of a Chroma server",
                remedy="set chroma_url to e.g. http://127.0.0.1:8000",
            )
        self._parts = parts
        self._where = url
        self._embedder = embedder
        self._mutex = threading.RLock()
        self._client: Any = None
        self._synced: dict[str, frozenset[str]] = {}
        self._held: dict[str, Any] = {}

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with self._mutex:
            yield

    def _ready(self, name: str) -> None:
        """A server shows every client the same, but other clients may have written."""
        if self._client is None:
            self._open()
        self._synced.pop(name, None)

    def _writing(self) -> None:
        """Nobody keeps a copy."""

    def _open(self) -> None:
        secure = self._parts.scheme == "https"
        port = self._parts.port or (443 if secure else 80)
        try:
            self._client = chromadb.HttpClient(
                host=str(self._parts.hostname),
                port=port,
                ssl=secure,
                settings=Settings(anonymized_telemetry=False),
            )
        except Exception as error:
            if _unreachable(error):
                raise self._unusable(error) from error
            raise

    def _discard(self) -> None:
        """Let go of the connection; on a server nothing is deleted that may be another's."""
        try:
            self.close()
        finally:
            self._client = None

    def close(self) -> None:
        """Let go of the connection."""
        self._client = None
        self._synced.clear()
        self._held.clear()

    def _unusable(self, error: BaseException) -> StoreError:
        return StoreError(
            _trouble(self._where, error),
            remedy="start it (chroma run --host 127.0.0.1), or unset chroma_url to keep the index"
            " in VIDOCQ_HOME",
        )


def _trouble(url: str, error: BaseException) -> str:
    """What is wrong with a server: it is not there, it is none, or it failed."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(e, httpx.TransportError) for e in chain):
        causes = (e.strerror for e in chain if isinstance(e, OSError) and e.strerror)
        return f"the Chroma server at {url} does not answer ({next(causes, _first_line(error))})"
    refused = next((e for e in chain if isinstance(e, httpx.HTTPStatusError)), None)
    if isinstance(error, ChromaError):
        return f"the Chroma server at {url} failed: {_first_line(error)}"
    said = f"HTTP {refused.response.status_code}" if refused is not None else _first_line(error)
    return f"what answers at {url} is no Chroma server ({said})"


def _unreachable(error: BaseException) -> bool:
    return (
        isinstance(error, ValueError | OSError | ChromaError) or "httpx" in type(error).__module__
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _broken(error: BaseException) -> bool:
    """Whether an error means that Chroma's files are unusable (its Rust part panics on some)."""
    known = (ChromaError, ValueError, RuntimeError, AttributeError, OSError, sqlite3.Error)
    named = type(error).__name__ == "PanicException" or "httpx" in type(error).__module__
    return isinstance(error, known) or named


def _intact(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError:
        return False


def _collection_name(scene: str) -> str:
    slug = re.sub(r"[^a-zA-Z0-9]+", "-", scene)
    return f"rules-{slug}-{content_id(scene, length=8)}"
