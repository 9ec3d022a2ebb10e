"""Search in an index: the cases nearest to an image, to words or to both, the nearest first, without those left out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from vesalius.core.answers.ranking import Ranking
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.index import Entry, Index, same_patient
from vesalius.core.words import counted
from vesalius.retrieve.ways import EXACT, Way


@dataclass(frozen=True, eq=False)
class Without:
    """Cases that a search leaves out: of a patient, by their ids, or of the same pixels as the image asked with."""

    patient: str | None = None
    cases: Collection[str] = ()
    marks: frozenset[str] = frozenset()

    def out(self, entry: Entry) -> bool:
        """Return whether a case is left out."""
        own = (
            self.patient is not None
            and entry.patient is not None
            and same_patient(entry.patient) == same_patient(self.patient)
        )
        return own or entry.case in self.cases or bool(self.marks & set(entry.marks))

    def places(self, index: Index) -> frozenset[int]:
        """Return the places of the cases of an index that are left out."""
        found = {k for mark in self.marks for k in index.of_mark.get(mark, ())}
        if self.patient is not None:
            found |= set(index.of_patient.get(same_patient(self.patient), ()))
        if self.cases:
            found |= {k for k, e in enumerate(index.entries) if e.case in self.cases}
        return frozenset(found)


@dataclass(frozen=True, eq=False)
class Hits:
    """What a search found: the places `(K,)` of the cases in the index, their distances `(K,)`, the nearest first.

    `exact` says whether every case that was looked at was compared, and `why`.
    """

    places: Array
    distances: Array
    exact: bool
    why: str


def whose(index: Index, marks: frozenset[str], patient: str | None) -> frozenset[str]:
    """Return whose an image is: the patient who is named, and those of the cases that show the same pixels."""
    known = {index.entries[k].patient for mark in marks for k in index.of_mark.get(mark, ())}
    return frozenset(p for p in (*known, patient) if p is not None and p.strip())


def searched(
    index: Index,
    image: Array | None,
    words: Array | None = None,
    *,
    count: int,
    way: Way,
    weight: float = 0.5,
    out: Collection[int] = (),
    among: Array | None = None,
) -> Hits:
    """Return the `count` cases nearest to an image `(F,)`, to words `(F,)`, or to both, the nearest first.

    Of equals the earlier one stands first. `out` are the places that are left out, `among` those that are looked at, by
    default all. A graph is asked for one vector among all cases alone; where it finds fewer cases than there are, every
    case is compared.

    Raises DataError for nothing, for a vector of another length, where no case is left, and for a weight that is no
    share.
    """
    vectors = _checked(index, image, words, count=count, weight=weight)
    left = len(index.entries if among is None else among)
    hidden = frozenset(out)
    if among is None:
        rest: Array | None = None
        left -= len(hidden)
    else:
        rest = np.array([k for k in among.tolist() if k not in hidden], np.int64)
        left = len(rest)
    if left < 1:
        raise DataError(
            "every case of the index is left out",
            found=counted(len(index.entries), "case"),
            hint="other conditions, or --own-patient",
        )
    if len(vectors) == 2:
        far = 1 - likeness(index, image, words, weight=weight)
        places = rest if rest is not None else _without(np.arange(len(far)), hidden)
        order = np.lexsort((places, far[places]))[:count]
        return Hits(places[order], far[places][order], True, "an image with words: each case is compared")
    (vector,) = vectors
    if rest is None and way.graph is not None:
        near = _without(way.graph.candidates(index.direction(vector), count + len(hidden)), hidden)
        if len(near) >= min(count, left):
            return Hits(*index.ordered(vector, near, count), False, way.why)
    exact = way.why if way.name == EXACT else "the cases that are left are compared, each of them"
    return Hits(*_exact(index, vector, count, rest, hidden), True, exact)


def likeness(index: Index, image: Array | None, words: Array | None, *, weight: float = 0.5) -> Array:
    """Return how like each case is to an image `(F,)`, to words `(F,)`, or to both, `(N,)`.

    Of one of them it is the cosine. Images are all more like one another than like any words, so that of both, each is
    first brought to a mean of 0 and a deviation of 1 over the index; `weight` is the share of the words. Raises
    DataError for nothing, for a vector of another length, and for a weight that is no share.
    """
    each = [1 - index.distances(v) for v in _checked(index, image, words, count=1, weight=weight)]
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
    return ranking_of(index, np.array(order), 1 - like[order]), tuple(index.entries[k] for k in order)


def ranking_of(index: Index, places: Array, distances: Array) -> Ranking:
    """Return the answer that the cases at `places` `(K,)` with their distances `(K,)` are."""
    ids = tuple(index.entries[int(k)].case for k in places)
    return Ranking(case_ids=ids, distances=distances, bundle=index.bundle)


def _exact(
    index: Index, vector: Array, count: int, among: Array | None, hidden: frozenset[int]
) -> tuple[Array, Array]:
    """Return the nearest by comparing every case of `among`, which holds no hidden one, or of all but the hidden."""
    if among is not None:
        return index.closest(vector, count, among)
    places, far = index.closest(vector, count + len(hidden))
    kept = np.array([int(k) not in hidden for k in places], bool)
    return places[kept][:count], far[kept][:count]


def _without(places: Array, hidden: frozenset[int]) -> Array:
    return places if not hidden else places[~np.isin(places, list(hidden))]


def _checked(
    index: Index, image: Array | None, words: Array | None, *, count: int, weight: float
) -> list[Array]:
    """Return the vectors that are asked with. Raises DataError for what cannot be asked."""
    if count < 1:
        raise DataError("at least one case is looked for", found=str(count))
    if not 0 <= weight <= 1:
        raise DataError("the weight of words beside an image lies from 0 to 1", found=f"{weight:g}")
    given = [v for v in (image, words) if v is not None]
    for vector in given:
        if vector.shape != (index.vectors.shape[1],):
            raise DataError(
                "the index holds vectors of another length",
                found=f"{vector.shape} for {index.vectors.shape[1]}",
                hint="the bundle that made the index",
            )
        if not np.isfinite(vector).all():
            raise DataError("what is asked with has a vector that is not finite")
    if not given:
        raise DataError("nothing is looked for", hint="words, an image, or both")
    return given


def _standard(values: Array) -> Array:
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 1e-12 else np.zeros_like(values)
