"""A vLLM server on loopback, in an environment of its own, that can be killed and restarted."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["NAME", "VllmServer"]

NAME = "tiny"
WAIT_S = 420.0
"""A start takes about a minute on two idle cores."""
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "OMP_NUM_THREADS": "1",
}
METRIC = re.compile(r"^vllm:(\w+?)(?:_total)?\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


class VllmServer:
    """Serves one model under the name ``tiny``.

    Args:
        python: interpreter of the environment that holds vLLM.
        model: its folder.
        log: file for what it prints.
        more: further options.
        path: folders that it finds modules in before its own.
    """

    def __init__(
        self, python: Path, model: Path, log: Path, *more: str, path: Sequence[Path] = ()
    ) -> None:
        self._python, self._model, self._log, self._more = python, model, log, more
        self._path = os.pathsep.join(map(str, path))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def setting(self) -> str:
        """How a setting names the model."""
        return f"openai:{NAME}@http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Begin to start; see :meth:`wait`."""
        settings = '{"backend":"xgrammar","disable_any_whitespace":true}'
        command: Sequence[str] = [
            *("nice", "-n", "10", str(self._python), "-m", "vllm.entrypoints.openai.api_server"),
            *("--model", str(self._model), "--served-model-name", NAME),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--dtype", "float32", "--max-model-len", "2048", "--enforce-eager"),
            *("--structured-outputs-config", settings),
            *("--enable-prefix-caching", "--enable-prompt-tokens-details"),
            *self._more,
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | QUIET | {"PYTHONPATH": self._path},
                cwd=self._log.parent,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Until it answers. Raises RuntimeError with the end of its log where it does not."""
        assert self._process is not None
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise RuntimeError(f"vLLM ended with {self._process.returncode}:\n{self._end()}")
            try:
                self._get("/health")
            except (OSError, urllib.error.URLError):
                time.sleep(0.5)
            else:
                return
        raise RuntimeError(f"vLLM did not answer within {WAIT_S:.0f} s:\n{self._end()}")

    def kill(self) -> None:
        """As a crash would: at once, with the engine that is its child."""
        if self._process is not None:
            with suppress(ProcessLookupError):  # where it has ended by itself
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def metrics(self) -> dict[str, float]:
        """Its counters by name, without ``vllm:`` and ``_total``."""
        return {name: float(value) for name, value in METRIC.findall(self._get("/metrics"))}

    def chat(self, body: Mapping[str, Any]) -> bytes:
        """What it answers to a request as it is."""
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/chat/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=60) as reply:
            return bytes(reply.read())

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as reply:
            return str(reply.read().decode())

    def _end(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-25:])
