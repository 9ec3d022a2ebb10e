"""Boxes that are called, and how many of them there are of each label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vesalius.core import encoding
from vesalius.core.answers.boxes import Boxes, counts_of
from vesalius.core.answers.value import Value
from vesalius.core.case import Box
from vesalius.core.cohort import Label

LABELS = (Label(1, "red"), Label(2, "white"), Label(3, "platelet"))


def boxes(*found: tuple[str, float], **fields: object) -> Boxes:
    made = tuple(Box((0, 0, k), (1, 1, k + 1), label) for k, (label, _) in enumerate(found))
    return Boxes(boxes=made, p=np.array([p for _, p in found]), labels=LABELS, **fields)  # type: ignore[arg-type]


def test_a_box_is_called_from_the_threshold_of_its_label_on() -> None:
    found = boxes(("red", 0.4), ("white", 0.4), ("red", 0.5), ("platelet", 0.01), ("red", 0.39))
    assert boxes(("red", 0.4), ("white", 0.9)).called == (1, 0)  # without thresholds all are

    limited = replace(found, thresholds={"red": 0.4, "white": 0.41})
    assert limited.called == (2, 0, 3)


def test_counts_are_those_of_called_boxes_and_none_is_left_out() -> None:
    found = boxes(
        ("red", 0.4), ("red", 0.6), ("white", 0.2), thresholds={"red": 0.3, "white": 0.5}, case_id="a"
    )
    counts = counts_of(found)
    assert {name: value.x for name, value in counts.values.items()} == {
        "red": 2.0,
        "white": 0.0,
        "platelet": 0.0,
    }
    assert all(value.unit == "1" for value in counts.values.values())
    assert counts.values["red"].quantity == "red count" and counts.case_id == "a"


def test_counts_are_stored_as_a_part() -> None:

    found = boxes(("red", 0.4), thresholds={"red": 0.3})
    found = replace(found, parts={"counts": counts_of(found)})
    again = encoding.from_text(encoding.as_text(found))
    part = again.parts["counts"].parts["red"]
    assert isinstance(part, Value) and part.x == 1.0 and again.thresholds == {"red": 0.3}
