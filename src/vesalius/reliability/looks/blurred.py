"""Images that are less sharp than the others, in every direction alike."""

from __future__ import annotations

from collections.abc import Iterator

from vesalius.core.words import counted
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks._robust import deviations, worst_first
from vesalius.reliability.looks._sharpness import Sharpness, sharpness
from vesalius.reliability.looks.contract import Seen, Sight
from vesalius.reliability.looks.motion import moved

ORDER = 63
FAR = -5.0  # robust standard deviations
SPREAD = 0.1  # of the logarithm


def measure(sight: Sight) -> Sharpness | None:
    """Return how sharp the image is."""
    return sharpness(sight)


def find(seen: Seen) -> Iterator[Finding]:
    """Yield the images whose fine structure is far weaker than others', but those that are blurred in one direction."""
    kept: dict[str, Sharpness] = seen.kept("blurred")
    apart = deviations({c: s.fine for c, s in kept.items()}, floor=SPREAD)
    one_way = moved(kept)
    cases = worst_first({c: z for c, z in apart.items() if z < FAR and c not in one_way})
    if cases:
        text = f"{counted(len(cases), 'image is', 'images are')} far less sharp than the others"
        hint = "look at them: out of focus, smoothed, or enlarged from fewer pixels"
        evidence = (
            f"their fine structure lies {-max(cases.values()):.1f} robust standard deviations and more below"
        )
        yield Finding("warning", "blurred", tuple(cases), text, hint, evidence, cases)
