"""phantom: a synthetic cohort whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius.core.progress import Progress, watched
from vesalius.phantom import make


def phantom(
    out: Path | str,
    *,
    kind: str = "ct",
    cases: int = 60,
    seed: int = 0,
    size: str | tuple[int, int, int] | None = None,
    format: str | None = None,
    assignment: str | None = None,
    options: Mapping[str, Any] | None = None,
    without: str | None = None,
    faults: Mapping[str, float] | str | None = None,
    progress: Progress | bool | None = None,
) -> Path:
    """Write synthetic studies whose truth is known to a new folder; the same arguments give the same bytes.

    Args:
        out: A new folder; `truth.json` in it holds all that is known, and `README.md` says what is what.
        kind: What is imaged; one of `vesalius phantoms`.
        cases: How many patients.
        seed: Another seed gives other patients.
        size: Short for the option of that name; `ct` has `small`, `medium`, `full`, or a grid `(Z, Y, X)`.
        format: One of the kind's formats, by default its first; `ct` has `nifti`, `png` and `dicom`.
        assignment: Short for the option of that name; how `ct` assigns treatment: `randomised` or
            `confounded`.
        options: The kind's own options by name.
        without: A finding to leave out, for the twins of the same patients; `ct` has `lesion`.
        faults: What is planted into the cohort once it is drawn, and in which share of its cases; names from
            `vesalius faults`: `{"wrong_labels": 0.2}`. `truth.json` says which case got which.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        The folder.

    Raises:
        UnknownName: There is no such kind, format, option, finding or fault.
        DataError: The cohort lacks what a fault needs: classes, masks, a spacing.
        OutputError: `out` is not empty.
    """
    short = {"size": size, "assignment": assignment}
    given = {name: value for name, value in short.items() if value is not None}
    return make(
        out,
        kind=kind,
        cases=cases,
        seed=seed,
        format=format,
        options={**(options or {}), **given},
        without=without,
        faults=faults,
        progress=watched(progress),
    )
