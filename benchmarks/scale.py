"""Scaling: the largest net and the full cohort forecast from smaller ones on fewer labels. About 10 to 20 minutes.

Ten phantoms of their own, each with a grid that the verb makes; the check of the verb's result is what is counted. It
goes on where it was. All parameters below were fixed before any run.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import vesalius as vs
from benchmarks import _record
from benchmarks._figures import Figure, at_least, at_most
from vesalius.core.errors import DataError
from vesalius.run.scaling.study import Check

SECTION = "Scaling"
SOAK = True
SEEDS = tuple(range(10))
CASES, CONTRAST, SIDE = 480, 45.0, 28
SIZES, SHARES = (0.125, 0.25, 0.5, 1.0), (0.125, 0.25, 0.5, 1.0)
FITS = 2  # at every place
STEPS, BATCH = 200, 16
LIMIT_S = 100 * 60.0  # after which no further seed is begun
SETTINGS = {"net.name": "cnn", "data.size": [1, SIDE, SIDE], "train.batch": BATCH, "train.steps": STEPS}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """One grid a seed, with a phantom of its own. Quick: two sizes and four shares of 60 pictures, two steps."""
    began, checks = time.monotonic(), []
    for seed in seeds[:1] if quick else SEEDS:
        if not quick and time.monotonic() - began > LIMIT_S:
            break
        checks.append(_checked(folder, seed, quick=quick))
    return figures(checks)


def _checked(folder: Path, seed: int, *, quick: bool) -> Check:
    """Return the check of one seed's grid. Raises DataError where its fits failed."""
    place = folder if quick else _record.ROOT / "runs" / "benchmarks"
    data, out = place / f"scale-data-{seed}", place / f"scale-{seed}"
    if not data.exists():
        cases = 60 if quick else CASES
        vs.phantom(data, kind="spots", cases=cases, seed=seed, options={"contrast": CONTRAST, "size": SIDE})
    settings = {**SETTINGS, **({"train.steps": 2, "train.batch": 4} if quick else {})}
    found = vs.scale(
        data,
        out,
        sizes=(0.125, 0.25) if quick else SIZES,
        shares=(0.25, 0.5, 0.75, 1.0) if quick else SHARES,
        lengths=(1,),
        seeds=(0,) if quick else tuple(FITS * seed + k for k in range(FITS)),
        settings=settings,
        progress=False,
    )
    study = found.study()
    if study is None or study.check is None:
        raise DataError("a grid has no check", found=str(out))
    return study.check


def figures(checks: Sequence[Check]) -> list[Figure]:
    """How often the interval held, how wide it was beside the spread of what was measured, and the errors."""
    wide = [c.forecast.width / c.spread for c in checks if c.forecast.width is not None and c.spread > 0]
    by_law = sum(c.forecast.by == "law" for c in checks)
    errors, carried = [c.error for c in checks], [c.carried_error for c in checks]
    many = len(checks)
    note = f"of {many} seeds, {by_law} by a law"
    found = [
        at_least(
            "forecasts within their 90 % interval", float(sum(c.held for c in checks)), 8, digits=0, note=note
        ),
        at_most(
            "mean error of the forecast",
            fmean(errors),
            fmean(carried),
            digits=4,
            note="carried forward: asked",
        ),
    ]
    if wide:
        widest = f"mean {fmean(wide):.3f}"
        found.append(at_most("widest interval / spread of the measured places", max(wide), 0.5, note=widest))
    return found
