"""Reading tables as columns of text: CSV, TSV, XLSX, Parquet, and records of reports in JSON."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

from vesalius.cohorts import _json_table
from vesalius.core.delimited import Table, cleaned, delimited, points
from vesalius.core.errors import DataError, closest_path

_READ_PARQUET = "import sys, polars; polars.read_parquet(sys.argv[1]).write_ipc_stream(sys.stdout.buffer)"


def read_table(path: Path) -> Table:
    """Return every column as text, None where a cell is empty; `1.0` in a column of whole numbers is `1`.

    Raises DataError for a file that cannot be parsed, has no rows, or has a column name twice.
    """
    return {name: cleaned(cells) for name, cells in read_cells(path).items()}


def read_cells(path: Path) -> Table:
    """Return every column as the text that stands in it, None where a cell is empty; no word is taken for missing.

    Numbers with a decimal comma, as spreadsheets of many countries save them, are written with a point. Raises
    DataError for a file that cannot be parsed, has no rows, or has a column name twice.
    """
    import polars as pl

    suffix = path.suffix.lower()
    if not path.is_file():
        raise DataError(f"no table at {path}", hint=closest_path(path, "a CSV, TSV, XLSX or Parquet file"))
    if suffix in _json_table.SUFFIXES:
        return _json_table.read(path)
    try:
        if suffix not in (".parquet", ".xlsx"):
            return points(*delimited(path))
        if suffix == ".parquet":
            frame = pl.read_ipc_stream(io.BytesIO(_by_child(path)))
        else:
            frame = pl.read_excel(path, engine="openpyxl")
    except DataError:
        raise
    except Exception as error:  # each engine raises its own types on damaged files
        raise DataError(
            f"{path} cannot be read as a table", found=f"{type(error).__name__}: {error}"[:200]
        ) from error
    if frame.height == 0:
        raise DataError(f"{path} has no rows", found=f"columns {', '.join(frame.columns[:6])}")
    columns = {n.strip(): frame[n].cast(pl.String, strict=False).to_list() for n in frame.columns}
    return points(columns, "\t") if suffix == ".xlsx" else columns


def _by_child(path: Path) -> bytes:
    """Return a Parquet file's table in Arrow's format, read by another process: damage can end the one that reads it.

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
