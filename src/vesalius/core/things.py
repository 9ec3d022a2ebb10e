"""Things: which thing each voxel belongs to, read into memory, with the label of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vesalius.core.image import Array


@dataclass(frozen=True, eq=False)
class Things:
    """Ids `(Z, Y, X)`, 0 where nothing is, with the label of each id that occurs.

    Ids in `crowd` mark regions of many things. `unknown` `(Z, Y, X)` marks voxels of which nobody knows what they are;
    nothing counts there. None where all is known.
    """

    ids: Array
    labels: Mapping[int, str] = field(default_factory=dict)
    crowd: frozenset[int] = frozenset()
    unknown: Array | None = None

    def counts(self) -> dict[str, int]:
        """Return how many things of each label there are, without regions of many."""
        found: dict[str, int] = {}
        for thing, label in self.labels.items():
            if thing not in self.crowd:
                found[label] = found.get(label, 0) + 1
        return found


def meetings(one: Array, other: Array) -> tuple[Array, Array]:
    """Return which ids of two masks of one shape meet, `(P, 2)` in order, and on how many voxels, `(P,)`.

    0 counts as an id, so that the sizes of all things follow; voxels where both are 0 are not listed.
    """
    codes: dict[int, int] = {}
    width = int(other.max(initial=0)) + 1
    for a, b in zip(one, other, strict=True):  # plane by plane, so that a large volume is never held twice
        both = a.astype(np.int64) * width + b
        found, counts = np.unique(both[both != 0], return_counts=True)
        for code, n in zip(found.tolist(), counts.tolist(), strict=True):
            codes[code] = codes.get(code, 0) + n
    ordered = np.array(sorted(codes), dtype=np.int64)
    return np.stack([ordered // width, ordered % width], axis=1), np.array(
        [codes[k] for k in ordered.tolist()], np.int64
    )
