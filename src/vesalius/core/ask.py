"""Ask: what an explainer follows of a raw answer: a label, a region, a box, a horizon, a sentence …

Each file of a kind of answer names in its literal `ASKS` what can be asked of it, the usual first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Ask:
    """One thing asked. `of` is a word of the answer's `ASKS`.

    `place` is the place among labels, boxes or sentences, as in the raw output; `where` marks voxels, a bool array or
    tensor `(Z, Y, X)` on the raw output's grid; `at` is a number, such as a horizon in days.
    """

    of: str = "label"
    place: int = 0
    where: Any = None
    at: float | None = None


def asked(ask: Ask | int) -> Ask:
    """Return what is asked; a number alone is the place of a label."""
    return ask if isinstance(ask, Ask) else Ask(place=ask)
