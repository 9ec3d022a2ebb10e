"""phantom: a synthetic cohort whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from vesalius.core.progress import Progress
from vesalius.phantom.write import make


def phantom(
    out: Path | str,
    *,
    cases: int = 60,
    seed: int = 0,
    size: Literal["small", "full"] | tuple[int, int, int] = "small",
    format: Literal["nifti", "png", "dicom"] = "nifti",
    assignment: Literal["randomised", "confounded"] = "randomised",
    progress: Progress | None = None,
) -> Path:
    """Write `cases` synthetic abdominal CT studies to `out`; the same arguments give the same bytes.

    `size` may also be a grid `(Z, Y, X)`. `assignment` says how treatment was given: at random, or by a stated
    propensity. `truth.json` holds all that is known. Raises OutputError where `out` is not empty.
    """
    return make(
        out, cases=cases, seed=seed, size=size, write=format, assignment=assignment, progress=progress
    )
