"""How far several opinions about the boxes of one case are apart: in probability, in place, and in number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.answers.boxes import Boxes
from vesalius.core.case import Box
from vesalius.core.doubt import Doubt
from vesalius.core.image import Array
from vesalius.metrics import boxes as judge

SAME = 0.1  # intersection over union from which two opinions speak of one thing


def doubt(answer: Boxes, samples: Sequence[Boxes]) -> Doubt:
    """Return how far opinions are apart in what the answer calls, as means over its called boxes.

    `p_sd` is the standard deviation of a box's probability over the opinions, 0 of one that has no such box, and
    `corner_sd` that of its corners in voxels, over the opinions that have it. `agreed` is the share of opinions that
    call something there, and `beside` how many boxes an opinion calls on average where the answer calls none. `sd_NAME`
    is the standard deviation of the number of called boxes of a label.
    """
    own = [answer.boxes[k] for k in answer.called]
    p = np.zeros((len(samples), len(own)))
    corners = np.full((len(samples), len(own), 2, 3), np.nan)
    called = np.zeros((len(samples), len(own)), dtype=bool)
    beside = np.zeros(len(samples))
    for s, sample in enumerate(samples):
        near = judge.alike(own, sample.boxes)  # (own, theirs)
        said = set(sample.called)
        for n, row in enumerate(near):
            there = np.flatnonzero(row >= SAME)
            if not len(there):
                continue
            k = int(there[np.argmax(row[there])])
            p[s, n], corners[s, n] = sample.p[k], _corners(sample.boxes[k])
            called[s, n] = any(int(j) in said for j in there)
        beside[s] = sum(not (near[:, k] >= SAME).any() for k in said)
    figures = {"agreed": float(called.mean()) if own else 1.0, "beside": float(beside.mean())}
    if own:
        figures["p_sd"] = float(p.std(axis=0, ddof=1).mean())
        figures["corner_sd"] = _spread(corners)
    counts = {x.name: [sum(b == x.name for b in _called(s)) for s in samples] for x in answer.labels}
    figures |= {f"sd_{name}": float(np.std(many, ddof=1)) for name, many in counts.items()}
    return Doubt(figures=figures, units={"corner_sd": "voxels"} if own else {})


def _spread(corners: Array) -> float:
    """Return the mean standard deviation of corners `(S, N, 2, 3)` but along z in pictures."""
    known = np.isfinite(corners[:, :, 0, 0])
    found = []
    for n in range(corners.shape[1]):
        held = corners[known[:, n], n]
        if len(held) > 1:
            sd = held.std(axis=0, ddof=1)
            axes = [0, 1, 2] if not (np.all(held[:, 0, 0] == 0) and np.all(held[:, 1, 0] == 1)) else [1, 2]
            found.append(float(sd[:, axes].mean()))
    return float(np.mean(found)) if found else 0.0


def _called(answer: Boxes) -> list[str]:
    return [answer.boxes[k].label for k in answer.called]


def _corners(box: Box) -> Array:
    return np.array([box.low, box.high], dtype=np.float64)
