"""Tables of text, CSV and TSV as spreadsheets save them: separators, encodings, decimal commas, words for nothing."""

from __future__ import annotations

import codecs
import csv
import io
import re
from pathlib import Path

from vesalius.core.errors import DataError

Table = dict[str, list[str | None]]

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SEP_LINE = re.compile(r'"?sep=(.)"?[ \t]*\r?\n', re.I)
_COMMA = re.compile(r"[-+]?([1-9]\d{0,2}(\.\d{3})+|\d*)(,\d+)?([eE][-+]?\d+)?")
_WHOLE = re.compile(r"-?\d+\.0+")

ABSENT = {
    "nan",
    "null",
    "#n/a",
    "#na",
    "<na>",
    "nat",
}  # what programs write for nothing; no class is called so
WORDS = ABSENT | {
    "none",
    "na",
    "n/a",
    "?",
    "missing",
    "-",
    "--",
    "n.a.",
    "n. a.",
}  # what may mean that nothing is known


Rows = list[tuple[int, list[str]]]  # each with its line's number


def read_rows(path: Path) -> tuple[Rows, str]:
    """Return the rows of a CSV or TSV that are not empty, each with its line's number, and what parts their cells.

    Raises DataError for a file that cannot be parsed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read", found=error.strerror or str(error)) from error
    if b"\0" in data[:4096] and not data.startswith(_UTF16):
        raise DataError(
            f"{path} is not a table of a known type", found="no text", hint="CSV, TSV, XLSX or Parquet"
        )
    text = decoded(data)
    told = _SEP_LINE.match(text)  # as Excel writes it for itself
    text = text[told.end() :] if told else text
    separator = told.group(1) if told else _separator(text, path.suffix.lower())
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        rows += ((reader.line_num, row) for row in reader if any(c.strip() for c in row))
    except csv.Error as error:
        raise DataError(
            f"{path} cannot be read as a table",
            found=f"a quotation mark or a cell that does not end, near line {reader.line_num}",
            hint="save it as CSV again, with text in quotation marks",
        ) from error
    return rows, separator


def delimited(path: Path) -> tuple[Table, str]:
    """Return the columns of a CSV or TSV as text, and the character between its cells. Raises DataError."""
    rows, separator = read_rows(path)
    return with_header(rows, separator, path), separator


def with_header(rows: Rows, separator: str, path: Path) -> Table:
    """Return the columns of rows of which the first holds their names. Raises DataError, which names `path`."""
    if len(rows) < 2:
        raise DataError(f"{path} has no rows", found=f"columns {', '.join(rows[0][1][:6])}" if rows else None)
    (_, head), *body = rows
    for line, row in body:
        if any(c.strip() for c in row[len(head) :]):
            raise DataError(
                f"{path} cannot be read as a table",
                found=f"{len(row)} cells in line {line} and {len(head)} in the first",
                hint=f"quotation marks around cells that hold '{separator}'",
            )
    columns: Table = {}
    for k, name in enumerate(n.strip() for n in head):
        cells = [(row[k] or None) if k < len(row) else None for _, row in body]
        if not name and not any(cells):
            continue  # spreadsheets leave separators at the ends of lines
        if name and name in columns:
            raise DataError(f"{path} has the column '{name}' twice", hint="another name for one of them")
        columns[name if name not in columns else f"column {k + 1}"] = cells
    return columns


def without_header(rows: Rows, path: Path) -> Table:
    """Return the columns of rows of which the first is one of data, too; they are called `1`, `2`, `3` …

    Raises DataError, which names `path`, where rows differ in their number of cells.
    """
    widths = {len(row) for _, row in rows}
    if len(widths) > 1:
        line, row = next((n, r) for n, r in rows if len(r) != len(rows[0][1]))
        raise DataError(
            f"{path} cannot be read as a table",
            found=f"{len(row)} cells in line {line} and {len(rows[0][1])} in the first",
        )
    return {str(k + 1): [row[k] or None for _, row in rows] for k in range(widths.pop() if rows else 0)}


def points(table: Table, separator: str) -> Table:
    """Return the table with decimal points in columns of numbers that have decimal commas.

    Cells between commas are left as they are, and so are those where all commas could stand between thousands, unless
    semicolons are between the cells: whoever writes those writes decimal commas.
    """
    if separator == ",":
        return table
    return {name: _point(cells, separator) for name, cells in table.items()}


def _point(cells: list[str | None], separator: str) -> list[str | None]:
    held = [c.strip() for c in cells if c is not None and c.strip().casefold() not in WORDS]
    if not any("," in c for c in held) or not all(_COMMA.fullmatch(c) for c in held):
        return cells
    if separator != ";" and all(re.search(r",\d{3}$", c) for c in held if "," in c):
        return cells
    return [c if c is None or c.strip().casefold() in WORDS else _pointed(c) for c in cells]


def _pointed(cell: str) -> str:
    return cell.replace(".", "").replace(",", ".")


def decoded(data: bytes) -> str:
    """Return text as spreadsheets save it: UTF-16 by its mark, UTF-8, or what Windows writes in the West."""
    if data.startswith(_UTF16):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _separator(text: str, suffix: str) -> str:
    """Return what stands between the cells of the first line, outside quotation marks."""
    head = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").partition("\n")[0])
    if suffix == ".tsv" and "\t" in head:
        return "\t"
    counts = {s: head.count(s) for s in (",", ";", "\t", "|")}
    best = max(counts, key=lambda s: counts[s])
    return best if counts[best] else ","


def cleaned(cells: list[str | None]) -> list[str | None]:
    """Return the cells without surrounding blanks, None for empty ones; `1.0` among whole numbers becomes `1`."""
    stripped = [None if c is None or not c.strip() else c.strip() for c in cells]
    held = [c for c in stripped if c is not None]
    if held and all(_WHOLE.fullmatch(c) or c.lstrip("-").isdecimal() for c in held):
        return [c.partition(".")[0] if c is not None else None for c in stripped]
    return stripped
