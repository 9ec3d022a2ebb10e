"""Generating: anatomies drawn from a shape model, seeded."""

from __future__ import annotations

import numpy as np

from vesalius.core.answers.surface import Surface
from vesalius.core.errors import DataError
from vesalius.shapes.models.model import ShapeModel

LIMIT = 3.0  # standard deviations


def generate(
    model: ShapeModel, cases: int, *, seed: int = 0, limit: float = LIMIT, first: int = 0
) -> tuple[Surface, ...]:
    """Return so many surfaces drawn by the model's law, in the model's frame, each mode within `limit` deviations.

    A deviation beyond the limit is drawn again. The case numbered k is the same however many are drawn. `first` is the
    number of the first case. Raises DataError for no case, or a limit that is not positive.
    """
    if cases < 1 or not limit > 0:
        raise DataError(
            "anatomies are one or more, within a limit above 0", found=f"{cases} within {limit:g}"
        )
    made = []
    for k in range(first, first + cases):
        random = np.random.default_rng((seed, k))
        b = random.normal(size=len(model.variances))
        while (beyond := np.abs(b) > limit).any():
            b[beyond] = random.normal(size=int(beyond.sum()))
        made.append(model.surface(b))
    return tuple(made)
