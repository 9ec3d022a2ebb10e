"""Geometry that does not fit: masks against their images, and cases against their cohort."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.words import counted
from vesalius.reliability._records import CaseRecord

FACTOR = 3.0  # how many times the median a spacing or a size may be before it is called unusual
RARE = 0.1
MASK = "mask"  # the sort of misfit of masks against their images


@dataclass(frozen=True, slots=True)
class Misfit:
    """Cases whose geometry is unlike the others', or contradicts their mask's."""

    kind: str  # MASK, "forms", "spacing", "size", "orientation", "dimensions", "channels", "missing"
    cases: tuple[str, ...]
    text: str


def find(facts: Sequence[CaseRecord]) -> tuple[Misfit, ...]:
    """Masks that contradict their image, NIfTIs that contradict themselves, then outliers of spacing (over 3 times
    off the median), size, orientation, dimension and channels, and cases without spacing where others have it."""
    found = [Misfit(MASK, (f.case,), f.fault) for f in facts if f.fault and "than its image" in f.fault]
    found += _forms(facts)
    good = _of_one_image([f for f in facts if f.fault is None and any(f.shape)])
    if len(good) < 2:
        return tuple(found)
    found += _dimensions(good)
    found += _spacing(good)
    found += _sizes(good)
    for kind, words in (
        ("orientation", {f.case: f.orientation for f in good if f.orientation}),
        ("channels", {f.case: counted(len(f.channels), "channel") for f in _of_one_set(good)}),
    ):
        found += _minority(kind, {c: str(w) for c, w in words.items()})
    return tuple(found)


def _of_one_image(good: Sequence[CaseRecord]) -> list[CaseRecord]:
    """Return the cases whose reference is the image that most have as such: a CT is not held against an X-ray."""
    names = Counter(f.brought.reference for f in good)
    usual = names.most_common(1)[0][0] if names else None
    return [f for f in good if f.brought.reference == usual]


def _of_one_set(good: Sequence[CaseRecord]) -> list[CaseRecord]:
    """Return the cases that have the images that most have: one that is missing is said elsewhere."""
    sets = Counter(f.brought.images for f in good)
    usual = sets.most_common(1)[0][0] if sets else ()
    return [f for f in good if f.brought.images == usual]


def _forms(facts: Sequence[CaseRecord]) -> list[Misfit]:
    apart = {f.case: f.apart_mm for f in facts if f.apart_mm > 0}
    if not apart:
        return []
    count = counted(len(apart), "case")
    text = (
        f"the NIfTI headers of {count} say two places, sform and qform, up to {max(apart.values()):.3g} mm apart;"
        " the sform is used, and other software may use the qform"
    )
    return [Misfit("forms", tuple(apart), text)]


def _dimensions(good: Sequence[CaseRecord]) -> list[Misfit]:
    flat = [f.case for f in good if f.shape[0] == 1]
    if not flat or len(flat) == len(good):
        return []
    few = flat if len(flat) * 2 <= len(good) else [f.case for f in good if f.shape[0] > 1]
    return [
        Misfit(
            "dimensions",
            tuple(few),
            f"{counted(len(flat), 'case is', 'cases are')} 2-D and {len(good) - len(flat)} are 3-D",
        )
    ]


def _spacing(good: Sequence[CaseRecord]) -> list[Misfit]:
    spaced = [f for f in good if f.spacing_mm is not None]
    missing = tuple(f.case for f in good if f.spacing_mm is None)
    found = []
    if spaced and missing:
        found.append(
            Misfit(
                "missing",
                missing,
                f"{counted(len(missing), 'case has', 'cases have')} no spacing, the others have",
            )
        )
    if len(spaced) < 3:
        return found
    spacings = np.array([f.spacing_mm for f in spaced])
    median = np.median(spacings, axis=0)
    off = np.abs(np.log(spacings / median)).max(axis=1) > math.log(FACTOR)
    if off.any():
        listed = tuple(f.case for f, bad in zip(spaced, off, strict=True) if bad)
        usual = " × ".join(f"{s:.3g}" for s in median)
        text = f"{counted(len(listed), 'case has', 'cases have')} a spacing "
        text += f"more than {FACTOR:g} times off the median {usual} mm"
        found.append(Misfit("spacing", listed, text))
    return found


def _sizes(good: Sequence[CaseRecord]) -> list[Misfit]:
    if len(good) < 3:
        return []
    sizes = np.array([f.shape for f in good], dtype=np.float64)
    median = np.median(sizes, axis=0)
    off = np.abs(np.log(sizes / median)).max(axis=1) > math.log(FACTOR)
    if not off.any():
        return []
    listed = tuple(f.case for f, bad in zip(good, off, strict=True) if bad)
    usual = "×".join(f"{s:g}" for s in median)
    return [
        Misfit(
            "size",
            listed,
            f"{counted(len(listed), 'case is', 'cases are')} more than {FACTOR:g} times off the median size {usual}",
        )
    ]


def _minority(kind: str, words: dict[str, str]) -> list[Misfit]:
    counts = Counter(words.values())
    if len(counts) < 2:
        return []
    usual, most = counts.most_common(1)[0]
    rare = tuple(c for c, w in words.items() if w != usual)
    if most < (1 - RARE) * len(words):
        listed = ", ".join(f"{n} {w}" for w, n in counts.most_common(4))
        return [Misfit(kind, rare, f"{kind} varies: {listed}")]
    others = ", ".join(sorted({words[c] for c in rare}))
    return [Misfit(kind, rare, f"{counted(len(rare), 'case is', 'cases are')} {others}, the others {usual}")]
