"""Images that cannot be channels beside their case's reference, for they lie on a grid of their own."""

from __future__ import annotations

from vesalius.core.case import role_of
from vesalius.core.words import counted
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks.contract import Seen

ORDER = 71


def find(seen: Seen) -> list[Finding]:
    """Return the images that cannot be channels beside their case's reference."""
    names = dict.fromkeys(n for f in seen.good for n in f.brought.apart if role_of(n) == n)
    found = []
    for name in names:
        cases = tuple(f.case for f in seen.good if name in f.brought.apart)
        text = (
            f"'{name}' has another size than the reference in {counted(len(cases), 'case')}, and no geometry"
        )
        hint = "tasks that see images apart take them; the others set these cases aside"
        found.append(Finding("note", "grids", cases, text, hint))
    return found
