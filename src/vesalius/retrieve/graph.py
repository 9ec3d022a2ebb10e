"""A graph of near neighbours in which the nearest are found without comparing every case (HNSW, by usearch).

Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World
graphs", IEEE TPAMI 2020. It is built by one thread in the order of the cases, so that the same cases give the same
bytes. It keeps directions in half precision: what it names is compared again in full precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.errors import BundleError, MissingExtra
from vesalius.core.image import Array
from vesalius.core.index import Index

LINKS, WIDTH = 16, 64  # of each case, and how far is looked where a case is put
REACHES = (64, 128, 256, 512, 1024)
AT, ASKED = 10, 200
GOOD = 0.99
FEWEST = 0.95  # of the nearest; a graph that finds fewer is not used
_SPARE = 4  # as many candidates for each case that is asked for; they are compared again exactly


@dataclass(frozen=True)
class Recall:
    """What share of the nearest `at` cases a graph found of `asked` cases of its own, with how far it looked."""

    share: float
    reach: int
    asked: int
    at: int


class Graph:
    """A graph over directions `(N, F)` of length 1; `reach` is how far a search looks in it."""

    def __init__(self, made: Any, reach: int) -> None:
        self._made, self.reach = made, reach

    @classmethod
    def built(cls, directions: Array) -> Graph:
        """Build a graph. Raises MissingExtra where usearch is not installed."""
        made = _empty(directions.shape[1])
        made.add(np.arange(len(directions), dtype=np.uint64), np.asarray(directions, np.float32), threads=1)
        return cls(made, REACHES[0])

    @classmethod
    def read(cls, data: bytes, index: Index, reach: int) -> Graph:
        """Return a graph from its bytes. Raises BundleError where it is not of that index, MissingExtra."""
        made = _empty(index.vectors.shape[1])
        made.load(data)
        if len(made) != len(index.entries):
            raise BundleError(
                "the graph of an index is of other cases", found=f"{len(made)} for {len(index.entries)}"
            )
        return cls(made, reach)

    def bytes(self) -> bytes:
        """Return it as it is kept."""
        return bytes(self._made.save())

    def candidates(self, direction: Array, count: int) -> Array:
        """Return the places of cases that are probably the nearest to a direction `(F,)`, in order, each once."""
        most = min(max(_SPARE * count, self.reach), len(self._made))
        self._made.expansion_search = max(self.reach, most)
        found = self._made.search(np.asarray(direction, np.float32), most, threads=1)
        return np.unique(np.asarray(found.keys, np.int64))

    def measured(self, index: Index) -> Recall:
        """Return how much of the exact answer it finds with the shortest reach that is good, and keep that reach.

        It is asked with cases of its own, spread evenly over the index, each of which is itself no answer.
        """
        asked = np.unique(np.linspace(0, len(index.entries) - 1, ASKED).round().astype(np.int64))
        truth = [_others(index.closest(index.vectors[k], AT + 1)[0], int(k)) for k in asked]
        share = 0.0
        for reach in REACHES:
            self.reach = reach
            hits = 0
            for k, true in zip(asked, truth, strict=True):
                places = self.candidates(index.directions[k], AT + 1)
                near, _ = index.ordered(index.vectors[k], places, AT + 1)
                hits += len(set(_others(near, int(k))) & set(true))
            share = hits / (len(asked) * AT)
            if share >= GOOD:
                break
        return Recall(share, self.reach, len(asked), AT)


def _others(places: Array, own: int) -> list[int]:
    return [int(p) for p in places if int(p) != own][:AT]


def _empty(features: int) -> Any:
    try:
        from usearch.index import Index as Made
    except ImportError as error:
        raise MissingExtra("usearch", "retrieval") from error
    return Made(ndim=features, metric="cos", dtype="f16", connectivity=LINKS, expansion_add=WIDTH)
