"""Agreement: what another tool computes of the same inputs, held against what the members say here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.exports.contract import Agreement, Source

Answering = Callable[[Mapping[str, Array]], Array]


def agreed(source: Source, member: int, ask: Answering, *, by: str) -> Agreement:
    """Return how far another tool's raw outputs lie from ours. Raises DataError where that is too far, or NaN.

    `ask` is given arrays by name and returns the raw output `(B, …)`.
    """
    far, largest = 0.0, 0.0
    names = [feed.name for feed in source.feeds]
    for tensors, ours in zip(source.tensors(), source.raw(member), strict=True):
        theirs = np.asarray(ask({name: t.numpy() for name, t in zip(names, tensors, strict=True)}))
        if theirs.shape != ours.shape:
            raise DataError(
                f"member {member} answers in another shape in {by}",
                found=f"{theirs.shape}, not {ours.shape}",
            )
        if not np.isfinite(theirs).all():
            raise DataError(f"member {member} answers with numbers that are not finite in {by}")
        far = max(far, float(np.abs(theirs.astype(np.float64) - ours).max(initial=0.0)))
        largest = max(largest, float(np.abs(ours).max(initial=0.0)))
    found = Agreement(member, far, largest, len(source.batches), by)
    if far > found.limit:
        raise DataError(
            f"member {member} answers otherwise in {by}, so that nothing is exported",
            found=f"raw outputs that differ by {far:.3g}, where {found.limit:.3g} is allowed",
            hint="another --to, or a report of this as a bug",
        )
    return found
