"""A twin is the same patient without a finding: anatomy, grid and noise stay to the bit."""

import json

import numpy as np
import pytest
from scipy import ndimage

from vesalius.core.errors import UnknownName
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.ct import patient, twin
from vesalius.verbs.phantom import phantom

GRID = (32, 64, 64)


def test_only_voxels_within_the_blurs_reach_of_a_lesion_change(studies):
    changed = 0
    for study in studies[:6]:
        other = twin(study.index, study.seed, without="lesion", size=GRID)
        differs = study.image != other.image
        x, _, z = study.acquisition.spacing_mm
        in_plane, through = study.acquisition.blur_mm
        reach = [
            int(4 * s + 0.5) + 1 for s in (through / z, in_plane / x, in_plane / x)
        ]  # scipy cuts at 4 sigma
        soft = ndimage.maximum_filter(study.lesions > 0, size=5)  # a lesion's soft edge lies around its mask
        near = ndimage.maximum_filter(soft, size=[2 * r + 1 for r in reach])
        assert not (differs & ~near).any()
        assert (differs & (study.lesions > 0)).any() == bool(study.lesion_facts)
        changed += int(differs.sum())
        assert np.array_equal(study.organs, other.organs) and np.array_equal(study.affine, other.affine)
        assert study.person == other.person and study.densities == other.densities
        assert not other.lesions.any() and other.diagnosis == "normal" and not other.boxes
    assert changed > 500


def test_a_patient_without_the_finding_is_their_own_twin(studies):
    normal = next(s for s in studies if s.diagnosis == "normal")
    other = twin(normal.index, normal.seed, without="malignant", size=GRID)
    assert np.array_equal(normal.image, other.image) and normal.report == other.report
    assert normal.outcome.time_days == other.outcome.time_days


def test_one_kind_of_lesion_is_left_out_and_the_other_stays():
    seen = False
    for index in range(30):
        kinds = [one.kind for one in patient(index, 4, size=(8, 8, 8)).lesion_facts]
        if {"cyst", "malignant"} <= set(kinds):
            other = twin(index, 4, without="malignant", size=(8, 8, 8))
            assert {one.kind for one in other.lesion_facts} == {"cyst"} and other.diagnosis == "cyst"
            assert "malignant" not in other.report["impression"] and other.outcome.stage == 0
            seen = True
    assert seen


def test_a_twin_is_another_study_of_the_same_patient_and_says_so():
    one, other = patient(1, 4, size=(8, 8, 8)), twin(1, 4, without="lesion", size=(8, 8, 8))
    assert one.patient == other.patient and other.id == "case-0001-without-lesion"
    assert next(dicom_files(one))[1] != next(dicom_files(other))[1]
    with pytest.raises(UnknownName, match="malignant"):
        twin(1, 4, without="malignat")


def test_a_cohort_of_twins_is_written_and_says_so(tmp_path):
    made = phantom(tmp_path / "twins", cases=2, seed=3, size=GRID, without="lesion")
    told = json.loads((made / "truth.json").read_text())
    assert told["without"] == "lesion" and all(row["lesions"] == [] for row in told["cases"])
    other = phantom(tmp_path / "own", cases=2, seed=3, size=GRID)
    assert "without" not in json.loads((other / "truth.json").read_text())
    with pytest.raises(UnknownName, match="finding of phantom ct"):
        phantom(tmp_path / "wrong", cases=1, without="nothing")
    assert not (tmp_path / "wrong").exists()
