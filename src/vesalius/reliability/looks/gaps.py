"""Planes that are missing in the middle: of what a mask labels, or of a volume itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vesalius.core.words import counted
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks._robust import worst_first
from vesalius.reliability.looks.contract import Seen, Sight
from vesalius.reliability.looks.islands import by_label, called

ORDER = 83
RARE = 0.25  # of the masks that have a label: where more have gaps, it comes in pieces


def measure(sight: Sight) -> tuple[int, int] | None:
    """Return how many planes of a volume are empty between planes that are not, and how many repeat the one before."""
    volume = sight.grey
    if len(volume) < 3:
        return None
    flat = np.ptp(volume.reshape(len(volume), -1), axis=1) == 0
    inner = np.flatnonzero(~flat)
    empty = int(flat[inner[0] : inner[-1]].sum()) if len(inner) else 0
    pairs = zip(volume[:-1], volume[1:], ~flat[1:], strict=True)
    return empty, sum(bool(full) and np.array_equal(a, b) for a, b, full in pairs)


def find(seen: Seen) -> Iterator[Finding]:
    """Yield volumes with empty or repeated planes in them, and, label by label, masks that miss planes."""
    kept: dict[str, tuple[int, int]] = seen.kept("gaps")
    for place, what in enumerate(("empty", "repeated")):
        cases = worst_first({c: float(planes[place]) for c, planes in kept.items() if planes[place]})
        if cases:
            text = f"{counted(len(cases), 'volume has', 'volumes have')} {what} planes in the middle"
            hint = "a slice is lost or was filled: read the series again from its source"
            evidence = f"up to {max(cases.values()):g} of its planes"
            yield Finding("warning", "missing slices", tuple(cases), text, hint, evidence, cases)
    for (name, value), drawn in by_label(seen.kept("islands")).items():
        found = worst_first({c: float(one.gap) for c, one in drawn.items() if one.gap})
        if found and len(found) <= max(1.0, RARE * len(drawn)):
            masks = counted(len(found), "mask misses", "masks miss")
            text = f"{called(seen, name, value)}: {masks} planes between the first and the last"
            hint = "draw what is missing, or a model learns that nothing is there"
            evidence = (
                f"up to {max(found.values()):g} empty planes; {len(drawn) - len(found)} other masks have none"
            )
            yield Finding("warning", "missing slices", tuple(found), text, hint, evidence, found)
