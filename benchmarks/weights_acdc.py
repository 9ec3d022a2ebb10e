"""A fifth of ACDC's patients, slice by slice: weights of ImageNet against from nothing, at most 90 s a fit, paired."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import _fits, _quick, _slices
from benchmarks._figures import Figure
from vesalius.verbs.compare import compare

SECTION = "Weights of others"
SOAK = False
SEEDS = (0, 1, 2)
LIMIT = "90s"
LEARN, JUDGE = 17, 30  # patients: a fifth of 86, and others on whom both are judged
ARMS = {"default": (), "from nothing": ("--init", "none")}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Two fits a seed, resumed where interrupted, and their paired difference. Quick: a phantom's pictures."""
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        learned, judged = (_quick.masks(folder),) * 2 if quick else _cohorts(seed)
        done = {}
        for arm, words in ARMS.items():
            name = f"weights-acdc-{seed}-{arm.replace(' ', '-')}"
            done[arm] = _fits.resumed(
                learned,
                folder / name if quick else Path(name),
                limit=_quick.LIMIT if quick else LIMIT,
                seed=seed,
                options=(*words, *(_quick.OPTIONS if quick else ())),
                test_split=False,
            )
            rows.append(_fits.wall(done[arm], seed))
        rows.append(_paired(done["from nothing"].run, done["default"].run, judged, seed, quick=quick))
    return rows


def _paired(first: Path, second: Path, data: Path, seed: int, *, quick: bool) -> Figure:
    """Return by how much the default is ahead on patients that neither has seen."""
    if quick:
        found = compare(first, second)
    else:
        found = compare(first, second, data)
    one = found.differences["dice"]
    value = "not defined" if one.difference is None else f"{one.difference:+.4f}"
    bounds = "" if one.low is None or one.high is None else f" [{one.low:+.4f}, {one.high:+.4f}]"
    note = f"{one.first:.4f} from nothing, {one.second:.4f} by default; {found.n_patients} patients, {one.n} slices"
    held = None if quick else bool(one.low is not None and one.low > 0)
    return Figure(
        "dice, default less from nothing", value + bounds, "interval above 0", held, str(seed), note
    )


def _cohorts(seed: int) -> tuple[Path, Path]:
    """Return the slices to learn from and those to judge by: patients that the seed draws, none in both."""
    source = _fits.shared("acdc")
    patients = _slices.acdc_patients(source)
    drawn = [patients[k] for k in np.random.default_rng(seed).permutation(len(patients))]
    out = _fits.KEPT / f"acdc-slices-{seed}"
    learned = _slices.acdc(source, out / "learned", patients=drawn[:LEARN])
    return learned, _slices.acdc(source, out / "judged", patients=drawn[LEARN : LEARN + JUDGE])
