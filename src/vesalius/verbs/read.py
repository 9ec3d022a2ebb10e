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
    """Return the cohort at `path`: a folder, a table, an npz, a tree of DICOM series, or one image.

    The layout is found by looking, or named. Only headers are read; `inspect` and `fit` decode everything.
    `labels` says what stands for what among classes and masks' values: `{"benign": "Benign", "NA": "", "255": "1"}`.
    Raises DataError where nothing usable is found, UnknownName for a layout that does not exist.
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
