"""Cells in stained blood smears (BCCD) by the defaults within thirty minutes: boxes, and counts of each sort."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _fits, _quick
from benchmarks._figures import Figure, at_least, at_most
from vesalius import cohorts

SECTION = "Boxes, counts, numbers and grades"
SOAK = False
SEEDS = (0, 1)
LIMIT = "30m"
BAR, AIM = 0.80, 0.88  # average precision at an IoU of .5
RELATIVE = 0.15  # mean relative error of the count of red cells
SORTS = ("Platelets", "RBC", "WBC")


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit a seed on the data's own 205 pictures, resumed where it was interrupted, and its 87 as test.

    Quick: a phantom's smears.
    """
    data = _quick.smears(folder) if quick else _fits.shared("bccd")
    sorts = _quick.CELLS if quick else SORTS
    rows = [_named(data)]
    done = []
    for seed in _quick.SEEDS if quick else seeds:
        fitted = _fits.resumed(
            data,
            folder / f"quick-{seed}" if quick else Path(f"bccd-{seed}"),
            limit=_quick.LIMIT if quick else LIMIT,
            seed=seed,
            options=("--target", "boxes", *(_quick.OPTIONS if quick else ())),
            test_split=not quick,
        )
        done.append(fitted)
        names = ["ap50", "ap", *(f"ap50/{s}" for s in sorts), *(f"count_relative/{s}" for s in sorts)]
        rows += [
            *_fits.beside(fitted, [*names, *(f"count_bias/{s}" for s in sorts)], seed),
            _fits.wall(fitted, seed),
        ]
    known = [f for f in done if _value(f, "ap50") is not None]
    if known:
        note = f"aim {AIM}; the mean of {len(known)} seeds"
        rows.append(at_least("mean ap50", _fits.mean(known, "ap50"), BAR, note=note))
        red = f"count_relative/{sorts[1]}"
        if all(_value(f, red) is not None for f in known):
            rows.append(at_most(f"mean {red}", _fits.mean(known, red), RELATIVE))
    return rows


def _value(fitted: _fits.Fitted, name: str) -> float | None:
    found = fitted.card.metrics.get(name)
    value = None if found is None else found.value
    return None if value is None or not math.isfinite(value) else value


def _named(data: Path) -> Figure:
    """Return which boxes are named as faulty where the data are read."""
    doubts = [q for q in cohorts.read(data).doubts if "box" in q.what]
    said = "; ".join(f"{q.what}: {q.found}" for q in doubts)
    return Figure("boxes that are named as faulty", str(len(doubts)), note=said)
