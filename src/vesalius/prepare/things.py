"""Things of a case: a mask of ids as it is, or the connected parts of each label of a mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from vesalius import formats
from vesalius.core import grids
from vesalius.core.case import IGNORED, InstanceMask, Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Array, Image
from vesalius.core.things import Things
from vesalius.prepare.case import load_mask
from vesalius.prepare.geometry import Undo, pad_to, seen


def load_things(item: object, labels: Sequence[Label], *, region: Image | None = None) -> Things:
    """Return the things of a target on its own grid, outside of `region` all unknown.

    A target is a mask of ids, or a mask of labels, of which each connected part is a thing; parts that touch at a
    corner are one. Raises DataError for another target.
    """
    if isinstance(item, InstanceMask):
        ids = formats.read_ids(item).array[0]
        held = [int(k) for k in np.unique(ids) if k != 0]
        named = {k: str(item.label_of(k)) for k in held if item.label_of(k) is not None or k in item.crowd}
        found = Things(ids, named, item.crowd)
    elif isinstance(item, Ref | Image):
        found = parts(load_mask(item), labels)
    else:
        raise DataError("the target is neither a mask of ids nor a mask", found=type(item).__name__)
    if region is None:
        return found
    if region.shape != found.ids.shape:
        raise GeometryError(
            "region and mask must lie on one grid", found=f"{region.shape}, {found.ids.shape}"
        )
    outside = region.array[0] == 0
    unknown = outside if found.unknown is None else found.unknown | outside
    return Things(found.ids, found.labels, found.crowd, unknown)


def parts(mask: Image, labels: Sequence[Label]) -> Things:
    """Return the connected parts of each label of a mask `(1, Z, Y, X)` as things, numbered label by label."""
    array = mask.array[0]
    ids = np.zeros(array.shape, dtype=np.int32)
    named: dict[int, str] = {}
    around = np.ones((3, 3, 3), dtype=bool)
    for label in labels:
        numbered, many = ndimage.label(array == label.value, structure=around, output=np.int32)
        ids[numbered != 0] = numbered[numbered != 0] + len(named)
        named |= {len(named) + k: label.name for k in range(1, many + 1)}
    unknown = array == IGNORED if array.dtype.kind == "i" and (array == IGNORED).any() else None
    return Things(ids, named, unknown=unknown)


def prepared_ids(things: Things, reference: Image, undo: Undo, *, case_id: str) -> Array:
    """Return ids `(Z, Y, X)` int32 on the prepared grid, of the nearest voxel each; -1 where nothing is known.

    Raises GeometryError where the mask has another shape than its image.
    """
    if things.ids.shape != reference.shape:
        raise GeometryError(
            f"case {case_id}: the mask contradicts its image's geometry",
            found=grids.difference(Image(things.ids[None]), reference),
            hint="a mask drawn on this image",
        )
    ids = things.ids.astype(np.int32)
    if things.unknown is not None:
        ids[things.unknown] = -1
    for crowd in things.crowd:
        ids[ids == crowd] = -1
    ids = seen(ids, undo)
    for axis, n in enumerate(undo.inner):
        many = ids.shape[axis]
        if many != n:
            nearest = ((np.arange(n) + 0.5) * many / n).astype(np.int64)
            ids = np.take(ids, nearest, axis=axis)
    return pad_to(ids, undo, value=-1)
