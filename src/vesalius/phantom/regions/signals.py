"""Signals that run along two streams of regions, forwards or backwards, and the chances of each class given them.

A stream's signal is white noise smoothed by a Gaussian, and each of its regions has it a lag later than the one before.
All that is seen is Gaussian with known covariances, so that Bayes' rule gives the chance of each class exactly. In
every class each region has the same mean, the same spread, the same histogram and the same smoothness over time, and
any two regions have the same correlation at one time: the order in which they follow one another is all that differs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.image import Array

CLASSES = {  # the way of the dorsal and of the ventral stream: 1 forwards, -1 backwards
    "forward": (1, 1),
    "dorsal": (1, -1),
    "ventral": (-1, 1),
    "backward": (-1, -1),
}
REGIONS = ("V1d", "V3d", "IPS", "V1v", "V4", "IT")  # three of each stream
STREAM = 3  # regions
GRID_S = 0.25  # all times and lags lie on a grid of such steps
LAG_S = 2.0  # between a region and the next
SMOOTH_S = 2.0  # the Gaussian's standard deviation
OFFSET = 0.5  # the spread of a region's own level
STEP_S = 2.0
COUNTS = (60, 90)
DROPPED = 0.08  # of the times


def draw_times(random: np.random.Generator) -> Array:
    """Return uneven times in s from 0 on, on the grid: every two seconds more or less, and some are dropped."""
    many = int(random.integers(COUNTS[0], COUNTS[1] + 1))
    times = STEP_S * np.arange(many) + GRID_S * random.integers(-2, 3, many)
    kept = random.random(many) >= DROPPED
    times = times[kept]
    return np.asarray(times - times[0])


def draw_values(random: np.random.Generator, kind: str, times_s: Array, *, noise: float) -> Array:
    """Return the values `(T, F)` of a class at times of the grid."""
    steps = np.rint(times_s / GRID_S).astype(int)
    most = _lag(STREAM - 1)
    found = np.empty((len(times_s), len(REGIONS)))
    for stream, way in enumerate(CLASSES[kind]):
        white = random.standard_normal(int(steps[-1]) + 1 + most + 2 * _reach())
        signal = np.convolve(white, _kernel(), mode="valid")
        for place in range(STREAM):
            late = _lag(place if way > 0 else STREAM - 1 - place)
            found[:, STREAM * stream + place] = signal[steps + most - late]
    level = random.normal(0, OFFSET, len(REGIONS))
    return found + level + random.normal(0, noise, found.shape)


def chances(times_s: Array, values: Array, *, noise: float) -> dict[str, float]:
    """Return the chance of each class given a course `(T, F)`, by Bayes' rule: no model's can be better.

    The two streams have nothing to do with one another, so that each one's way is told by its own regions.
    """
    forward = []
    for stream in range(len(REGIONS) // STREAM):
        own = values[:, STREAM * stream : STREAM * (stream + 1)].T.ravel()  # by region, then by time
        odds = _log_likelihood(own, times_s, 1, noise) - _log_likelihood(own, times_s, -1, noise)
        forward.append(1 / (1 + np.exp(-np.clip(odds, -700, 700))))
    found = {}
    for name, ways in CLASSES.items():
        found[name] = float(np.prod([p if way > 0 else 1 - p for p, way in zip(forward, ways, strict=True)]))
    return found


def covariance(times_s: Array, way: int, *, noise: float) -> Array:
    """Return the covariance of a stream's values, by region and then by time, `(STREAM · T, STREAM · T)`."""
    places: Sequence[int] = range(STREAM) if way > 0 else range(STREAM - 1, -1, -1)
    at = np.concatenate([np.rint(times_s / GRID_S).astype(int) - _lag(k) for k in places])
    kernel = _kernel()
    reach = len(kernel) - 1
    correlated = np.correlate(kernel, kernel, mode="full")  # by lag from −reach to reach
    apart = at[:, None] - at[None, :]
    signal = np.where(np.abs(apart) <= reach, correlated[np.clip(apart, -reach, reach) + reach], 0)
    level = np.kron(np.eye(STREAM), np.ones((len(times_s), len(times_s))))
    return np.asarray(signal + OFFSET**2 * level + noise**2 * np.eye(len(at)))


def _log_likelihood(values: Array, times_s: Array, way: int, noise: float) -> float:
    """Return the logarithm of a Gaussian's density, but for what is the same for both ways."""
    root = np.linalg.cholesky(covariance(times_s, way, noise=noise))
    whitened = np.linalg.solve(root, values)
    return float(-0.5 * whitened @ whitened - np.log(np.diag(root)).sum())


def _lag(place: int) -> int:
    return round(place * LAG_S / GRID_S)


def _reach() -> int:
    return round(4 * SMOOTH_S / GRID_S)


def _kernel() -> Array:
    """Return the smoothing kernel, whose squares sum to 1, so that the signal's spread is 1."""
    at = np.arange(-_reach(), _reach() + 1) * GRID_S / SMOOTH_S
    kernel = np.exp(-(at**2) / 2)
    return np.asarray(kernel / np.sqrt((kernel**2).sum()))
