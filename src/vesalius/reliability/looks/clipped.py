"""Images whose values are cut off at the top: many of their pixels have the greatest value."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vesalius.core.words import counted
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks._robust import LEAST, worst_first
from vesalius.reliability.looks.contract import Seen, Sight

ORDER = 62
SHARE = 0.06  # of the pixels that are not background: from there the greatest value is a wall, not a tail
FAR = 6.0  # robust standard deviations beyond the other cases
SPREAD = 0.004
COHORT = 0.05  # of the median case: then all are cut off


def measure(sight: Sight) -> tuple[float, bool] | None:
    """Return the share of values at the greatest one, background left out, and whether the type ends there.

    Background is what has the least value. A mask-like image of a few values has no tail, and is passed over.
    """
    values = sight.reference.array
    low, high = values.min(), values.max()
    inside = values[values > low]
    if not inside.size or len(np.unique(inside[:: max(1, inside.size // 5000)])) < 16:
        return None
    ends = values.dtype.kind in "ui" and int(high) == np.iinfo(values.dtype).max
    return float((inside == high).mean()), bool(ends)


def find(seen: Seen) -> Iterator[Finding]:
    """Yield the images with far more pixels at their greatest value than others, and a note where most have many."""
    kept = seen.kept("clipped")
    shares = {case: share for case, (share, _) in kept.items()}
    if len(shares) < LEAST:
        return
    found = np.array(list(shares.values()))
    middle = float(np.median(found))
    spread = max(1.4826 * float(np.median(np.abs(found - middle))), SPREAD)
    limit = max(SHARE, middle + FAR * spread)
    for kind, ends in (("saturated", True), ("clipped", False)):
        cases = worst_first({c: s for c, s in shares.items() if s > limit and kept[c][1] == ends})
        if cases:
            top = "the greatest value of their type" if ends else "their own greatest value"
            text = f"{counted(len(cases), 'image ends', 'images end')} in a wall: many pixels have {top}"
            hint = "export them again with a wider window, or see that all are cut off alike"
            evidence = f"{min(cases.values()):.1%} of the pixels and more, of the median image {middle:.1%}"
            yield Finding("warning", kind, tuple(cases), text, hint, evidence, cases)
    if middle > COHORT:
        text = f"most images are cut off at the top: half of them have {middle:.1%} and more of their pixels there"
        hint = "what is brighter than the window cannot be learned from"
        yield Finding("note", "clipped", (), text, hint, f"median share {middle:.3f}")
