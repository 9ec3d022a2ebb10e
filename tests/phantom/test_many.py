"""Many lesions of the CT: their boxes and diameters are those of the voxels, and look-alikes are there without them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from vesalius import phantom as make
from vesalius.core.errors import UnknownName
from vesalius.phantom.ct import LABELS, patient, twin

SMALL = (32, 64, 64)


def test_boxes_and_diameters_are_those_of_the_voxels(tmp_path: Path) -> None:
    """Read by nibabel, whose axes are x, y, z: the boxes hold all lesion voxels, and no other box would be tighter."""
    root = make(tmp_path / "ct", cases=3, seed=4, options={"size": SMALL, "lesions": "many"})
    with (root / "boxes.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["label"]]
    truths = json.loads((root / "truth.json").read_text())["cases"]
    assert len(rows) == sum(len(t["lesions"]) for t in truths) > 3
    for truth in truths:
        volume = nibabel.load(root / "labelsTr" / f"{truth['id']}.nii.gz")
        left = np.asarray(volume.dataobj).transpose(2, 1, 0) == LABELS["lesion"]
        own = [r for r in rows if r["case"] == truth["id"]]
        for row, lesion in zip(own, truth["lesions"], strict=True):
            low, high = ([int(float(row[f"{a}{end}"])) for a in "zyx"] for end in (0, 1))
            assert [low, high] == lesion["box_zyx"]
            part = left[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
            for axis in range(3):
                faces = part.any(axis=tuple(a for a in range(3) if a != axis))
                assert faces[0] and faces[-1]
            assert float(row["diameter_mm"]) == lesion["diameter_mm"]
            sizes = [(b - a) * s for a, b, s in zip(low, high, truth["spacing_mm_xyz"][::-1], strict=True)]
            assert max(sizes) > 0.6 * lesion["diameter_mm"]
        for row in own:
            low, high = ([int(float(row[f"{a}{end}"])) for a in "zyx"] for end in (0, 1))
            left[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = False
        assert not left.any()


def test_most_are_from_ten_millimetres_on_and_some_are_hard_to_see() -> None:
    made = [patient(k, 1, size=(12, 20, 20), lesions="many") for k in range(45)]
    wide = np.array([2 * lesion.radius_mm for one in made for lesion in one.lesion_facts])
    assert wide.min() >= 5 and wide.max() <= 40 and 0.5 < np.mean(wide >= 10) < 0.85
    assert sum(not one.lesion_facts for one in made) == 15  # a third is healthy
    assert max(len(one.lesion_facts) for one in made) > 4


def test_vessels_and_a_gallbladder_are_there_without_a_lesion_too() -> None:
    index = next(k for k in range(9) if patient(k, 1, size=SMALL, lesions="many").lesion_facts)
    one, plain = (patient(index, 1, size=SMALL, lesions=sort) for sort in ("many", "few"))
    other = twin(index, 1, without="lesion", size=SMALL, lesions="many")
    assert not other.lesion_facts and not other.boxes
    bare = twin(index, 1, without="lesion", size=SMALL)
    assert np.abs(other.image.astype(int) - bare.image).max() > 20
    assert np.array_equal(one.affine, plain.affine) and one.person == plain.person


def test_the_medium_grid_has_the_voxels_of_a_quick_ct() -> None:
    spacings = np.array([np.array(patient(k, size=(64, 8, 128)).acquisition.spacing_mm) for k in range(1)])
    assert patient(0, size="medium").image.shape == (64, 128, 128)
    assert spacings[0, 2] == pytest.approx(3.7, abs=0.4)


def test_another_sort_of_lesions_is_refused() -> None:
    with pytest.raises(UnknownName, match="few"):
        patient(0, lesions="some")  # type: ignore[arg-type]
