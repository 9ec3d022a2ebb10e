"""The tables that an export holds: the cohort of what is settled, its boxes, and every reading with who and when."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.core.cohort import Label
from vesalius.run.annotation.asks import kind_of
from vesalius.run.annotation.export import READINGS, Export
from vesalius.run.annotation.reading import Reading
from vesalius.run.ledger import as_csv

BOX = ("case", "label", "x0", "y0", "z0", "x1", "y1", "z1")  # high excluded, pixels counted from 0


def as_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV, with every column that some row fills."""
    heads = [
        h for h in dict.fromkeys(n for row in rows for n in row) if any(r.get(h) is not None for r in rows)
    ]
    return as_csv([{h: row.get(h) for h in heads} for row in rows])


def boxes_table(boxes: Mapping[str, Sequence[Mapping[str, Any]]], *, flat: bool) -> str:
    """Return a row a box by case id; of a case without one a row without coordinates, which says so.

    Where all images are `flat`, boxes have no z.
    """
    columns = [name for name in BOX if not flat or not name.startswith("z")]
    rows: list[dict[str, Any]] = []
    for case, held in boxes.items():
        for box in held:
            low, high = box["low"][::-1], box["high"][::-1]
            made = dict(zip(BOX, (case, box["label"], *map(_plain, (*low, *high))), strict=True))
            rows.append({name: made[name] for name in columns})
        if not held:
            rows.append({name: case if name == "case" else None for name in columns})
    return as_csv(rows)


def _plain(value: float) -> str:
    return f"{value:.6g}"


def label_names(labels: Sequence[Label], columns: Sequence[str]) -> str:
    """Return the dataset.json beside a table: what the values in the masks of its columns stand for."""
    names = {"background": 0, **{x.name: x.value for x in labels}}
    return json.dumps({"labels": names, "masks": list(columns)}, indent=1, ensure_ascii=False) + "\n"


def readings_table(export: Export, done: Sequence[Reading], drawn: Mapping[str, Path]) -> str:
    """Return a row a reading: whose, when, how long, from what it began, and what it says."""
    rows = []
    for reading in done:
        said: dict[str, Any] = {}
        for ask in export.project.asks:
            value = reading.content.get(ask.kind)
            kind, path = kind_of(ask.kind), drawn.get(reading.id)
            if value is not None and not (kind.drawn and path is None):
                place = "" if path is None else path.relative_to(export.out / READINGS).as_posix()
                said |= kind.told(value, ask.labels, place)
        start = reading.start
        rows.append(
            {
                "case": export.cases[reading.case].id,
                "annotator": reading.annotator,
                "caller": reading.caller,
                "role": reading.role,
                "version": reading.version,
                "at": reading.at,
                "seconds": round(export.seconds(reading), 1),
                "start": start.kind,
                "start_name": start.name or None,
                "start_bundle": start.bundle or None,
                "start_changed": None if start.changed is None else ("yes" if start.changed else "no"),
                "note": reading.note or None,
                **said,
            }
        )
    return as_table(rows)
