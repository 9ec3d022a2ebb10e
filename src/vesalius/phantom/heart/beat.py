"""A heart's beats: intervals between them, and the volume of the left ventricle at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vesalius.core.image import Array

RHYTHMS = {"regular": 0.4, "irregular": 0.3, "paced": 0.3}  # how often each occurs
RATES = {"regular": (50.0, 105.0), "irregular": (60.0, 115.0), "paced": (60.0, 95.0)}  # beats a minute
VARIATION = {
    "regular": 0.025,
    "irregular": 0.22,
    "paced": 0.004,
}  # of the intervals, as a share of their mean
DELAYS_S = (0.08, 0.16)  # of a paced heart: how much later its side wall contracts than its septum
FRACTIONS = (0.15, 0.75)  # of the ejection fraction
BEATS = 12
CONTRACTS_S, RELAXES_S = 0.04, 0.06  # in which the volume stays, before and after ejection
ATRIAL = 0.25  # of the filling: what the atrium adds at its end, except where the rhythm is irregular
STEP_S = 0.002


@dataclass(frozen=True, eq=False)
class Beats:
    """Consecutive beats: beat k begins at `starts_s[k]`, full of `full_ml[k]`, and empties to `empty_ml[k]`.

    The arrays are `(BEATS + 1,)`. The septum contracts `delay_s` / 2 before and the side wall as much after the middle
    of both. `atrial` says whether the atrium contracts.
    """

    rhythm: str
    starts_s: Array
    full_ml: Array
    empty_ml: Array
    atrial: bool
    delay_s: float

    def ejected(self, beat: int) -> float:
        """Return when a beat's ejection ends, in seconds, of walls that contract together."""
        return float(self.starts_s[beat] + systole_s(self.starts_s[beat + 1] - self.starts_s[beat]))

    def sides_ml(self, times_s: Array) -> tuple[Array, Array]:
        """Return the volume by the septum's and by the side wall's motion; the ventricle's is the mean of both."""
        return self._together(times_s + self.delay_s / 2), self._together(times_s - self.delay_s / 2)

    def volume_ml(self, times_s: Array) -> Array:
        """Return the volume of the ventricle at each time."""
        septum, side = self.sides_ml(times_s)
        return (septum + side) / 2

    def filling(self, times_s: Array) -> Array:
        """Return whether the ventricle fills, or rests before it is filled on, at each time."""
        k = np.clip(np.searchsorted(self.starts_s, times_s, "right") - 1, 0, BEATS - 1)
        ejects = systole_s(self.starts_s[k + 1] - self.starts_s[k])
        return np.asarray(times_s - self.starts_s[k] > ejects + RELAXES_S)

    def extremes(self, beat: int) -> tuple[float, float, float, float]:
        """Return of a beat: when it is fullest and when emptiest, in seconds, and the two volumes in ml.

        Where the volume rests, the end of the rest counts when it is full, and the begin when it is empty.
        """
        start, end = self.starts_s[beat], self.ejected(beat)
        before = start + STEP_S * np.arange(-50, 51)
        after = end + STEP_S * np.arange(-50, 61)
        full, empty = self.volume_ml(before), self.volume_ml(after)
        late = int(np.flatnonzero(full >= full.max() * (1 - 1e-4))[-1])
        early = int(np.flatnonzero(empty <= empty.min() * (1 + 1e-4))[0])
        return float(before[late]), float(after[early]), float(full.max()), float(empty.min())

    def _together(self, times_s: Array) -> Array:
        k = np.clip(np.searchsorted(self.starts_s, times_s, "right") - 1, 0, BEATS - 1)
        interval = self.starts_s[k + 1] - self.starts_s[k]
        past, ejects = times_s - self.starts_s[k], systole_s(interval)
        down = _smooth((past - CONTRACTS_S) / (ejects - CONTRACTS_S))
        filling = (past - ejects - RELAXES_S) / (interval - ejects - RELAXES_S)
        if self.atrial:
            up = (1 - ATRIAL) * _smooth(filling / 0.45) + ATRIAL * _smooth((filling - 0.7) / 0.3)
        else:
            up = _smooth(filling / 0.7)
        full, empty, following = self.full_ml[k], self.empty_ml[k], self.full_ml[k + 1]
        return np.asarray(
            np.where(past < ejects, full - (full - empty) * down, empty + (following - empty) * up)
        )


def systole_s(interval_s: Array) -> Array:
    """Return how long ejection lasts, with its beginning: it grows with the root of the interval (Bazett 1920)."""
    return np.minimum(0.34 * np.sqrt(interval_s), 0.5 * interval_s)


def draw_beats(random: np.random.Generator, *, full_ml: float) -> Beats:
    """Return beats of one of the rhythms, which do not empty yet: `emptying` says how far they do."""
    rhythm = str(random.choice(list(RHYTHMS), p=list(RHYTHMS.values())))
    mean = 60 / float(random.uniform(*RATES[rhythm]))
    varied = np.clip(1 + VARIATION[rhythm] * random.normal(size=BEATS), 0.65, 1.5)
    intervals = np.round(np.maximum(mean * varied, 0.42), 3)
    delay = round(float(random.uniform(*DELAYS_S)), 3) if rhythm == "paced" else 0.0
    before = np.concatenate([[0.0, 0.0], np.clip(intervals[:-1] / intervals.mean() - 1, -0.4, 0.4)])
    full = full_ml * (1 + 0.15 * before)
    starts = np.concatenate([[0.0], np.cumsum(intervals)])
    return Beats(rhythm, starts, full, full.copy(), rhythm != "irregular", delay)


def emptying(beats: Beats, fraction: float, measured: Sequence[int]) -> Beats:
    """Return beats whose mean ejection fraction over the `measured` ones is `fraction`.

    After a long interval a beat ejects more, as it is fuller. Walls that contract apart empty less than each does.
    """
    longer = beats.full_ml / beats.full_ml[:2].mean() - 1
    share = fraction
    for _ in range(12):
        each = np.clip(share * (1 + 0.8 * longer), 0.02, 0.9)
        beats = replace(beats, empty_ml=beats.full_ml * (1 - each))
        missed = fraction / mean_fraction(beats, measured)
        if abs(missed - 1) < 1e-5:
            break
        share = float(np.clip(share * missed, 0.02, 0.95))
    return beats


def fractions(beats: Beats, measured: Sequence[int]) -> list[float]:
    """Return the ejection fraction of each of some beats, (full − empty) / full of the ventricle's true volumes."""
    return [(full - empty) / full for _, _, full, empty in map(beats.extremes, measured)]


def mean_fraction(beats: Beats, measured: Sequence[int]) -> float:
    """Return the mean ejection fraction of some beats."""
    return float(np.mean(fractions(beats, measured)))


def _smooth(share: Array) -> Array:
    """Return a rise from 0 to 1 over a share from 0 to 1, level at both ends."""
    return np.asarray((1 - np.cos(np.pi * np.clip(share, 0, 1))) / 2)
