"""Whether the writer or the template is better, as validation cases say: the choice that `report` makes by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core.bundle import State
from vesalius.core.finding import Finding
from vesalius.core.image import Array
from vesalius.core.words import counted
from vesalius.prepare.case import BLANK
from vesalius.tasks._report_said import TEMPLATE, answer_of
from vesalius.tasks._report_state import Learned

WRITER = "writer"
MARGIN = (
    0.05  # by how much the template's F1 has to be better: a text that people read for less is not given up
)


def better_written(
    raw: Sequence[Array], truths: Sequence[Any], known: Learned, calibration: Mapping[str, Any], state: State
) -> dict[str, Any]:
    """Return which is written, with both F1 of the findings on these cases and the reason; nothing where it is set.

    A finding counts where it is said to be there, and on no wrong side. Both texts are read by the same rules.
    """
    if state.values["decode"] or not known.names:
        return {}
    found = {}
    for way in (WRITER, TEMPLATE):
        pairs = []
        for rows, truth in zip(raw, truths, strict=True):
            text = answer_of(
                np.asarray(rows),
                known,
                calibration,
                BLANK,
                decode=way,
                mend=str(state.values["mend"]),
                undo=None,
            )
            pairs.append((known.read(text.sections), truth.findings))
        found[way] = f1(pairs, known.names)
    chosen = TEMPLATE if found[TEMPLATE] > found[WRITER] + MARGIN else WRITER
    told = f"writer {found[WRITER]:.3f}, template {found[TEMPLATE]:.3f} on {counted(len(truths), 'validation case')}"
    why = f"F1 of findings: {told}; the template is written where it is better by more than {MARGIN:g}"
    return {"written": chosen, "written_f1": {k: round(v, 6) for k, v in found.items()}, "written_why": why}


def f1(pairs: Sequence[tuple[Sequence[Finding], Sequence[Finding]]], names: Sequence[str]) -> float:
    """Return the F1 of findings that are said and true, over all cases together; 0 where there are none."""
    right = said = true = 0
    for one, other in pairs:
        given = {f.name: f for f in one if f.status == "present" and f.name in names}
        real: dict[str, set[str | None]] = {}
        for f in other:
            if f.status == "present" and f.name in names:
                real.setdefault(f.name, set()).add(f.side)
        said, true = said + len(given), true + len(real)
        right += sum(n in real and _fits(f.side, real[n]) for n, f in given.items())
    return 2 * right / (said + true) if said + true else 0.0


def _fits(side: str | None, real: set[str | None]) -> bool:
    known = {s for s in real if s is not None}
    return side is None or not known or side in known or "both" in known or side == "both"
