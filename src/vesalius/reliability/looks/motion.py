"""Images that are blurred in one direction, as of somebody who moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vesalius.core.words import counted
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks._robust import deviations, worst_first
from vesalius.reliability.looks._sharpness import Sharpness
from vesalius.reliability.looks.contract import Seen

ORDER = 64
FAR, WEAK = (
    6.0,
    -2.5,
)  # robust standard deviations: of the difference between directions, and of the weaker one
SPREAD = 0.1  # of the logarithm


def find(seen: Seen) -> Iterator[Finding]:
    """Yield the images that lack sharpness along their rows or along their columns alone."""
    cases = worst_first(moved(seen.kept("blurred")))
    if cases:
        text = f"{counted(len(cases), 'image is', 'images are')} blurred in one direction"
        hint = "look at them: somebody moved, or a machine swept; leave out what cannot be read"
        far = min(abs(v) for v in cases.values())
        evidence = (
            f"sharpness along rows and columns differs by {far:.1f} robust standard deviations and more"
        )
        yield Finding("warning", "motion", tuple(cases), text, hint, evidence, cases)


def moved(kept: Mapping[str, Sharpness]) -> dict[str, float]:
    """Return by case how far sharpness differs between the directions, of those that lack it in one."""
    between = deviations({c: s.x - s.y for c, s in kept.items()}, floor=SPREAD)
    rows, columns = (
        deviations(values, floor=SPREAD)
        for values in ({c: s.x for c, s in kept.items()}, {c: s.y for c, s in kept.items()})
    )
    return {
        c: z for c, z in between.items() if (z < -FAR and rows[c] < WEAK) or (z > FAR and columns[c] < WEAK)
    }
