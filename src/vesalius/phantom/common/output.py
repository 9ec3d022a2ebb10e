"""Writing one of many files, and tables and JSON as text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vesalius.core.disk import output_errors
from vesalius.phantom.contract import Row


def put(path: Path, data: bytes) -> None:
    """Write one of many files of a cohort; truth.json is written last and shows that all of them are there."""
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def as_csv(rows: Sequence[Row], *, columns: Sequence[str] | None = None) -> str:
    """Return rows as a CSV with a header: those columns, or the first row's."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(columns or rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def as_json(value: Any) -> str:
    """Return plain values as indented JSON."""
    return json.dumps(value, indent=1) + "\n"
