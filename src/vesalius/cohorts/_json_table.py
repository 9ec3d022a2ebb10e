"""Tables in JSON: a list of records, JSON lines, or lists of records by split, where these hold reports."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius import formats
from vesalius.core.delimited import Table, decoded
from vesalius.core.errors import DataError, FormatError

LINES = (".jsonl", ".ndjson")
SUFFIXES = (".json", *LINES)
_LARGEST = 1 << 30
_HEAD = 1 << 16
_REPORT = re.compile(rb'"(reports?|findings|impression|narrative|caption|text|sections)"\s*:', re.I)
_RECORDS = re.compile(rb'\s*(?:\[\s*\{|\{\s*"(?:train|val|valid|validation|dev|test)"\s*:\s*\[\s*\{)', re.I)
_PARENTS = ("report", "sections", "text", "texts")  # what is below these is called as it is
_MOST_FILES = 16  # in one record


def is_table(path: Path) -> bool:
    """Return whether a file of JSON holds records of which the first has a report, as far as its beginning shows."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    begins = head.startswith(b"{") if suffix in LINES else _RECORDS.match(head) is not None
    return begins and _REPORT.search(head) is not None


def read(path: Path) -> Table:
    """Return the records' columns as text, None where a record has nothing of that name.

    Members of a member are called `outer.inner`, those of `report` and `sections` as they are. A list of names of files
    becomes a column each (`image_1`, `image_2`), any other list names between bars. Records by split get a column
    `split`. Raises DataError for a file that is no such table.
    """
    records = _records(path)
    if not records:
        raise DataError(f"{path} has no rows")
    columns: Table = {}
    for k, record in enumerate(records):
        for name, cell in _flat(record, "", path, k).items():
            column = columns.setdefault(name, [None] * k)
            column += [None] * (k - len(column)) + [cell]
    for column in columns.values():
        column += [None] * (len(records) - len(column))
    return columns


def _records(path: Path) -> list[Mapping[str, Any]]:
    try:
        if path.stat().st_size > _LARGEST:
            raise FormatError(f"{path} is too large for a table of reports")
        text = decoded(path.read_bytes()).replace("\0", "")
        if path.suffix.lower() in LINES:
            found = [_line(line, n, path) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
        else:
            found = _listed(json.loads(text), path)
    except OSError as error:
        raise FormatError(f"{path} cannot be read", found=error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} cannot be read as a table", found=f"no JSON: {error}"[:120]) from error
    for k, record in enumerate(found):
        if not isinstance(record, dict):
            raise FormatError(
                f"{path} cannot be read as a table", found=f"record {k + 1} is a {type(record).__name__}"
            )
    return found


def _line(line: str, number: int, path: Path) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise FormatError(f"{path} cannot be read as a table", found=f"no JSON in line {number}") from error


def _listed(data: Any, path: Path) -> list[Any]:
    """Return the records of a list, or of lists by split with the split among them."""
    if isinstance(data, list):
        return data
    if isinstance(data, dict) and data and all(isinstance(v, list) for v in data.values()):
        return [
            {"split": name, **record} if isinstance(record, dict) else record
            for name, records in data.items()
            for record in records
        ]
    raise FormatError(
        f"{path} cannot be read as a table", found=f"a {type(data).__name__}, no list of records"
    )


def _flat(record: Mapping[str, Any], before: str, path: Path, number: int) -> dict[str, str | None]:
    """Return a record's cells by column."""
    found: dict[str, str | None] = {}
    for key, value in record.items():
        name = f"{before}{key}"
        if isinstance(value, dict):
            inner = before if key.casefold() in _PARENTS else f"{name}."
            cells = _flat(value, inner, path, number)
        elif isinstance(value, list) and 1 < len(value) <= _MOST_FILES and all(map(_is_file, value)):
            cells = {f"{name}_{k}": v for k, v in enumerate(value, 1)}
        else:
            cells = {name: _cell(value)}
        if twice := found.keys() & cells.keys():
            raise FormatError(f"{path}: record {number + 1} has '{min(twice)}' twice")
        found |= cells
    return found


def _cell(value: Any) -> str | None:
    if value is None or value == "" or value == []:
        return None
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return "|".join(value)
    if isinstance(value, bool):
        return "1" if value else "0"
    return value if isinstance(value, str) else json.dumps(value)


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and value.casefold().endswith(formats.known_suffixes())
