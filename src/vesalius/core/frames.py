"""Frames: pandas, where it is installed, for tables that are polars' otherwise."""

from __future__ import annotations

import importlib
from typing import Any

from vesalius.core.errors import MissingExtra


def pandas() -> Any:
    """Return the module. Raises MissingExtra where it is not installed."""
    try:
        return importlib.import_module("pandas")
    except ModuleNotFoundError as error:
        raise MissingExtra("pandas", "pandas") from error


def as_pandas(table: Any) -> Any:
    """Return a polars DataFrame as a pandas DataFrame. Raises MissingExtra where pandas is not installed."""
    return pandas().DataFrame(table.to_dict(as_series=False))
