"""Subset: some rows of a table as a table of their own, with the summary that speaks of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from vesalius.core.image import Array
from vesalius.metrics._rows import Rows

Summary = Callable[[Rows, Array], Mapping[str, float]]


@dataclass(frozen=True, eq=False)
class Subset:
    """Rows of some cases. `summary` takes them and the indexes of a resample; `counts` as a metric file has it.

    `by_place` says that the rows hold only where the cases stand in the whole table, which `summary` knows.
    """

    rows: Rows
    summary: Summary
    counts: Mapping[str, int]
    occurrences: Mapping[str, tuple[int, int, int]]
    by_place: bool = False


def subset(judge: ModuleType, rows: Rows, index: Array) -> Subset:
    """Return the rows at `index`, in that order.

    A table that holds something prepared is made anew by the `joined` of its metric file. A file without that function
    is asked about the whole table at those indexes, and each of its metrics is taken to speak of all these cases.
    """
    index = np.asarray(index, dtype=np.int64)
    if rows.prepared and not hasattr(judge, "joined"):
        held = Rows(tuple(rows.case_ids[k] for k in index), {"place": index}, rows.info)
        return Subset(held, lambda some, at: judge.summary(rows, some["place"][at]), {}, {}, True)
    made = _bare(rows, index)
    if rows.prepared:
        made = judge.joined(_bare(rows, index[:1]), _bare(rows, index[1:]))
    seen = getattr(judge, "occurrences", None)
    return Subset(made, judge.summary, judge.counts(made), seen(made) if seen is not None else {})


def _bare(rows: Rows, index: Array) -> Rows:
    columns = {name: column[index] for name, column in rows.columns.items()}
    return Rows(tuple(rows.case_ids[k] for k in index), columns, rows.info)
