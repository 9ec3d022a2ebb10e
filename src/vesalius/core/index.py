"""Index: vectors of cases by which the nearest of them are found, and what is known of each case beside its vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from vesalius.core.case import Ref
from vesalius.core.image import Array

_BLOCK = 4096  # vectors that are compared at a time
_ROUNDING = 1.2e-7  # of one product in single precision, twice


@dataclass(frozen=True)
class Entry:
    """One case of an index. `target` is its target in words, empty where it has none.

    `image` is where its reference image lies, None where it is no file; by its `marks` the same pixels are known again.
    `patient` is whose it is, None where nobody said. `covariates` are what is known of the case beside its images,
    `modality` what its image is declared to be; None where nothing is.
    """

    case: str
    target: str = ""
    image: Ref | None = None
    marks: tuple[str, ...] = ()
    patient: str | None = None
    covariates: Mapping[str, float | str] = field(default_factory=dict)
    modality: str | None = None


@dataclass(frozen=True, eq=False)
class Index:
    """Cases with a vector each, `vectors` `(N, F)` float32 in the order of `entries`.

    `bundle` is the hash of the bundle whose features they are: those of another one mean something else. `made_of` says
    in words what the vectors are, `measured` what was measured of how much near cases have in common. `of` says whether
    vectors are of the cases' images or of their reports. Where they are `centred` their angles are taken about their
    mean, as features all point much the same way; vectors that words are compared with are taken as they are.
    `tiles` says of images that a model sees tile by tile whether vectors are those of the tile in the `middle`, or the
    mean over `all`. `target` is the name of the cases' target. `added` are the hash of the data and the number of cases
    of each time that cases came. `search` says in which way the nearest are found, why, and what was measured of it;
    `graph` is what a search that does not compare every case goes by, in bytes. `told` is False for an index of before
    covariates were kept.
    """

    bundle: str
    data_hash: str
    made_of: str
    vectors: Array
    entries: tuple[Entry, ...]
    measured: Mapping[str, Any] = field(default_factory=dict)
    of: Literal["images", "reports"] = "images"
    centred: bool = True
    tiles: Literal["middle", "all"] = "middle"
    target: str = ""
    added: tuple[tuple[str, int], ...] = ()
    search: Mapping[str, Any] = field(default_factory=dict)
    graph: bytes | None = field(default=None, repr=False)
    told: bool = True

    @cached_property
    def directions(self) -> Array:
        """The vectors about `mean`, each of length 1, `(N, F)` float32; one that is the mean itself stays zero."""
        found = np.empty(self.vectors.shape, np.float32)
        for k in range(0, len(found), _BLOCK):
            found[k : k + _BLOCK] = unit(self.vectors[k : k + _BLOCK] - self.mean)
        return found

    @cached_property
    def mean(self) -> Array:
        """The mean of the vectors, `(F,)` float64; zero where they are not centred."""
        if not self.centred:
            return np.zeros(self.vectors.shape[1])
        found: Array = np.asarray(self.vectors.mean(axis=0, dtype=np.float64))
        return found

    @cached_property
    def of_patient(self) -> Mapping[str, tuple[int, ...]]:
        """The places of each patient's cases, by `same_patient` of the patient's name."""
        return _places((same_patient(e.patient), k) for k, e in enumerate(self.entries) if e.patient)

    @cached_property
    def of_mark(self) -> Mapping[str, tuple[int, ...]]:
        """The places of the cases that show the same pixels, by their mark."""
        return _places((mark, k) for k, e in enumerate(self.entries) for mark in e.marks)

    def direction(self, vector: Array) -> Array:
        """Return a vector `(F,)` about the mean at length 1, float64."""
        found: Array = unit((np.asarray(vector, np.float64) - self.mean)[None])[0]
        return found

    def distances(self, vector: Array, places: Array | None = None) -> Array:
        """Return the cosine distance of each case from a vector `(F,)`, `(N,)`: 0 one direction, 2 the opposite.

        `places` are the cases that are compared, by default all. Equal vectors have equal distances to the last bit,
        wherever they stand.
        """
        direction = self.direction(vector)
        every = np.arange(len(self.vectors)) if places is None else np.asarray(places)
        found = np.empty(len(every))
        for k in range(0, len(every), _BLOCK):
            rows = unit(self.vectors[every[k : k + _BLOCK]] - self.mean)
            found[k : k + _BLOCK] = 1 - (rows * direction).sum(axis=1)
        near: Array = np.clip(found, 0.0, 2.0)
        return near

    def closest(self, vector: Array, count: int, among: Array | None = None) -> tuple[Array, Array]:
        """Return the places `(K,)` of the `count` nearest cases and their distances `(K,)`, the nearest first.

        `among` are the places that are looked at, by default all. Of equals the earlier one stands first. A first look
        in single precision leaves only those that rounding could let in to be compared in double precision.
        """
        every = None if among is None else np.asarray(among, np.int64)
        rows = self.directions if every is None else self.directions[every]
        like = rows @ self.direction(vector).astype(np.float32)
        if count < len(like):
            last = np.partition(like, len(like) - count)[len(like) - count]
            kept = np.flatnonzero(like >= last - (_ROUNDING * rows.shape[1] + 1e-6))
        else:
            kept = np.arange(len(like))
        return self.ordered(vector, kept if every is None else every[kept], count)

    def ordered(self, vector: Array, places: Array, count: int) -> tuple[Array, Array]:
        """Return the `count` nearest of the cases at `places`, and their distances; of equals the earlier one first."""
        far = self.distances(vector, places)
        order = np.lexsort((places, far))[:count]
        return np.asarray(places)[order], far[order]

    def nearest(self, vector: Array, count: int = 5) -> list[tuple[Entry, float]]:
        """Return the `count` nearest cases with their distances, the nearest first; of equals the earlier one first."""
        places, far = self.closest(vector, count)
        return [(self.entries[int(k)], float(d)) for k, d in zip(places, far, strict=True)]


def same_patient(patient: str) -> str:
    """Return a patient's name as it is compared: letter case and spaces around it do not count."""
    return patient.strip().casefold()


def unit(vectors: Array) -> Array:
    """Return vectors `(N, F)` at length 1, float64; one of no length stays zero."""
    held = np.asarray(vectors, np.float64)
    lengths = np.sqrt((held * held).sum(axis=1, keepdims=True))
    found: Array = np.divide(held, lengths, out=np.zeros_like(held), where=lengths > 1e-12)
    return found


def _places(pairs: Any) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for name, place in pairs:
        found.setdefault(name, []).append(place)
    return {name: tuple(places) for name, places in found.items()}
