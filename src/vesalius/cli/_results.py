"""What several verbs give to programs: a scorecard, a plan, the rows of a table."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vesalius.core.plan import Plan
    from vesalius.core.scorecard import Scorecard

_NAMES = ("case", "answer", "unit")  # columns that hold names, by what stands behind the last point
_WHOLE, _DECIMAL = (
    re.compile(r"-?(0|[1-9]\d*)"),
    re.compile(r"-?\d+\.\d+(e[+-]?\d+)?|-?\d+e[+-]?\d+", re.IGNORECASE),
)


def scorecard_data(card: Scorecard | None) -> dict[str, Any] | None:
    """Return a scorecard as it stands in `scorecard.json`; None without one."""
    if card is None:
        return None
    from vesalius.core.scorecard import as_json

    found: dict[str, Any] = json.loads(as_json(card))
    return found


def scorecard_warnings(card: Scorecard | None) -> list[tuple[str, str]]:
    """Return a scorecard's banners, and what is known of training cases among those scored."""
    if card is None:
        return []
    told = [(banner.kind, banner.text) for banner in card.banners]
    if card.overlap and not any(card.overlap in text for _, text in told):
        told.append(("training cases", card.overlap))
    return told


def plan_data(plan: Plan) -> dict[str, Any]:
    """Return a plan as it stands in `plan.json`."""
    found: dict[str, Any] = plan.model_dump(mode="json")
    return found


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table that `predict` wrote; none where there is no file.

    A column of which every cell is a number, or empty, holds numbers, and null where a cell is empty. `01` is not a
    number but a name. Columns of names (`case`, `answer`, `unit` and those of parts, such as `red.unit`) hold texts,
    whatever they look like: the unit of a count is `1`.
    """
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        names, found = list(reader.fieldnames or ()), list(reader)
    columns = {
        name: _cells([row[name] for row in found], text=name.rpartition(".")[2] in _NAMES) for name in names
    }
    return [{name: columns[name][i] for name in names} for i in range(len(found))]


def _cells(cells: list[str], *, text: bool) -> list[Any]:
    values = [None if cell == "" else cell if text else _number(cell) for cell in cells]
    return [cell or None for cell in cells] if "" in values else values


def _number(cell: str) -> float | str | None:
    """Return the number that a cell holds, None for one that is not finite, and an empty text where it holds none."""
    if _WHOLE.fullmatch(cell):
        return int(cell)
    if _DECIMAL.fullmatch(cell):
        return float(cell)
    return None if cell.lower() in ("nan", "inf", "-inf") and not math.isfinite(float(cell)) else ""
