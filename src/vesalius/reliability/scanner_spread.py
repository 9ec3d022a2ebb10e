"""How far the grey values of different scanners are from one another, and what of an image may tell its scanner.

The spread is the standard deviation between scanners of five quantiles of the values inside the body, in units of the
range of an image's values (5 to 95 %, the mean over images): the root of the mean square over the quantiles. Where the
same patients were seen on several scanners, and link all of these, it is that within patients; else that of the
scanners' means, to which chance adds where a scanner has few patients.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.groups import linked
from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.metrics import bounds, resample, tied

QUANTILES = (10, 25, 50, 75, 90)  # per cent
REACH = (5, 95)
RESAMPLES = 500
FEWEST_PAIRED = 3  # patients on several scanners, from which on only these are compared
FLAT = 1e-6  # a range this small, relative to the largest value, is no contrast


@dataclass(frozen=True, eq=False)
class Levels:
    """What of each image the spread follows from: `quantiles` `(N, 5)` and `reach` `(N,)`, the range of its values."""

    quantiles: Array
    reach: Array


@dataclass(frozen=True)
class ScannerSpread:
    """The spread between scanners. `paired` says that it is within `patients` that were seen on several scanners."""

    value: Interval
    paired: bool
    patients: int
    scanners: tuple[str, ...]


def inside(channel: Array) -> Array:
    """Return which voxels of an image are brighter than its mean, `(Z, Y, X)` bool; all where none is."""
    chosen: Array = channel > channel.mean(dtype=np.float64)
    return chosen if chosen.any() else np.ones(channel.shape, bool)


def levels(channels: Sequence[Array], masks: Sequence[Array]) -> Levels:
    """Return the levels of images `(Z, Y, X)` inside masks that are the same whatever was done to the values."""
    found = [np.percentile(c[m], (*QUANTILES, *REACH)) for c, m in zip(channels, masks, strict=True)]
    table = np.array(found)
    return Levels(table[:, :-2], table[:, -1] - table[:, -2])


def spread(
    levels: Levels, scanners: Sequence[str], patients: Sequence[Hashable], *, seed: int = 0
) -> ScannerSpread:
    """Return the spread between scanners. Raises DataError for one scanner alone, or images without contrast."""
    names = sorted(set(scanners))
    if len(names) < 2:
        raise DataError(
            "a spread between scanners needs two of them",
            found=", ".join(names) or "none",
            hint="another --by",
        )
    scale = float(levels.reach.mean())
    if scale <= FLAT * max(1e-12, float(np.abs(levels.quantiles).max())):
        raise DataError("the images have no contrast left", found=f"a range of {scale:.3g}")
    code = np.array([names.index(s) for s in scanners])
    own: dict[Hashable, list[int]] = {}
    for k, patient in enumerate(patients):
        own.setdefault(patient, []).append(k)
    several = [p for p, rows in own.items() if len(set(code[rows])) > 1]
    paired = len(several) >= FEWEST_PAIRED and linked([{scanners[k] for k in own[p]} for p in several], names)
    if paired:
        within = {p: _between(levels.quantiles[own[p]], code[own[p]]) for p in several}
        each = np.array([within[p] for p in several])
        drawn = np.random.default_rng(seed).integers(len(several), size=(RESAMPLES, len(several)))
        value, others = np.sqrt(each.mean()), np.sqrt(each[drawn].mean(axis=1))
    else:
        value = np.sqrt(_between(levels.quantiles, code))
        index = resample(patients, np.random.default_rng(seed), RESAMPLES)
        full = [i for i in index if len(set(code[i])) == len(names)]
        others = centred(float(value**2), np.array([_between(levels.quantiles[i], code[i]) for i in full]))
    n = len(several) if paired else len(scanners)
    return ScannerSpread(
        bounds(float(value / scale), np.asarray(others) / scale, n),
        paired,
        len(several) if paired else len(own),
        tuple(names),
    )


def centred(variance: float, drawn: Array) -> Array:
    """Return deviations between groups on resamples, of their variances less what the resampling itself adds.

    Means of drawn patients vary once more than those of the patients, so that plain resamples lie above the figure.
    """
    if not len(drawn):
        return drawn
    return np.asarray(np.sqrt(np.maximum(drawn - (np.nanmean(drawn) - variance), 0.0)))


def _between(quantiles: Array, code: Array) -> float:
    """Return the variance between the scanners' means, the mean over quantiles."""
    means = np.array([quantiles[code == c].mean(axis=0) for c in np.unique(code)])
    return float(means.var(axis=0, ddof=1).mean())


def kept(before: Array, after: Array, mask: Array, *, most: int = 2000) -> float:
    """Return the rank correlation of an image's values inside a mask before and after: 1 where their order is kept."""
    one, two = before[mask], after[mask]
    step = max(1, len(one) // most)
    one, two = tied(one[::step]), tied(two[::step])
    if one.std() == 0 or two.std() == 0:
        return 0.0
    return float(np.corrcoef(one, two)[0, 1])


def telling(channel: Array, mask: Array) -> Array:
    """Return simple features `(F,)` of an image that may tell its scanner, or what is seen: levels, noise, and shading.

    They are quantiles inside the mask and of all of it, the mean and deviation, the size of differences between
    neighbours along each axis, and how bright each half is beside the other along each axis.
    """
    own = channel[mask].astype(np.float64)
    found = [*np.percentile(own, (1, *REACH, *QUANTILES, 99)), own.mean(), own.std()]
    found += [*np.percentile(channel, (1, 25, 50))]
    for axis in range(3):
        if channel.shape[axis] < 3:
            continue
        twice = np.diff(channel.astype(np.float64), n=2, axis=axis)
        found += [np.median(np.abs(twice)), np.abs(twice).mean()]
        first, second = np.array_split(np.where(mask, channel, np.nan), 2, axis=axis)
        halves = [np.nanmean(h) if np.isfinite(h).any() else own.mean() for h in (first, second)]
        found.append(halves[0] - halves[1])
    return np.array(found)
