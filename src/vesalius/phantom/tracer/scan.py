"""The scan of a body: motion, the scanner's blur, scatter, attenuation, counts and how the image is displayed.

It is simulated in the image: counts are drawn by voxel and not by line of response, so that noise is Poisson's and
stronger in the middle of the body, but without the streaks of projections. Attenuation is corrected and scatter is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.tracer.body import DIAPHRAGM_MM, Body

ATTENUATION_PER_MM = 0.0096  # of water at 511 keV
SCATTER_SIGMA_MM = 60.0
COUNTS = (1.6e5, 1.6e3)  # of a plane of 4 mm, all detected events: from the best scan to the worst
MOTION_MM = 12.0  # the largest standard deviation of the diaphragm's place
SCATTER = (0.10, 0.55)
PHASES = 8  # of a breath
FWHM = 2.3548  # of a Gaussian, in standard deviations
PLANE_MM = 4.0


@dataclass(frozen=True)
class Scanner:
    """A scanner: its resolution and the filter after reconstruction, as full widths in mm, and its grey scale.

    Grey is activity to the power `gamma`.
    """

    name: str
    resolution_mm: float
    filter_mm: float
    gamma: float


SCANNERS = {"A": Scanner("A", 5.0, 7.0, 1.0), "B": Scanner("B", 7.5, 10.0, 0.7)}


@dataclass(frozen=True)
class Conditions:
    """How a body is scanned.

    `counts` are the expected events of a plane, `motion_mm` the standard deviation of the diaphragm's place in mm,
    `breathing` says whether it moves as in breathing (the rest of the body less) or the whole body shifts once, in the
    `direction` (radians from downwards) after the share `until` of the time. `scatter` is a share of all counts.
    """

    counts: float
    motion_mm: float
    breathing: bool
    direction: float
    until: float
    scatter: float


def draw_conditions(random: np.random.Generator) -> Conditions:
    """Return conditions of which each is mostly fine: of good, usable and poor scans there are about as many each."""
    noise, motion, scatter = random.random(3) ** 3
    high, low = COUNTS
    return Conditions(
        counts=round(float(high * (low / high) ** noise), 1),
        motion_mm=round(float(MOTION_MM * motion), 3),
        breathing=bool(random.random() < 0.6),
        direction=round(float(random.uniform(0, 2 * np.pi)), 4),
        until=round(float(random.uniform(0.3, 0.7)), 4),
        scatter=round(float(SCATTER[0] + (SCATTER[1] - SCATTER[0]) * scatter), 4),
    )


def scanned(
    body: Body, conditions: Conditions, scanner: Scanner, random: np.random.Generator
) -> tuple[Array, float]:
    """Return the image in units of soft tissue's activity `(Z, Y, X)` float64, and the noise that is expected of it.

    Noise is the coefficient of variation of a voxel in the liver: computed from the expected counts, not measured.
    """
    still = 1e-3 if body.activity.shape[0] == 1 else None  # nothing spreads across a single plane
    true = _blurred(moved(body, conditions), scanner.resolution_mm / FWHM, body, still)
    broad = _blurred(true, SCATTER_SIGMA_MM, body, still)
    survives = survival(body)
    share = conditions.scatter
    broad *= share / (1 - share) * float((survives * true).sum()) / float((survives * broad).sum())
    planes = body.activity.shape[0] * body.spacing_mm[0] / PLANE_MM
    seen = survives * (true + broad)
    scale = conditions.counts * planes / float(seen.sum())
    counted = random.poisson(scale * seen)
    image = _blurred(counted / survives / scale, scanner.filter_mm / FWHM, body, still)
    return image, _noise(scale * seen, survives, scanner.filter_mm / FWHM, body, still)


def moved(body: Body, conditions: Conditions) -> Array:
    """Return the mean activity over the scan, while the body moves; as it is where it does not."""
    if conditions.motion_mm <= 0:
        return body.activity.astype(np.float64)
    frames = _breath(body, conditions) if conditions.breathing else _shift(conditions)
    _, down_mm, left_mm = body.spacing_mm
    at = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in body.activity.shape), indexing="ij"))
    total = np.zeros(body.activity.shape)
    for weight, down, left in frames:
        places = at - np.stack(np.broadcast_arrays(0.0 * at[1], down / down_mm, left / left_mm))
        total += weight * ndimage.map_coordinates(body.activity, places, order=1, mode="nearest")
    return total


def _breath(body: Body, conditions: Conditions) -> list[tuple[float, Array | float, float]]:
    """Return frames of a breath (Lujan et al. 1999: cos⁶): what is far from the diaphragm moves less."""
    course = np.cos(np.pi * np.arange(PHASES) / PHASES) ** 6
    course = (course - course.mean()) / course.std()
    rows = (np.arange(body.activity.shape[1]) - (body.activity.shape[1] - 1) / 2) * body.spacing_mm[1]
    nearby = np.exp(-(((rows - DIAPHRAGM_MM) / 110) ** 2))[None, :, None]
    return [(1 / PHASES, conditions.motion_mm * float(c) * nearby, 0.0) for c in course]


def _shift(conditions: Conditions) -> list[tuple[float, Array | float, float]]:
    """Return the two frames of a body that shifts once; their standard deviation is that of the motion."""
    first = conditions.until
    far = conditions.motion_mm / np.sqrt(first * (1 - first))
    down, left = far * np.cos(conditions.direction), far * np.sin(conditions.direction)
    before, after = -(1 - first), first  # about a mean of nothing
    return [
        (first, float(down * before), float(left * before)),
        (1 - first, float(down * after), float(left * after)),
    ]


def survival(body: Body) -> Array:
    """Return the mean share of photon pairs that leave the body, by voxel `(Z, 1, X)`: exp(−µ · chord) over 24 angles.

    The chord is that of the trunk's ellipse through the voxel; lungs and bones count as water.
    """
    depth, _, width = body.activity.shape
    back = (
        (np.arange(depth) - (depth - 1) / 2) * body.spacing_mm[0] if depth > 1 else np.array([body.plane_mm])
    )
    left = (np.arange(width) - (width - 1) / 2) * body.spacing_mm[2]
    wide, thick = body.half_axes_mm
    y, x = np.meshgrid(back, left, indexing="ij")
    total = np.zeros(y.shape)
    angles = np.arange(24) * np.pi / 24
    for angle in angles:
        across, along = np.cos(angle), np.sin(angle)
        a = (across / wide) ** 2 + (along / thick) ** 2
        b = x * across / wide**2 + y * along / thick**2
        c = (x / wide) ** 2 + (y / thick) ** 2 - 1
        chord = 2 * np.sqrt(np.maximum(b**2 - a * c, 0)) / a
        total += np.exp(-ATTENUATION_PER_MM * chord)
    return np.asarray(total / len(angles))[:, None, :]


def _blurred(image: Array, sigma_mm: float, body: Body, across: float | None) -> Array:
    sigma = [sigma_mm / s for s in body.spacing_mm]
    sigma[0] = sigma[0] if across is None else across
    return np.asarray(
        ndimage.gaussian_filter(np.asarray(image, np.float64), sigma, mode="nearest", truncate=3)
    )


def _noise(expected: Array, survives: Array, sigma_mm: float, body: Body, across: float | None) -> float:
    """Return √variance over mean in the liver: a Gaussian filter's variance is that of its squared kernel."""
    mean = _blurred(expected / survives, sigma_mm, body, across)
    spread = expected / survives**2
    for axis, spacing in enumerate(body.spacing_mm):
        sigma = across if axis == 0 and across is not None else sigma_mm / spacing
        length = 2 * int(3 * sigma + 0.5) + 1
        delta = np.zeros(length)
        delta[length // 2] = 1.0
        kernel = ndimage.gaussian_filter1d(delta, sigma, truncate=3) ** 2
        spread = ndimage.convolve1d(spread, kernel, axis=axis, mode="nearest")
    return float(np.sqrt(spread[body.liver]).mean() / mean[body.liver].mean())


def displayed(image: Array, scanner: Scanner, mean: float) -> Array:
    """Return grey values `(Z, Y, X)` uint8 whose mean is `mean`, brightest parts saturated, zero black."""
    low, high = -20.0, 20.0  # of the logarithm of the gain
    for _ in range(60):
        gain = (low + high) / 2
        if float(_grey(image, gain, scanner.gamma).mean()) < mean:
            low = gain
        else:
            high = gain
    return np.asarray(np.rint(_grey(image, (low + high) / 2, scanner.gamma)).astype(np.uint8))


def _grey(image: Array, log_gain: float, gamma: float) -> Array:
    return np.asarray(255 * np.clip(image * np.exp(log_gain), 0, 1) ** gamma)
