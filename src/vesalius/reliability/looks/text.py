"""Text that is burned into pictures, read by OCR where that is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vesalius.core.words import counted
from vesalius.reliability.finding import Finding, Place
from vesalius.reliability.looks.contract import Seen, Sight

ORDER = 68


def measure(sight: Sight) -> tuple[Place, ...] | None:
    """Return where text stands in the middle plane; None where nobody reads."""
    if sight.read_text is None:
        return None
    return tuple(sight.read_text(np.ascontiguousarray(sight.planes[len(sight.planes) // 2])))


def find(seen: Seen) -> Iterator[Finding]:
    """Yield the pictures with text in them."""
    kept: dict[str, tuple[Place, ...]] = seen.kept("text")
    written = {case: places for case, places in kept.items() if places}
    if written:
        of = "the one" if len(kept) == 1 else f"{len(kept)}"
        text = f"text is burned into {counted(len(written), 'picture')} of {of} that were read"
        hint = "names may be among it, and a model may learn it: `vesalius deidentify` takes it out"
        figures = {case: float(len(places)) for case, places in written.items()}
        places = {case: found[0] for case, found in written.items()}
        evidence = f"up to {counted(max(len(p) for p in written.values()), 'line')} of text a picture"
        yield Finding("warning", "burned-in text", tuple(written), text, hint, evidence, figures, places)
