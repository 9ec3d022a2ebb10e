"""Boxes around things of a case, each with a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import linear_sum_assignment

from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.core.grids import Gridded
from vesalius.run.annotation.asks.contract import AskKind, Drawings, label_of

MOST = 2000  # of one reading
_FAR = 1e9  # beyond any image; also not a number, which is nowhere
OVERLAP = 0.5  # intersection over union from which two boxes are of one thing


class Boxes(AskKind):
    """What is said are boxes `{"low": [z, y, x], "high": [z, y, x], "label": name}`, as `core.case.Box` has them."""

    name: ClassVar[str] = "boxes"
    placed: ClassVar[bool] = True

    def checked(self, said: Any, labels: Sequence[Label], grid: Gridded) -> list[dict[str, Any]]:
        """Return the boxes, each inside the image."""
        if not isinstance(said, list) or len(said) > MOST:
            found = f"{len(said):,} boxes" if isinstance(said, list) else repr(said)[:80]
            raise DataError(f"{self.name} is a list of {MOST:,} boxes at most", found=found)
        return [_checked(box, labels, grid.shape, k) for k, box in enumerate(said, start=1)]

    def cells(self, said: Any, labels: Sequence[Label], path: str) -> dict[str, Any]:
        """Return nothing: boxes have a table of their own."""
        return {}

    def told(self, said: Any, labels: Sequence[Label], path: str) -> dict[str, Any]:
        """Return how many boxes there are."""
        return {self.name: len(said)}

    def differ(
        self, said: Mapping[str, Any], labels: Sequence[Label], drawings: Drawings, *, below: float
    ) -> dict[str, Any] | None:
        """Return the smallest share of boxes that two annotators have in common, where some box is one's alone."""
        every = [value for value in said.values() if value is not None]
        shares = [in_common(a, b) for k, a in enumerate(every) for b in every[k + 1 :]]
        return None if min(shares, default=1.0) >= 1.0 else {"in_common": min(shares)}


def in_common(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> float:
    """Return the share of two annotators' boxes that are of one thing, `2 n / (a + b)`; 1 where neither drew any.

    Boxes of one label that overlap by `OVERLAP` or more are paired, each once, so that most are.
    """
    if not one and not other:
        return 1.0
    if not one or not other:
        return 0.0
    alike = np.array([[a["label"] == b["label"] and overlap(a, b) >= OVERLAP for b in other] for a in one])
    rows, columns = linear_sum_assignment(1.0 - alike)
    return 2 * int(alike[rows, columns].sum()) / (len(one) + len(other))


def overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Return the intersection of two boxes over their union."""
    low, high = np.maximum(one["low"], other["low"]), np.minimum(one["high"], other["high"])
    inside = float(np.prod(np.clip(high - low, 0, None)))
    return inside / (_size(one) + _size(other) - inside)


def _size(box: Mapping[str, Any]) -> float:
    return float(np.prod(np.subtract(box["high"], box["low"])))


def _checked(box: Any, labels: Sequence[Label], shape: Sequence[int], k: int) -> dict[str, Any]:
    where = f"box {k}"
    if not isinstance(box, dict) or set(box) != {"low", "high", "label"}:
        raise DataError(f"{where} has low, high and a label", found=repr(box)[:80])
    low, high = _corner(box["low"], where), _corner(box["high"], where)
    if not all(0 <= a < b <= n for a, b, n in zip(low, high, shape, strict=True)):
        raise DataError(
            f"{where} does not lie inside the image, or has no extent",
            found=f"{low} to {high}",
            hint=f"0 to {list(shape)} (z, y, x), the upper corner beyond the lower one",
        )
    return {"low": low, "high": high, "label": label_of(labels, box["label"], where).name}


def _corner(said: Any, where: str) -> list[float]:
    plain = isinstance(said, list) and len(said) == 3
    if not plain or not all(
        isinstance(v, int | float) and not isinstance(v, bool) and -_FAR < v < _FAR for v in said
    ):
        raise DataError(f"{where}: a corner is three numbers (z, y, x)", found=repr(said)[:80])
    return [float(v) for v in said]


KIND = Boxes()
