"""Zones of a scene: named polygons, every version kept, as rows of the record."""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Sequence

from tools.errors import UserError
from tools.types import RuleStatus, Zone

__all__ = ["insert_zone", "unknown_zone", "zone_versions", "zones_of_scene"]


def zones_of_scene(connection: sqlite3.Connection, scene: str) -> dict[str, Zone]:
    """Latest version of each zone in use, by name."""
    rows = connection.execute(
        "SELECT record, max(version) FROM zones WHERE scene = ? GROUP BY name ORDER BY name",
        (scene,),
    )
    zones = [Zone.model_validate_json(row[0]) for row in rows]
    return {z.name: z for z in zones if z.status is RuleStatus.ACTIVE}


def zone_versions(connection: sqlite3.Connection, scene: str, name: str) -> tuple[Zone, ...]:
    """All versions of one zone, oldest first."""
    rows = connection.execute(
        "SELECT record FROM zones WHERE scene = ? AND name = ? ORDER BY version", (scene, name)
    )
    return tuple(Zone.model_validate_json(row[0]) for row in rows)


def insert_zone(connection: sqlite3.Connection, zone: Zone) -> None:
    connection.execute(
        "INSERT INTO zones (scene, name, version, record) VALUES (?, ?, ?, ?)",
        (zone.scene, zone.name, zone.version, zone.model_dump_json()),
    )


def unknown_zone(name: str, scene: str, known: Sequence[str]) -> UserError:
    """The error for a zone that was never defined, naming the nearest ones."""
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    if close:
        hint = "; did you mean " + " or ".join(f"“{n}”" for n in close) + "?"
    else:
        hint = "; it has " + ", ".join(known) if known else "; it has none yet"
    return UserError(
        f"no zone “{name}” in scene “{scene}”{hint}",
        remedy=f'vidocq rules zone add {name} --scene {scene} --polygon "X,Y X,Y X,Y"',
    )
