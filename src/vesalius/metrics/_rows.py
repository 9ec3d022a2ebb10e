"""Rows: one row a case, in columns; what every metric is computed from, and what is resampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vesalius.core.errors import DataError
from vesalius.core.image import Array


@dataclass(frozen=True, eq=False)
class Rows:
    """`columns` by name, each `(N, …)` in the order of `case_ids`; `info` is what holds for all of them.

    `prepared` keeps what is worth computing once for a thousand resamples, and `memo` what a `summary` finds out by
    itself on the first one, which no other table inherits. Raises DataError when the columns
    are not of one length.
    """

    case_ids: tuple[str, ...]
    columns: Mapping[str, Array]
    info: Mapping[str, Any] = field(default_factory=dict)
    prepared: Mapping[str, Array] = field(default_factory=dict, repr=False)
    memo: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if len(column) != len(self.case_ids):
                raise DataError(
                    f"column '{name}' must have a row a case", found=f"{len(column)} for {len(self.case_ids)}"
                )

    def __len__(self) -> int:
        return len(self.case_ids)

    def __getitem__(self, column: str) -> Array:
        return self.columns[column]
