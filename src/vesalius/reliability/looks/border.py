"""Annotations that touch the image's border, where others lie within."""

from __future__ import annotations

from collections.abc import Iterator

from vesalius.core.words import counted
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks._robust import LEAST, worst_first
from vesalius.reliability.looks.contract import Seen
from vesalius.reliability.looks.islands import by_label, called

ORDER = 81
RARE = 0.1  # of the masks that have a label: where more touch, it reaches beyond the field


def find(seen: Seen) -> Iterator[Finding]:
    """Yield, label by label, the masks that touch the first or the last row or column."""
    for (name, value), cases in by_label(seen.kept("islands")).items():
        touching = worst_first({c: float(one.edge) for c, one in cases.items() if one.edge})
        if touching and len(cases) >= LEAST and len(touching) <= max(1.0, RARE * len(cases)):
            masks = counted(len(touching), "mask touches", "masks touch")
            text = f"{called(seen, name, value)}: {masks} the border of the image"
            hint = "what is drawn there may be cut, and its size too small: look at them"
            others = len(cases) - len(touching)
            evidence = (
                f"up to {max(touching.values()):g} voxels lie on the border; {others} other masks have none"
            )
            places = {c: p for c in touching if (p := cases[c].at_edge) is not None}
            yield Finding(
                "note", "touches the border", tuple(touching), text, hint, evidence, touching, places
            )
