"""The blob phantom: the truth is what the pixels show, and what tells the class is what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius.core.errors import DataError, UnknownName
from vesalius.phantom.blob import patient, twin


def test_a_twin_without_the_lesion_differs_where_the_lesion_lies() -> None:
    one = next(p for k in range(9) if (p := patient(k, 1)).lesion.any())
    index = int(one.patient[1:])
    other = twin(index, 1, without="lesion")
    changed = one.volume.astype(int) - other.volume
    assert one.positive and not other.positive and not other.lesion.any()
    assert changed[one.lesion].mean() > 25 and abs(changed[~one.lesion]).mean() < 1


def test_a_marker_tells_the_class_and_the_lesion_does_not() -> None:
    drawn = [patient(k, 2, size=64, told_by="marker") for k in range(60)]
    assert all(p.positive == p.marker.any() for p in drawn)
    both = np.array([[p.positive, p.lesion.any()] for p in drawn])
    assert abs(np.corrcoef(both.T)[0, 1]) < 0.3
    assert all(
        (p.volume[p.marker] == 245).all() and p.marker[:, :16, :16].sum() == p.marker.sum() for p in drawn
    )
    assert 0.3 < both[:, 0].mean() < 0.7 and 0.3 < both[:, 1].mean() < 0.7


def test_a_volume_has_a_lesion_in_three_dimensions() -> None:
    one = next(p for k in range(9) if (p := patient(k, 0, size=48, depth=32)).lesion.any())
    assert one.volume.shape == (32, 48, 48) and all(len(set(i)) > 4 for i in np.nonzero(one.lesion))


@pytest.mark.parametrize(
    ("options", "error"), [({"told_by": "luck"}, UnknownName), ({"depth": 3}, DataError)]
)
def test_what_cannot_be_drawn_is_refused(options: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        patient(0, 0, **options)


def test_its_masks_and_its_class_are_read_back(tmp_path: Path) -> None:
    made = vs.phantom(tmp_path / "made", kind="blob", cases=6, options={"told_by": "marker", "size": 64})
    cohort = vs.read(made)
    kinds = {name: info.kind for name, info in cohort.targets.items()}
    assert kinds == {"class": "class", "lesion": "mask", "marker_mask": "mask"}
