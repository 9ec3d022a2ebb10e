"""The same picture twice: exactly, by a hash of its decoded pixels, and nearly, by its fine structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.cohorts import Decoded
from vesalius.core.image import Array
from vesalius.core.words import quoted
from vesalius.reliability._records import CaseRecord, content_hash, what_of
from vesalius.reliability._thumbs import fingerprint

# Correlation of fine structure from which two pictures are called the same. Measured on six public sets: pictures of
# different patients stay below 0.60; in BUSI, pairs looked at from 0.6 up were all one scene; copies that were
# compressed, scaled or brightened lie above 0.94. Below MANY cases what all share cannot be told: then 0.90.
NEAR = 0.85
NEAR_OF_FEW = 0.90
MANY = 8  # cases from which what all share can be told
LIMIT = 30_000  # cases above which near duplicates are not looked for: every pair is compared
_NAMED = 6  # cases in words
_BLOCK = 1024
_NO_IMAGE = (0, 0, 0)  # the shape of a case's image where it has none
_NEVER = 2.0  # above which no two pictures are alike: only equal ones are found


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Cases that show the same picture, with the labels in which they differ, by target."""

    cases: tuple[str, ...]
    exact: bool
    similarity: float
    contradicts: Mapping[str, tuple[str, ...]]
    splits: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    what: str = "picture"

    def __str__(self) -> str:
        """In words: which cases, how alike, and under which labels where these differ."""
        how = (
            f"the same {self.what}" if self.exact else f"nearly the same {self.what} ({self.similarity:.3f})"
        )
        said = "; ".join(f"{name}: {' and '.join(map(quoted, v))}" for name, v in self.contradicts.items())
        apart = f" under different labels ({said})" if said else ""
        more = f" … ({len(self.cases)} in all)" if len(self.cases) > _NAMED else ""
        return f"{' and '.join(repr(c) for c in self.cases[:_NAMED])}{more} are {how}{apart}"


def find(facts: Sequence[CaseRecord], *, near: float = NEAR) -> tuple[Duplicate, ...]:
    """Exact duplicates (equal decoded pixels) in groups, then near ones in pairs, the most alike first.

    Near ones correlate by at least `near` in what is left of 32 × 32 planes (one in 2-D, three in 3-D) once
    their coarse shape, and what the whole cohort shares, are subtracted. This is robust to compression,
    scaling, brightness and contrast; images of one patient, as its sequences, are not called so. Mirrored,
    rotated or cropped copies are not found. 2-D is compared with 2-D, 3-D with 3-D.
    """
    groups: dict[str, list[CaseRecord]] = {}
    for fact in facts:
        if fact.pixels_sha256:
            groups.setdefault(fact.pixels_sha256, []).append(fact)
    exact = [_describe(listed, True, 1.0) for listed in groups.values() if len(listed) > 1]
    firsts = [listed[0] for listed in groups.values()]
    flat = [f for f in firsts if f.shape[0] == 1]
    deep = [f for f in firsts if f.shape[0] > 1]
    pairs = [_describe([a, b], False, r) for part in (flat, deep) for a, b, r in _near(part, near)]
    return (*exact, *sorted(pairs, key=lambda d: -d.similarity))


class Twins:
    """An observer for `cohorts.check` that keeps of each case only what finds its duplicates (4 to 12 KiB)."""

    def __init__(self) -> None:
        self.facts: list[CaseRecord] = []

    def __call__(self, decoded: Decoded) -> None:
        """Take in one case; faulty ones are passed over."""
        case = decoded.case
        image = decoded.reference
        if decoded.fault is None and (image is not None or decoded.courses or case.report):
            self.facts.append(
                CaseRecord(
                    case=case.id,
                    patient=case.patient,
                    split=case.split,
                    labels=decoded.words,
                    shape=_NO_IMAGE if image is None else image.shape,
                    pixels_sha256=content_hash(decoded),
                    print_=np.zeros(0, np.float32) if image is None else fingerprint(image),
                    what=what_of(decoded),
                )
            )

    def exact(self) -> tuple[Duplicate, ...]:
        """Return cases that show the same picture, to the pixel."""
        return find(self.facts, near=_NEVER)

    def groups(self, *, near: float = NEAR) -> dict[str, str]:
        """See `groups`; `near` above 1 leaves the exact ones alone."""
        return groups(self.facts, near=near)


def groups(facts: Sequence[CaseRecord], *, near: float = NEAR) -> dict[str, str]:
    """Return a group name for each case that has a duplicate, so that no split parts them."""
    parent: dict[str, str] = {}

    def root(case: str) -> str:
        while parent.setdefault(case, case) != case:
            case = parent[case]
        return case

    for found in find(facts, near=near):
        for other in found.cases[1:]:
            a, b = root(found.cases[0]), root(other)
            parent[max(a, b)] = min(a, b)
    return {case: root(case) for case in parent}


def _near(facts: Sequence[CaseRecord], near: float) -> list[tuple[CaseRecord, CaseRecord, float]]:
    usable = [f for f in facts if f.print_.any()]
    if len(usable) < 2 or len(usable) > LIMIT or near > 1:
        return []
    near = near if len(usable) >= MANY else max(near, NEAR_OF_FEW)
    prints = _distinctive(np.stack([f.print_ for f in usable]))  # (N, planes · 32 · 32)
    found = []
    for start in range(0, len(usable), _BLOCK):
        block = prints[start : start + _BLOCK]
        alike = block @ prints[start:].T
        for i, j in zip(*np.nonzero(alike >= near), strict=True):
            one, other = usable[start + i], usable[start + j]
            same_patient = one.patient is not None and one.patient == other.patient
            if j > i and not same_patient:
                found.append((one, other, float(alike[i, j])))
    return found


def _distinctive(prints: Array) -> Array:
    """Fingerprints without what the whole cohort shares (the rim of a field of view, an aligned anatomy)."""
    if len(prints) < MANY:
        return prints
    rest = prints - prints.mean(axis=0)
    length = np.linalg.norm(rest, axis=1, keepdims=True)
    result: Array = rest / np.maximum(length, 1e-6)
    return result


def _describe(listed: Sequence[CaseRecord], exact: bool, similarity: float) -> Duplicate:
    contradicts = {}
    for name in {n for f in listed for n in f.labels}:
        values = tuple(dict.fromkeys(f.labels[name] for f in listed if name in f.labels))
        if len(values) > 1:
            contradicts[name] = values
    splits = tuple(dict.fromkeys(f.split for f in listed if f.split is not None))
    patients = tuple(dict.fromkeys(f.patient for f in listed if f.patient is not None))
    return Duplicate(
        tuple(f.case for f in listed),
        exact,
        min(similarity, 1.0),
        contradicts,
        splits,
        patients,
        listed[0].what,
    )
