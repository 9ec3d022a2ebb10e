"""A field that an earlier stage made, as one more image of the case: a channel a label, on its reference's grid."""

from __future__ import annotations

from dataclasses import replace

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import counted
from vesalius.infer.handover.contract import Given


def with_field(given: Given, field: Array, name: str) -> Given:
    """Return the case with a field `(K, Z, Y, X)` as its image `name`. Raises DataError where it cannot be one."""
    reference, case = given.reference, given.case
    if name in case.images:
        raise DataError(
            f"case {case.id} has an image that is called as the stage '{name}' is",
            hint="another name for the stage",
        )
    if field.shape[1:] != reference.shape:
        raise DataError(
            f"case {case.id}: what the stage '{name}' says is of another image",
            found=f"{field.shape[1:]} where the image has {reference.shape} (z, y, x)",
        )
    image = replace(reference, array=field, times_s=None, unit=None, modality=None, channels=(), display={})
    return replace(given, case=replace(case, images={**case.images, name: image}))


def assert_planes(field: Array | None, name: str, what: str) -> Array:
    """Return a field. Raises DataError where there is none, or it has no channel."""
    if field is None or not len(field):
        raise DataError(
            f"the answer of the stage '{name}' has {what}",
            found="nothing" if field is None else counted(len(field), "channel"),
        )
    return field
