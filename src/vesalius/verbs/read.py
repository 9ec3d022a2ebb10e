"""read: a path to a cohort, or one file to an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vesalius import cohorts
from vesalius.core.cohort import Cohort


def read(
    path: Path | str,
    *,
    layout: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: Path | str | None = None,
    labels: Mapping[str, str] | None = None,
    max_set_aside: float = 0.10,
) -> Cohort:
    """Return the cohort at `path`, found by looking, or as the named layout.

    Only headers are read; `inspect` and `fit` decode everything.

    Args:
        path: A folder, a table, an npz, a tree of DICOM series, or one image.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        target: The target to learn, where there are several; or a table's column that is one.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        split: A CSV with the columns `case,split` that says which case is for training, validation or test.
        labels: What stands for what among classes and masks' values: `{"NA": "", "255": "1"}`.
        max_set_aside: The share of faulty cases to bear.

    Returns:
        The cases with their targets, what was set aside and why, and the hash of it all.

    Raises:
        DataError: Nothing usable is there, or more than `max_set_aside` is faulty.
        UnknownName: There is no layout, target or column of that name.
    """
    return cohorts.read(
        path,
        layout=layout,
        target=target,
        columns=columns,
        split=split,
        labels=labels,
        max_set_aside=max_set_aside,
    )
