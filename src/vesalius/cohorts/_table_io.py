"""Reading tables as columns of text: CSV, TSV, XLSX and Parquet."""

from __future__ import annotations

import codecs
import io
import re
import subprocess
import sys
from pathlib import Path

from vesalius.core.errors import DataError

Table = dict[str, list[str | None]]

_READ_PARQUET = "import sys, polars; polars.read_parquet(sys.argv[1]).write_ipc_stream(sys.stdout.buffer)"
_WHOLE = re.compile(r"-?\d+\.0+")


def read_table(path: Path) -> Table:
    """Every column as text, None where a cell is empty; `1.0` in a column of whole numbers is `1`.

    Raises DataError for a file that cannot be parsed, has no rows, or has a column name twice.
    """
    import polars as pl

    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            frame = pl.read_ipc_stream(io.BytesIO(_by_child(path)))
        elif suffix == ".xlsx":
            frame = pl.read_excel(path, engine="openpyxl")
        elif suffix in (".csv", ".tsv", ".txt"):
            text = _decoded(path.read_bytes())
            frame = pl.read_csv(text.encode(), separator=_separator(text, suffix), infer_schema=False)
        else:
            raise DataError(f"{path} is no table that is read here", hint="CSV, TSV, XLSX or Parquet")
    except DataError:
        raise
    except Exception as error:  # each engine raises its own types on damaged files
        raise DataError(
            f"{path} cannot be read as a table", found=f"{type(error).__name__}: {error}"[:200]
        ) from error
    if frame.height == 0:
        raise DataError(f"{path} has no rows", found=f"columns {', '.join(frame.columns[:6])}")
    return {
        name.strip(): cleaned(frame[name].cast(pl.String, strict=False).to_list()) for name in frame.columns
    }


def _by_child(path: Path) -> bytes:
    """A Parquet file's table in Arrow's format, read by a process of its own: damage can end that which reads it.

    Raises DataError where it did.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", _READ_PARQUET, str(path)], capture_output=True, check=False
    )
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise DataError(
            f"{path} cannot be read as a table", found=(words[-1] if words else "a damaged file")[:200]
        )
    return done.stdout


def _decoded(data: bytes) -> str:
    """Text as spreadsheets save it: UTF-16 by its mark, UTF-8, or what Windows writes in the West."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _separator(text: str, suffix: str) -> str:
    if suffix == ".tsv":
        return "\t"
    head = text.partition("\n")[0]
    counts = {s: head.count(s) for s in (",", ";", "\t")}
    best = max(counts, key=lambda s: counts[s])
    return best if counts[best] else ","


def cleaned(cells: list[str | None]) -> list[str | None]:
    """Cells without blanks around them, None where nothing is left; `1.0` among whole numbers becomes `1`."""
    stripped = [None if c is None or not c.strip() else c.strip() for c in cells]
    held = [c for c in stripped if c is not None]
    if held and all(_WHOLE.fullmatch(c) or c.lstrip("-").isdecimal() for c in held):
        return [c.partition(".")[0] if c is not None else None for c in stripped]
    return stripped
