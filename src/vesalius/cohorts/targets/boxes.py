"""Boxes around what is looked for, each with its label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vesalius.cohorts._box_columns import columns_of
from vesalius.cohorts._box_table import with_table
from vesalius.cohorts.targets._given_boxes import boxes_of
from vesalius.cohorts.targets._renaming import plain, renamed
from vesalius.cohorts.targets._strata import by_name
from vesalius.cohorts.targets.contract import Cells, Find, OwnTable, TargetKind, Thing
from vesalius.core.case import Box, Target
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.words import counted, listed

ROLES = ()  # no one column holds them: see docs/layouts.md
HOW = "boxes"  # the option `--column boxes=…` says how they are written
OWN_TABLE = True  # a row a box, beside the images
ORDER = 50


class DrawnBoxes(TargetKind):
    """A value is a tuple of boxes in index coordinates of the reference image; without a box, nothing is there."""

    name: ClassVar[str] = "boxes"
    in_every_fold: ClassVar[bool] = False
    spelled: ClassVar[bool] = True
    scored_without: ClassVar[bool] = True

    # --- recognised and read

    def given(self, value: Any, *, classes: Sequence[str], image: Image) -> tuple[Box, ...] | None:
        """Return the boxes of `{"boxes": (N, 4) or (N, 6), "labels": (N,)}`, as torchvision's datasets have them.

        Corners are x, y (and z) in pixels from 0, the low ones first and the high ones where the box ends.
        """
        return boxes_of(value, classes=classes, image=image)

    def as_json(self, value: Target) -> Any:
        """Return each box as its corners, `(z, y, x)`, its label, and whether it is a crowd."""
        return [[[*b.low], [*b.high], b.label, b.crowd] for b in _boxes(value)]

    def of_json(self, value: Any) -> tuple[Box, ...]:
        """Return the boxes. Raises ValueError or TypeError."""
        return tuple(
            Box(_triple(low), _triple(high), str(name), crowd=bool(c)) for low, high, name, c in value
        )

    def made(self, cohort: Cohort, text: str) -> Cohort:
        """Return the cohort with the boxes of the connected parts of a mask, where `text` names one."""
        from vesalius.cohorts._mask_parts import parts_of  # it reads masks, which no other boxes need

        return parts_of(cohort, text)

    def in_own_table(self, path: Path, table: Mapping[str, Cells], text: str) -> bool:
        """Return whether columns of a table are called as those of boxes are, or were named."""
        return columns_of(table, text) is not None

    def of_things(self, table: Mapping[str, Cells], text: str) -> tuple[str, ...]:
        """Return the columns of coordinates and of boxes' labels."""
        columns = columns_of(table, text)
        return () if columns is None else columns.all

    def with_table(self, cohort: Cohort, own: OwnTable, find: Find) -> Cohort:
        """Return the cohort with a table's boxes as a target that is called as the table is. Raises DataError."""
        return with_table(cohort, own, find)

    # --- checked

    def fault(self, value: Target, reference: Image | None) -> str | None:
        """Return that a box has no extent, coordinates that are not finite, or lies outside of its image."""
        for k, box in enumerate(_boxes(value)):
            low, high = np.array(box.low), np.array(box.high)
            where = f"hold box {k + 1}, {box.label}, {_place(box)}"
            if not (np.isfinite(low).all() and np.isfinite(high).all()):
                return f"{where}, with a coordinate that is no finite number"
            if (high <= low).any():
                return f"{where}, without an extent"
            if reference is not None and ((low >= reference.shape) | (high <= 0)).any():
                return f"{where}, outside of its image of (z, y, x) {reference.shape}"
        return None

    def nothing_to_learn(self, info: TargetInfo, held: Sequence[Target]) -> tuple[str, str] | None:
        """Return that no case has a box, where that is so."""
        if any(_boxes(v) for v in held):
            return None
        return f"no box in any of {counted(len(held), 'case')}", "cases with boxes, or another --target"

    # --- spread over folds

    def strata(self, values: Mapping[str, Target]) -> dict[str, str]:
        """Return the rarest label of each case, '' for a case without boxes."""
        return by_name({case: self.names_in(value) for case, value in values.items()})

    # --- summed up

    def names_in(self, value: Target) -> tuple[str, ...]:
        """Return each label that a box of the case has, once."""
        return tuple(dict.fromkeys(box.label for box in _boxes(value)))

    def word(self, value: Target) -> str | None:
        """Return how many boxes there are of each label."""
        counts = Counter(box.label for box in _boxes(value))
        return " · ".join(f"{n} {counts[n]}" for n in sorted(counts)) or "no boxes"

    def things(self, values: Iterable[Target]) -> Counter[str]:
        """Return how many boxes of each label there are in all cases together."""
        return Counter(box.label for value in values for box in _boxes(value))

    def frames(self, value: Target) -> tuple[Box, ...]:
        """Return the boxes."""
        return _boxes(value)

    def told(self, values: Sequence[Target]) -> list[tuple[str, str]]:
        """Return how many boxes an image has, how large those of each label are, and how many are crowds."""
        counts = [len(_boxes(v)) for v in values]
        every = [box for value in values for box in _boxes(value)]
        if not every:
            return []
        empty = sum(n == 0 for n in counts)
        found = [("boxes", f"{len(every):,} in {counted(len(counts), 'image')}, {empty} of them without any")]
        found.append(("boxes an image", _three(counts)))
        flat = all(box.low[0] == 0 and box.high[0] == 1 for box in every)
        for name in sorted({b.label for b in every}):
            sizes = np.array([np.subtract(b.high, b.low)[::-1] for b in every if b.label == name])
            sides = [_three(side) for side in sizes.T[: 2 if flat else 3]]
            found.append((f"size of {name}, {'x y' if flat else 'x y z'}", " × ".join(sides) + " pixels"))
        crowds = sum(b.crowd for b in every)
        return [*found, ("crowds", f"{crowds}, neither asked for nor counted")] if crowds else found

    def around(self, value: Target, shape: tuple[int, int, int]) -> Array | None:
        """Return the boxes and half of their size on every side; regions of many things are left out."""
        boxes = [box for box in _boxes(value) if not box.crowd]
        if not boxes:
            return None
        bits = np.zeros(shape, dtype=bool)
        for box in boxes:
            low, high = np.array(box.low), np.array(box.high)
            first, last = np.floor(low - (high - low) / 2), np.ceil(high + (high - low) / 2)
            z, y, x = (slice(max(int(a), 0), max(int(b), 0)) for a, b in zip(first, last, strict=True))
            bits[z, y, x] = True
        return bits

    def extents(self, value: Target) -> tuple[Thing, ...]:
        """Return each box by its label and its size; regions of many things are left out."""
        return tuple((box.label, _size(box)) for box in _boxes(value) if not box.crowd)

    # --- held against answers

    def renamed(self, value: Target, new: Mapping[str, str]) -> Target | None:
        """Return the boxes under other labels, without those whose label becomes nothing."""
        return renamed(_boxes(value), new)

    def assert_learned(self, info: TargetInfo, learned: Sequence[str]) -> None:
        """Raise DataError where the data have a label that a bundle did not learn, however it is spelled."""
        known = {plain(name) for name in learned}
        strange = [x.name for x in info.labels if plain(x.name) not in known] if learned else []
        if strange:
            raise DataError(
                f"the bundle did not learn boxes of '{strange[0]}', which target '{info.name}' has",
                found=f"it learned {listed(learned)}",
                hint=f"--labels '{strange[0]}=NAME' with one that it learned, or '{strange[0]}=' without these boxes",
            )

    def aligned(self, cohort: Cohort, target: str, learned: Sequence[Label]) -> Cohort:
        """Return the cohort with its boxes under the labels that a bundle learned, as it spells them."""
        info = cohort.targets[target]
        spelled = {plain(x.name): x.name for x in learned}
        new = {x.name: s for x in info.labels if (s := spelled.get(plain(x.name), x.name)) != x.name}
        if not new:
            return cohort
        cases = tuple(
            replace(c, targets={**c.targets, target: renamed(_boxes(c.targets[target]), new)})
            if target in c.targets
            else c
            for c in cohort.cases
        )
        labels = tuple(replace(x, name=new.get(x.name, x.name)) for x in info.labels)
        return replace(cohort, cases=cases, targets={**cohort.targets, target: replace(info, labels=labels)})


def _boxes(value: Target) -> tuple[Box, ...]:
    return tuple(v for v in value if isinstance(v, Box)) if isinstance(value, tuple) else ()


def _triple(values: Sequence[Any]) -> tuple[float, float, float]:
    z, y, x = map(float, values)
    return (z, y, x)


def _place(box: Box) -> str:
    return f"z, y, x {', '.join(f'{v:.5g}' for v in box.low)} to {', '.join(f'{v:.5g}' for v in box.high)}"


def _three(values: Sequence[float]) -> str:
    """Return the least, the median and the greatest."""
    low, middle, high = min(values), float(np.median(values)), max(values)
    return f"{middle:.4g}" if low == high else f"{low:.4g}–{middle:.4g}–{high:.4g}"


def _size(box: Box) -> tuple[float, float, float]:
    z, y, x = (high - low for low, high in zip(box.low, box.high, strict=True))
    return z, y, x


KIND = DrawnBoxes()
