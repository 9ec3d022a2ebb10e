"""Images whose values lie on another scale than the others', or that are inverted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vesalius.core.words import counted
from vesalius.reliability._thumbs import shrink
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks._robust import LEAST, deviations, worst_first
from vesalius.reliability.looks.contract import Seen, Sight

ORDER = 67
SCALES = 20.0  # the greatest of an image may be so many times another's before it is remarked on
FAR, TIMES = 8.0, 3.0  # robust standard deviations, and times the median, of the span of an image's values
SPREAD = 0.15  # of the logarithm
ALIKE, AGAINST = (
    0.5,
    -0.4,
)  # correlation with the cohort's mean picture: of the median image, and of an inverted one
SIDE = 12


def measure(sight: Sight) -> tuple[float, bytes] | None:
    """Return the span of the image's values, and a tiny picture of its middle plane."""
    low, high = sight.span
    if high <= low:
        return None
    small = shrink(np.ascontiguousarray(sight.planes[len(sight.planes) // 2]), (SIDE, SIDE))
    return high - low, small.astype(np.float32).tobytes()


def find(seen: Seen) -> Iterator[Finding]:
    """Yield outliers of the span of values, inverted images, and a note where scales are many."""
    kept: dict[str, tuple[float, bytes]] = seen.kept("intensity")
    spans = {case: float(np.log(span)) for case, (span, _) in kept.items()}
    apart = deviations(spans, floor=SPREAD)
    middle = float(np.median(list(spans.values()))) if spans else 0.0
    far = {c: float(np.exp(spans[c] - middle)) for c, z in apart.items() if abs(z) > FAR}
    cases = {c: f for c, f in worst_first(far).items() if f > TIMES or f < 1 / TIMES}
    if cases:
        text = f"{counted(len(cases), 'image has', 'images have')} values on another scale than the others"
        hint = "see whether a rescale slope or a unit was lost; images are normalised one by one"
        evidence = f"{min(cases.values()):.3g} to {max(cases.values()):.3g} times the usual span of values"
        yield Finding("warning", "intensity", tuple(cases), text, hint, evidence, cases)
    yield from _inverted(kept)
    yield from _scales(seen)


def _inverted(kept: dict[str, tuple[float, bytes]]) -> Iterator[Finding]:
    if len(kept) < LEAST:
        return
    small = np.stack([np.frombuffer(b, np.float32) for _, b in kept.values()]).astype(np.float64)
    small -= small.mean(axis=1, keepdims=True)
    small /= np.linalg.norm(small, axis=1, keepdims=True) + 1e-9
    mean = np.median(small, axis=0)
    alike = small @ (mean / (np.linalg.norm(mean) + 1e-9))
    cases = worst_first({c: float(r) for c, r in zip(kept, alike, strict=True) if r < AGAINST})
    if cases and np.median(alike) > ALIKE:
        text = f"{counted(len(cases), 'image looks', 'images look')} inverted: bright where others are dark"
        evidence = f"correlation with the mean picture {max(cases.values()):.2f} and below"
        evidence += f", usually {np.median(alike):.2f}"
        yield Finding("warning", "inverted", tuple(cases), text, "invert them back", evidence, cases)


def _scales(seen: Seen) -> Iterator[Finding]:
    tops = {f.case: max(abs(c.high) for c in f.channels) for f in seen.good if f.channels}
    held = [t for t in tops.values() if t > 0]
    if held and max(held) > SCALES * min(held):
        text = f"intensities are on different scales: the greatest value of an image is {min(held):g} to {max(held):g}"
        yield Finding("note", "pixels", (), text, "they are normalised image by image")
