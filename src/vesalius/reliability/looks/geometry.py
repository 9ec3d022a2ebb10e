"""Spacing, size, orientation, dimension or channels unlike those of the other cases."""

from __future__ import annotations

from collections.abc import Iterator

from vesalius.reliability import geometry
from vesalius.reliability.finding import Finding, Severity
from vesalius.reliability.looks.contract import Seen

ORDER = 40
HINTS = {
    "spacing": "look at the unit and the axis of these headers; what is wrong there resamples an image to another size",
    "missing": "measures of these are in pixels: supply their spacing, or leave them out",
    "orientation": "`fit` turns all to one orientation; look whether these headers are right",
    "size": "look at them: a localiser, a crop or a stack of another kind",
    "dimensions": "`fit` learns one of both: name the layout, or part them",
}


def find(seen: Seen) -> Iterator[Finding]:
    """Yield the misfits; masks that contradict their image are named among those set aside."""
    for m in seen.misfits:
        if m.kind != geometry.MASK:
            severity: Severity = "warning" if m.kind != "channels" else "note"
            yield Finding(severity, f"geometry: {m.kind}", m.cases, m.text, HINTS.get(m.kind, ""))
