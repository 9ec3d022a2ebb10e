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
    progress: Progress | bool | None = None,
) -> Path:
    """Write `cases` synthetic studies of a kind to the new folder `out` and return it.

    The same arguments give the same bytes. `kind` is one of `vesalius phantoms`; `format` one of the kind's formats, by
    default its first (`ct`: nifti, png, dicom). `options` are the kind's own; `size` and `assignment` are short for the
    options of these names. `ct` has the sizes small and full, or a grid `(Z, Y, X)`, and the assignments of treatment
    randomised and confounded. `without` makes the twins of the same patients, without a finding (`ct`: lesion).
    `truth.json` holds all that is known.

    Raises UnknownName for a kind, format, option or finding that does not exist, OutputError where `out` is not empty.
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
        progress=watched(progress),
    )
