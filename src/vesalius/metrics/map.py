"""Metrics of Map: how near a field is to the one that it ought to be, by PSNR, SSIM and mean absolute error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from vesalius.core import grids
from vesalius.core.answers.map import Map
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.metrics._rows import Rows

ANSWER = "Map"
DESCRIPTIONS = {
    "psnr": {
        "text": "peak signal-to-noise ratio",
        "better": "higher",
        "low": None,
        "high": None,
        "unit": "dB",
    },
    "ssim": {"text": "structural similarity", "better": "higher", "low": -1.0, "high": 1.0, "unit": ""},
    "mae": {
        "text": "mean absolute error",
        "better": "lower",
        "low": 0.0,
        "high": None,
        "unit": "the image's",
    },
}
MOST_DB = 100.0  # of images that are the same, whose ratio has no end
_SIGMA, _K1, _K2 = 1.5, 0.01, 0.03


def rows(answers: Sequence[Map], truths: Sequence[Image]) -> Rows:
    """Return a row a case. Raises DataError where a truth lies on another grid."""
    return of_figures(
        [measured(a, t) for a, t in zip(answers, truths, strict=True)], [a.case_id for a in answers]
    )


def measured(answer: Map, truth: Image) -> dict[str, float]:
    """Return every metric of one answer. Raises DataError where the truth lies on another grid."""
    x, y = answer.image.array.astype(np.float64), truth.array.astype(np.float64)
    if x.shape != y.shape:
        raise DataError("the field and the truth lie on different grids", found=f"{x.shape} and {y.shape}")
    if (apart := grids.difference(answer.image, truth)) is not None:
        raise DataError("the field and the truth lie on different grids", found=apart)
    return {"psnr": psnr(x, y), "ssim": ssim(x, y), "mae": float(np.abs(x - y).mean())}


def of_figures(measured: Sequence[dict[str, float]], case_ids: Sequence[str]) -> Rows:
    """Return the rows of what was measured a case at a time."""
    columns = {name: np.array([one[name] for one in measured], dtype=np.float64) for name in DESCRIPTIONS}
    return Rows(tuple(case_ids), columns, {})


def joined(first: Rows, second: Rows) -> Rows:
    """Return the rows of two tables."""
    columns = {name: np.concatenate([first[name], second[name]]) for name in first.columns}
    return Rows((*first.case_ids, *second.case_ids), columns, first.info)


def summary(rows: Rows, index: Array) -> dict[str, float]:
    """Return the mean of each metric over cases."""
    return {name: float(rows[name][index].mean()) for name in DESCRIPTIONS}


def counts(rows: Rows) -> dict[str, int]:
    """Return every metric speaks of all cases."""
    return {}


def excluded(rows: Rows) -> dict[str, int]:
    """Nothing is left out."""
    return {}


def baseline(truths: Iterable[Image]) -> float:
    """Return the trivial answer: the mean of all training truths, the same everywhere."""
    means = [float(truth.array.mean()) for truth in truths]
    return float(np.mean(means)) if means else 0.0


def psnr(x: Array, y: Array) -> float:
    """Return 10 log10(R² / MSE) in dB, R being the truth's own reach; `MOST_DB` at most, as of equal images."""
    error = float(((x - y) ** 2).mean())
    reach = float(np.ptp(y)) or 1.0
    return min(MOST_DB, 10 * float(np.log10(reach**2 / error))) if error > 0 else MOST_DB


def ssim(x: Array, y: Array) -> float:
    """Return the mean structural similarity over voxels and channels `(C, Z, Y, X)`.

    With a Gaussian window of 1.5 voxels along each axis of more than one voxel, over 11 voxels, and the truth's own
    reach; the border of 5 voxels, where the window reaches beyond the image, is left out where there is enough inside.
    Source: Wang, Bovik, Sheikh, Simoncelli, IEEE Transactions on Image Processing 13:600, 2004.
    """
    from scipy.ndimage import gaussian_filter

    reach = float(np.ptp(y)) or 1.0
    c1, c2 = (_K1 * reach) ** 2, (_K2 * reach) ** 2
    found = []
    for a, b in zip(x, y, strict=True):
        sigma = [_SIGMA if n > 1 else 0.0 for n in a.shape]

        def mean(z: Array, sigma: Sequence[float] = sigma) -> Array:
            made: Array = gaussian_filter(z, sigma, truncate=3.5)
            return made

        ma, mb = mean(a), mean(b)
        va, vb, both = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
        field = ((2 * ma * mb + c1) * (2 * both + c2)) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
        inner = tuple(slice(5, -5) if n > 10 else slice(None) for n in field.shape)
        found.append(float(field[inner].mean()))
    return float(np.mean(found))
