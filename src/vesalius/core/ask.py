"""Ask: what an explainer follows of a raw answer: a label, a region, a box, a horizon, a sentence …

What can be asked of an answer is said by the file of its kind, the usual first (`asks` in `answers/contract.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Ask:
    """One thing asked. `of` is one of the words in the `asks` of the answer's kind; `words` says it to a reader.

    `place` is the place among what the answer lists: its labels, boxes, sections or arms, from 0. `where` marks voxels,
    `(Z, Y, X)` of bits on the reference's grid, and on the raw output's for `Task.scalar`; None where all count. `at`
    is a number, such as a horizon in days. `box` are the low and the high corner of a box that is asked about, `(2, 3)`
    in `(z, y, x)` on the same grids as `where`, and `label` the place of its label among those of the answer. `sum`
    asks about several places at once: of each of them, how much it counts.
    """

    of: str = "label"
    place: int = 0
    where: Any = None
    at: float | None = None
    words: str = ""
    box: Any = None
    label: int | None = None
    sum: Mapping[int, float] = field(default_factory=dict)
