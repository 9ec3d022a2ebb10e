"""A mask of ids: which thing each voxel belongs to, so that touching things are told apart; each has its label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from vesalius import formats
from vesalius.cohorts._build import some
from vesalius.cohorts._files import natural
from vesalius.cohorts._instances import mask_of
from vesalius.cohorts._roles import called_like_files
from vesalius.cohorts.targets._strata import by_name
from vesalius.cohorts.targets.contract import Cells, Outlined, Row, TargetKind
from vesalius.core import edges, grids
from vesalius.core.case import InstanceMask, Target
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import GeometryError, VesaliusError
from vesalius.core.image import Image
from vesalius.core.outlines import Outline, Outlines, runs_of
from vesalius.core.words import counted

ROLES = ("instances",)
OUTLINES = True  # COCO's polygons and run lengths are drawn as ids
ORDER = 35
CALLED = r"instances?([ _.-]?(masks?|ids?|maps?|files?|paths?))?"
BITS = (8, 16)  # of files whose ids may have been cut


class DrawnInstances(TargetKind):
    """A value is an InstanceMask: where the mask of ids lies, or the mask, and the labels of its ids."""

    name: ClassVar[str] = "instances"
    in_every_fold: ClassVar[bool] = False
    spelled: ClassVar[bool] = True
    scored_without: ClassVar[bool] = True

    def fits(self, cells: Cells) -> float:
        """Return whether the cells are called as files are."""
        return 1.0 if called_like_files(cells) else 0.0

    def parsed(self, cell: str, row: Row) -> InstanceMask:
        """Return the file that a cell names, with the labels of its ids from `instances.csv` beside it."""
        return mask_of(row.file(cell, "mask of instances"))

    def of_outlines(self, things: Sequence[Outlined], size: tuple[int, int]) -> InstanceMask:
        """Return the outlines as ids in their order, drawn when they are asked for. Raises DataError."""
        made = tuple(
            Outline(k, thing.polygons, runs_of(thing.runs) if isinstance(thing.runs, str) else thing.runs)
            for k, thing in enumerate(things, start=1)
        )
        labels = {k: thing.label for k, thing in enumerate(things, start=1)}
        crowd = frozenset(k for k, thing in enumerate(things, start=1) if thing.crowd)
        return InstanceMask(Outlines(size, made), labels, crowd=crowd)

    def labelled(self, info: TargetInfo, values: Sequence[Target]) -> TargetInfo:
        """Return the target with a label for each name that an id has, numbered from 1 in natural order."""
        names = {n for value in values for n in self.names_in(value)} - {x.name for x in info.labels}
        first = max((x.value for x in info.labels), default=0) + 1
        more = (Label(k, n) for k, n in enumerate(sorted(names, key=natural), start=first))
        return replace(info, labels=(*info.labels, *more))

    def fault(self, value: Target, reference: Image | None) -> str | None:
        """Return why the mask cannot be used: it cannot be read, an id in it has no label, or its ids were cut.

        Raises GeometryError for a mask that was drawn on another grid.
        """
        if not isinstance(value, InstanceMask):
            return "are not a mask of ids"
        try:
            ids = formats.read_ids(value)
        except VesaliusError as error:
            return f"cannot be read: {error}"
        fault = None if reference is None else grids.mask_fault(reference, ids)
        if fault is not None:
            raise GeometryError(f"the mask of instances has {fault}")
        held = [int(k) for k in np.unique(ids.array) if k != 0]
        bare = [k for k in held if value.label_of(k) is None and k not in value.crowd]
        if bare:
            return f"have {counted(len(bare), 'id')} without a label ({some(map(str, bare), 4)}) in instances.csv"
        named, top = max(value.labels, default=0), int(ids.array.max(initial=0))
        for bits in BITS:
            if top < 2**bits <= named:  # what did not fit began again at 0, in other things
                many = f"instances.csv has some up to {named}: save more than {bits} bits"
                return f"have no id above {2**bits - 1}, and {many}"
        return None

    def nothing_to_learn(self, info: TargetInfo, held: Sequence[Target]) -> tuple[str, str] | None:
        """Return that no thing has a label, where that is so."""
        return None if info.labels else ("no thing in any mask", "other masks of ids")

    def strata(self, values: Mapping[str, Target]) -> dict[str, str]:
        """Return the rarest label of each case, '' for a case without things."""
        return by_name({case: self.names_in(value) for case, value in values.items()})

    def names_in(self, value: Target) -> tuple[str, ...]:
        """Return each label that a thing of the case has, once."""
        return value.names if isinstance(value, InstanceMask) else ()

    def things(self, values: Iterable[Target]) -> Counter[str]:
        """Return how many things of each label there are, of ids that are listed with their labels."""
        masks = [v for v in values if isinstance(v, InstanceMask)]
        return Counter(name for mask in masks for k, name in mask.labels.items() if k not in mask.crowd)

    def shown(self, value: Target, info: TargetInfo) -> Image | None:
        """Return each thing under the value of its label, with nothing where two things touch in a plane."""
        if not isinstance(value, InstanceMask):
            return None
        found = formats.read_ids(value)
        values = {x.name: x.value for x in info.labels}
        ids = found.array[0]
        held = np.unique(ids)
        new = [0 if k in value.crowd else values.get(str(value.label_of(int(k))), 0) for k in held.tolist()]
        new[0] = 0 if held[0] == 0 else new[0]
        sorts = np.asarray(new, np.int32)[np.searchsorted(held, ids)]
        return replace(found, array=edges.apart(ids, sorts)[None])

    def renamed(self, value: Target, new: Mapping[str, str]) -> Target | None:
        """Return the ids under other labels; those whose label becomes nothing are neither learned nor counted."""
        if not isinstance(value, InstanceMask):
            return value
        labels = {k: new.get(name, name) for k, name in value.labels.items()}
        lost = frozenset(k for k, name in labels.items() if not name)
        kept = {k: name or value.labels[k] for k, name in labels.items()}
        otherwise = None if value.otherwise is None else new.get(value.otherwise, value.otherwise) or None
        return replace(value, labels=kept, otherwise=otherwise, crowd=value.crowd | lost)


KIND = DrawnInstances()
