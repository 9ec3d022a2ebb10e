"""Age from chest X-rays of a phantom: error, promised intervals, and beside it a ridge on pixels and an oracle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _fits, _quick
from benchmarks._figures import Figure
from benchmarks.ages import ages, figures, ridge
from vesalius import cohorts, formats
from vesalius.core.case import Case, Ref
from vesalius.core.image import Array
from vesalius.verbs.phantom import phantom

SECTION = "Boxes, counts, numbers and grades"
SOAK = False
SEEDS = (0, 1)
LIMIT = "1h"  # the steps are fixed
STEPS = 500  # of each of five members
PEOPLE, SIZE = 600, 96  # whose chest is X-rayed, and pixels along each side
TELLS = ("aorta_mm", "bone_density")  # of the phantom's truth: what an age shows in


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit a seed on the same films. Quick: few films."""
    made = phantom(folder / "chests", kind="chest", cases=40 if quick else PEOPLE, options={"size": SIZE})
    table = made / "cohort.csv"
    return [
        figure
        for seed in (_quick.SEEDS if quick else seeds)
        for figure in _of_pictures(table, folder, seed, quick=quick)
    ]


def _of_pictures(table: Path, folder: Path, seed: int, *, quick: bool) -> list[Figure]:
    fitted = _fits.fit(
        table,
        folder / f"pictures-{seed}",
        limit=_quick.LIMIT if quick else LIMIT,
        seed=seed,
        options=(
            "--target",
            "age",
            "--init",
            "none",
            *(_quick.OPTIONS if quick else ("--set", f"train.steps={STEPS}")),
        ),
        test_split=not quick,
    )
    cohort = cohorts.read(table, target="age")
    inside = {case["case"] for case in fitted.card.cases}
    learned = [c for c in cohort if c.id not in inside]
    tested = [cohort.case(case["case"]) for case in fitted.card.cases]
    x, new = (np.stack([_pixels(c) for c in some]) for some in (learned, tested))
    known = {one["id"]: [one[name] for name in TELLS] for one in _truths(table.parent)}
    told, asked = (np.array([known[c.id] for c in some], dtype=np.float64) for some in (learned, tested))
    known_ages = ages(learned)
    peers = {
        "ridge on pixels": ridge(x, known_ages, new, seed=seed),
        "the oracle, a line through what an age shows in": ridge(told, known_ages, asked, seed=seed),
    }
    return figures("chest phantom", fitted, peers, known_ages, seed)


def _truths(folder: Path) -> list[dict[str, Any]]:
    """Return what is known of each person of a phantom."""
    found = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return list(found["cases"] if isinstance(found, dict) else found)


def _pixels(case: Case) -> Array:
    """Return a picture's pixels, blocks of two by two as their mean."""
    item = case.image
    image = formats.read(item) if isinstance(item, Ref) else item
    plane = np.asarray(image.array, dtype=np.float64).mean(axis=0)[0]  # type: ignore[union-attr]
    y, x = (n // 2 * 2 for n in plane.shape)
    return np.asarray(plane[:y, :x].reshape(y // 2, 2, x // 2, 2).mean(axis=(1, 3)).ravel())
