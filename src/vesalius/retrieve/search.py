"""Exact search in an index: all its cases by their likeness to an image, to words or to both, the nearest first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from vesalius.core.answers.ranking import Ranking
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.index import Entry, Index
from vesalius.core.words import counted


@dataclass(frozen=True, eq=False)
class Without:
    """Cases that a search leaves out: of a patient, by their ids, or of the same pixels as the image asked with."""

    patient: str | None = None
    cases: Collection[str] = ()
    marks: frozenset[str] = frozenset()

    def out(self, entry: Entry) -> bool:
        """Return whether a case is left out."""
        own = self.patient is not None and entry.patient == self.patient
        return own or entry.case in self.cases or bool(self.marks & set(entry.marks))


def likeness(index: Index, image: Array | None, words: Array | None, *, weight: float = 0.5) -> Array:
    """Return how like each case is to an image `(F,)`, to words `(F,)`, or to both, `(N,)`.

    Of one of them it is the cosine. Images are all more like one another than like any words, so that of both, each is
    first brought to a mean of 0 and a deviation of 1 over the index; `weight` is the share of the words. Raises
    DataError for nothing, for a vector of another length, and for a weight that is no share.
    """
    if not 0 <= weight <= 1:
        raise DataError("the weight of words beside an image lies from 0 to 1", found=f"{weight:g}")
    for vector in (image, words):
        if vector is not None and vector.shape != (index.vectors.shape[1],):
            raise DataError(
                "the index holds vectors of another length",
                found=f"{vector.shape} for {index.vectors.shape[1]}",
                hint="the bundle that made the index",
            )
    each = [1 - index.distances(v) for v in (image, words) if v is not None]
    if not each:
        raise DataError("nothing is looked for", hint="words, an image, or both")
    if len(each) == 1:
        return each[0]
    seen, said = (_standard(one) for one in each)
    return (1 - weight) * seen + weight * said


def ranked(
    index: Index, like: Array, *, count: int, without: Without | None = None
) -> tuple[Ranking, tuple[Entry, ...]]:
    """Return the `count` cases that are most like, and what the index says of each; of equals the earlier one first.

    A distance is 1 minus the likeness. Raises DataError where every case is left out, or none is asked for.
    """
    if count < 1:
        raise DataError("at least one case is looked for", found=str(count))
    left = Without() if without is None else without
    order = [int(k) for k in np.argsort(-like, kind="stable") if not left.out(index.entries[int(k)])][:count]
    if not order:
        raise DataError(
            "every case of the index is left out",
            found=counted(len(index.entries), "case"),
            hint="--own-patient",
        )
    entries = tuple(index.entries[k] for k in order)
    made = Ranking(
        case_ids=tuple(e.case for e in entries),
        distances=1 - like[order],
        bundle=index.bundle,
    )
    return made, entries


def _standard(values: Array) -> Array:
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 1e-12 else np.zeros_like(values)
