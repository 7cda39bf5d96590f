"""How recorded replies of real models are read: as they are, mended, refused, and how many wrong.

Wrong is a verdict other than a second, separate reading of the text gives: the one value that
stands beside the verdict's name (or, for verdicts after thoughts, the recorded score). The same
replies are then broken on purpose, in ways that models and transports break them, which shows what
mending is worth and whether it ever changes a verdict.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.datasets.jsonl import rows
from tools.errors import BackendError
from tools.models.replies import parsed

__all__ = ["DAMAGE", "SCHEMAS", "Count", "broken", "recorded", "table"]

_SCORE = {"type": "number", "minimum": 0, "maximum": 1}
_TEXT = {"type": "string"}


def _category(*labels: str) -> dict[str, Any]:
    fields = {"category": {"enum": list(labels)}}
    return {"type": "object", "required": ["category"], "properties": fields}


SCHEMAS: dict[str, dict[str, Any]] = {
    "vila-13b/few": {
        "type": "object",
        "required": ["anomaly"],
        "properties": {
            "video_description": _TEXT,
            "reasoning": _TEXT,
            "anomaly": {"enum": [0, 1]},
        },
    },
    "internVL2-2B/binary": _category("normal", "abnormal"),
    "internVL2-2B/classification": _category(
        *"Normal Abuse Arrest Arson Assault Burglary Explosion Fighting RoadAccidents Robbery "
        "Shooting Shoplifting Stealing Vandalism".split()
    ),
}
"""What was asked for, by source: the verdict is required, the words about it are not."""

STATED = re.compile(r'"(?:anomaly|category)"\s*:\s*"?(\w+)')


@dataclass
class Count:
    """Replies of one source, by how they were read."""

    source: str
    strict: int = 0
    repaired: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: int = 0

    def add(self, text: str, schema: dict[str, Any], verdict: object) -> None:
        """Read one reply, of which ``verdict`` is known to stand there."""
        try:
            value, note = parsed(text, schema)
        except BackendError as error:
            self.refused[error.fault] += 1
            return
        if note:
            self.repaired[note] += 1
        else:
            self.strict += 1
        read = value[schema["required"][0]] if isinstance(value, dict) else value
        self.wrong += read != verdict and _plain(read) != _plain(verdict)

    @property
    def total(self) -> int:
        return self.strict + self.repaired.total() + self.refused.total()


def recorded(data: Path) -> list[Count]:
    """One count a source: ``replies/*.jsonl.gz`` and the verdicts of ``recorded/*``."""
    found: dict[str, Count] = {}
    for source, text in _replies(data):
        count = found.setdefault(source, Count(source))
        count.add(text, SCHEMAS[source], _stated(text))
    for path in sorted((data / "recorded").glob("*/traces.jsonl.gz")):
        count = Count(f"{path.parent.name} verdicts")
        for _, video in rows(path):
            for node in video["nodes"]:
                if node.get("verdict_text"):
                    count.add(node["verdict_text"], _SCORE, node["score"])
        found[count.source] = count
    return list(found.values())


def broken(data: Path, *, kinds: Iterable[str] = (), seed: int = 0) -> list[Count]:
    """One count a kind of damage (none named: all), over replies that are strict JSON unbroken."""
    rng = random.Random(seed)
    source = "vila-13b/few"
    texts = [text for name, text in _replies(data) if name == source and _whole(text)]
    found = []
    for name in kinds or DAMAGE:
        count, damage = Count(name), DAMAGE[name]
        for text in texts:
            count.add(damage(text, rng), SCHEMAS[source], json.loads(text)["anomaly"])
        found.append(count)
    return found


def table(counts: list[Count], first: str = "source") -> str:
    """The counts as a Markdown table; refusals with their reasons."""
    lines = [
        f"| {first} | replies | strict JSON | repaired | refused | wrong verdicts |",
        "|---|---|---|---|---|---|",
    ]
    for c in counts:
        why = ", ".join(f"{n} {fault}" for fault, n in c.refused.most_common())
        refused = f"{c.refused.total()} ({why})" if why else "0"
        lines.append(
            f"| {c.source} | {c.total} | {c.strict} | {c.repaired.total()} | {refused} "
            f"| {c.wrong} |"
        )
    return "\n".join(lines)


def _replies(data: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((data / "replies").glob("*.jsonl.gz")):
        for _, row in rows(path):
            yield row["source"], row["reply"]


def _stated(text: str) -> str | None:
    """The one value that stands beside the verdict's name."""
    said = set(STATED.findall(text))
    return said.pop() if len(said) == 1 else None


def _plain(label: object) -> str:
    return str(label).replace("_", "").casefold().rstrip("s")


def _whole(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _without(text: str, marks: str, rng: random.Random) -> str:
    at = rng.choice([i for i, char in enumerate(text) if char in marks] or [0])
    return text[:at] + text[at + 1 :]


def _quoting(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    at = rng.randrange(len(words) // 2)
    return " ".join([*words[:at], f'"{words[at]}"', *words[at + 1 :]])


def _first(text: str) -> str:
    value = json.loads(text)
    return json.dumps({"anomaly": value["anomaly"], **value})


def _with(text: str, marks: str, rng: random.Random) -> str:
    at = rng.randrange(len(text))
    return text[:at] + rng.choice(marks) + text[at:]


def _short(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(len(text))]


DAMAGE: dict[str, Callable[[str, random.Random], str]] = {
    "no commas between fields": lambda t, rng: t.replace('",\n', '"\n'),
    "a comma less": lambda t, rng: _without(t, ",", rng),
    "a quote less": lambda t, rng: _without(t, '"', rng),
    "a mark of JSON less": lambda t, rng: _without(t, '{}:,"', rng),
    "three marks less": lambda t, rng: _without(
        _without(_without(t, '{}:,"', rng), '{}:,"', rng), '{}:,"', rng
    ),
    "a mark more": lambda t, rng: _with(t, '"{}[]:,\\\n', rng),
    "a character less": lambda t, rng: _without(t, t, rng),
    "quotes within a text": _quoting,
    "single quotes": lambda t, rng: t.replace('"', "'"),
    "prose around it": lambda t, rng: f"Sure! Here is what I see:\n\n{t}\n\nI hope this helps.",
    "prose around it, a mark less": lambda t, rng: (
        f"I see:\n{_without(t, '{}:,', rng)}\nThat is all."
    ),
    "a fence in prose": lambda t, rng: f"Here:\n```json\n{t}\n```\nThat is all.",
    "cut short, verdict last": _short,
    "cut short, verdict first": lambda t, rng: _short(_first(t), rng),
}
"""Ways to break a reply, by name."""
