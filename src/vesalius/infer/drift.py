"""Drift: a small reference of what a model saw of cases that it did not learn from, to hold new cases against.

It stands on the same look at the layers as the alarm (`infer/alarm.py`), which judges each case by itself; many cases
that are each ordinary may still be others than those that were learned from. What is kept of a feature is where its
quantiles lie, each the mean of `FEWEST` cases, and directions over training cases; nothing is of a single case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.bundle import Stage, State
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.infer.alarm import Alarm
from vesalius.infer.evidence import UNKNOWN
from vesalius.infer.layers import Features
from vesalius.infer.novelty.contract import FEWEST

DRIFT = "drift"  # what it is called among the extra records of a stage
RATE = 0.05  # how often a drift is told where there is none, over all cases that are ever answered
MOST_BINS, MOST_ANSWERS, DIRECTIONS = 20, 4, 3
STRANGENESS = "strangeness"
_QUIET = 1e-6


@dataclass(frozen=True, eq=False)
class Axes:
    """Directions `(K, D)` in a space of features, which are first brought to mean 0 and deviation 1 by two `(D,)`."""

    centre: Array
    scale: Array
    directions: Array

    def along(self, x: Array) -> Array:
        """Return where cases `(n, D)` lie along each direction, `(n, K)`. Raises DataError for another `D`."""
        if x.shape[1] != len(self.centre):
            raise DataError(
                "another number of features was seen than a drift is told by",
                found=f"{x.shape[1]}, not {len(self.centre)}",
            )
        found: Array = (x - self.centre) / self.scale @ self.directions.T
        return found


@dataclass(frozen=True, eq=False)
class Drift:
    """What a bundle holds to tell that new cases drift; made by `referenced`, kept by `state`.

    `names` are the features that are followed; `cuts` `(F, B - 1)` part the values of each into bins, which have `gaps`
    `(B,)` gaps of the reference's `cases` + 1 each. `net` are the principal directions of the layers, `answer` those of
    the raw output of many numbers. `member` and `layers` are those of the alarm, whose score is one of the features.
    """

    member: str
    names: tuple[str, ...]
    cuts: Array
    gaps: Array
    cases: int
    net: Axes
    answer: Axes | None = None
    rate: float = RATE

    def bins(self, alarm: Alarm, features: Features | None) -> tuple[int, ...]:
        """Return into which bin each feature of a case falls; `UNKNOWN` where the case does not show it."""
        seen: Mapping[str, float] = {}
        if features is not None:
            try:
                seen = _values(alarm, [features], self.net, self.answer)[0]
            except DataError:  # other layers than at fitting
                seen = {}
        found = []
        for name, cuts in zip(self.names, self.cuts, strict=True):
            value = seen.get(name, np.nan)
            found.append(int(np.searchsorted(cuts, value)) if np.isfinite(value) else UNKNOWN)
        return tuple(found)

    def percentile(self, bins: float) -> float:
        """Return at which percentile of the reference the middle of a bin lies, from 0 to 100."""
        ends = np.concatenate([[0], np.cumsum(self.gaps)]) / self.gaps.sum()
        middles = (ends[1:] + ends[:-1]) / 2
        return float(100 * np.interp(bins, np.arange(len(middles)), middles))

    def state(self) -> State:
        """Return it as an extra record of a stage."""
        values = {
            "member": self.member,
            "names": list(self.names),
            "gaps": [int(g) for g in self.gaps],
            "cases": self.cases,
            "rate": self.rate,
        }
        arrays = {"cuts": self.cuts}
        for name, axes in (("net", self.net), ("answer", self.answer)):
            if axes is not None:
                parts = {"centre": axes.centre, "scale": axes.scale, "directions": axes.directions}
                arrays |= {f"{name}_{part}": array for part, array in parts.items()}
        return State(values, {name: array.astype(np.float32) for name, array in arrays.items()})


def drift_of(stage: Stage) -> Drift | None:
    """Return the reference of a stage; None where it has none, or where it is that of other weights."""
    record = stage.extras.get(DRIFT)
    if record is None or not stage.members or record.values["member"] != stage.members[0]:
        return None
    values: Mapping[str, Any] = record.values
    arrays = {name: np.asarray(a, dtype=np.float64) for name, a in record.arrays.items()}
    answer = "answer_centre" in arrays
    return Drift(
        member=str(values["member"]),
        names=tuple(str(n) for n in values["names"]),
        cuts=arrays["cuts"],
        gaps=np.asarray(values["gaps"], dtype=np.int64),
        cases=int(values["cases"]),
        net=_axes_in(arrays, "net"),
        answer=_axes_in(arrays, "answer") if answer else None,
        rate=float(values["rate"]),
    )


def referenced(alarm: Alarm, training: Sequence[Features], held_out: Sequence[Features]) -> Drift:
    """Return the reference that follows from a model's training cases and from cases that it never saw.

    Directions are those of the training cases, quantiles those of the `held_out` ones. A feature that is the same for
    nearly all cases is not followed. Raises DataError where no feature is left.
    """
    net = _axes(_layers(training))
    answer = _answers(training)
    axes = _axes(answer) if answer is not None and answer.shape[1] > MOST_ANSWERS else None
    rows = _values(alarm, held_out, net, axes)
    ranks = _ranks(len(held_out))
    names, cuts = [], []
    for name in rows[0]:
        values = np.sort([row.get(name, np.nan) for row in rows])
        if not np.isfinite(values).all():
            continue
        half = FEWEST // 2
        cut = np.array([values[k - 1 - half : k + half].mean() for k in ranks], np.float32).astype(np.float64)
        if (np.diff(cut) > 0).all() and np.ptp(values) > _QUIET * max(1.0, float(np.abs(values).max())):
            names.append(name)
            cuts.append(cut)
    if not names:
        raise DataError(
            "nothing that the model shows differs from case to case, so that no drift can be told"
        )
    gaps = np.diff([0, *ranks, len(held_out) + 1])
    return Drift(alarm.member, tuple(names), np.stack(cuts), gaps, len(held_out), net, axes)


def _ranks(cases: int) -> list[int]:
    """Return the ranks from 1 on of the values that part a reference into bins, none of which has less than FEWEST."""
    bins = min(MOST_BINS, cases // FEWEST)
    if bins < 2:
        raise DataError("too few cases to tell a drift from", found=f"{cases}", hint=f"{2 * FEWEST} at least")
    return [round(k * (cases + 1) / bins) for k in range(1, bins)]


def _values(
    alarm: Alarm, cases: Sequence[Features], net: Axes, answer: Axes | None
) -> list[dict[str, float]]:
    """Return the features of cases by name: of the prepared image, of the net, of its answer."""
    rows = [_of_image(one) for one in cases]
    along, strange, raw = net.along(_layers(cases)), alarm.score(cases), _answers(cases)
    if raw is not None and answer is not None:
        raw = answer.along(raw)
    for k, row in enumerate(rows):
        row |= {f"net {j + 1}": float(v) for j, v in enumerate(along[k])}
        row[STRANGENESS] = float(strange[k])
        row |= {} if raw is None else {f"answer {j + 1}": float(v) for j, v in enumerate(raw[k])}
    return rows


def _of_image(one: Features) -> dict[str, float]:
    """Return the brightness, the contrast and the texture of a case's prepared images.

    Texture is how far neighbouring voxels differ beside the contrast; all are means over channels.
    """
    found: dict[str, float] = {}
    for name, channels in one.grains.items():
        seen = one.layers.get(name)
        if seen is None:
            continue
        n = len(seen) // 2
        contrast = float(seen[n : n + channels].mean())
        steps = float(np.log(np.maximum(seen[channels:n], 0) + _QUIET).mean()) if n > channels else 0.0
        before = f"{name.rpartition('.')[0]}: " if len(one.grains) > 1 else ""
        found |= {
            f"{before}brightness": float(seen[:channels].mean()),
            f"{before}contrast": contrast,
            f"{before}texture": steps - contrast,
        }
    return found


def _layers(cases: Sequence[Features]) -> Array:
    """Return what the layers show of cases, `(n, D)`, without the prepared image itself where there is more."""
    rows = []
    for one in cases:
        deep = [found for name, found in one.layers.items() if name not in one.grains]
        rows.append(np.concatenate(deep or list(one.layers.values())))
    if len({len(row) for row in rows}) > 1:
        raise DataError("the layers of the model show another number of features from case to case")
    return np.stack(rows)


def _answers(cases: Sequence[Features]) -> Array | None:
    """Return the raw outputs of cases `(n, K)`, of fields their means over space; None where they are neither."""
    rows = [one.raw if one.raw is not None else one.mean for one in cases]
    held = [row for row in rows if row is not None]
    return np.stack(held) if len(held) == len(rows) and len({len(row) for row in held}) == 1 else None


def _axes(x: Array) -> Axes:
    """Return the principal directions of cases `(n, D)`, as they are read again from a bundle."""
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > _QUIET, scale, 1.0)
    _, _, directions = np.linalg.svd((x - centre) / scale, full_matrices=False)
    parts = (centre, scale, directions[:DIRECTIONS])
    return Axes(*(part.astype(np.float32).astype(np.float64) for part in parts))


def _axes_in(arrays: Mapping[str, Array], name: str) -> Axes:
    return Axes(*(arrays[f"{name}_{part}"] for part in ("centre", "scale", "directions")))
