"""Labels whose size is impossible beside that of the others."""

from __future__ import annotations

import math
from collections.abc import Iterator

from vesalius.core.words import counted
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks._robust import deviations, worst_first
from vesalius.reliability.looks.contract import Seen
from vesalius.reliability.looks.islands import by_label, called

ORDER = 82
FAR, TIMES = 6.0, 5.0  # robust standard deviations of the logarithm, and times the median
SPREAD = 0.15


def find(seen: Seen) -> Iterator[Finding]:
    """Yield, label by label, the masks where it is far larger or smaller than in the others."""
    for (name, value), cases in by_label(seen.kept("islands")).items():
        sizes = {c: math.log(one.size) for c, one in cases.items() if one.size > 0}
        apart = deviations(sizes, floor=SPREAD)
        middle = sorted(sizes.values())[len(sizes) // 2] if sizes else 0.0
        times = {c: math.exp(sizes[c] - middle) for c, z in apart.items() if abs(z) > FAR}
        wrong = {c: t for c, t in times.items() if t > TIMES or t < 1 / TIMES}
        if wrong:
            logs = worst_first({c: math.log(t) for c, t in wrong.items()})
            ranked = {c: float(f"{wrong[c]:.3g}") for c in logs}
            masks = counted(len(wrong), "mask", "masks")
            text = f"{called(seen, name, value)}: its size is impossible in {masks}"
            hint = "look whether the spacing, the label or the drawing is wrong"
            low, high = min(wrong.values()), max(wrong.values())
            evidence = f"{low:.3g} to {high:.3g} times the median of {counted(len(cases), 'mask')}"
            yield Finding("warning", "impossible volume", tuple(ranked), text, hint, evidence, ranked)
