"""A report is learned from only where no case has anything else: beside images it would give the answer away."""

from __future__ import annotations

import numpy as np

from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.plan.sources import summed

PICTURE = Image(np.zeros((1, 1, 4, 4), np.float32), None)


def texts_of(*cases: Case) -> dict[str, int]:
    found = summed(cases, {})["texts"]
    return {str(name): count for name, count in found.counts.items()}  # type: ignore[union-attr]


def test_reports_are_a_source_where_there_is_nothing_else() -> None:
    alone = [Case(f"{k}", {}, reference=None, report="The lungs are clear.") for k in range(3)]
    pictured = Case("p", {"image": PICTURE}, report="A nodule.")
    asked = Case("q", {}, reference=None, report="A nodule.", texts={"question": "Is there one?"})
    assert texts_of(*alone, Case("bare", {}, reference=None)) == {"report": 3}
    assert texts_of(*alone, pictured) == {}
    assert texts_of(*alone, asked) == {"question": 1}
