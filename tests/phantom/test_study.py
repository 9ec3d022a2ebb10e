"""A study's truth agrees with itself: geometry, anatomy, densities, lesions, boxes, class and report."""

import numpy as np
import pytest
from scipy import ndimage

from vesalius.core.case import Event
from vesalius.core.errors import DataError, GeometryError, UnknownName
from vesalius.phantom.abdomen.person import diagnosis_of
from vesalius.phantom.abdomen.tissue import ORGANS
from vesalius.phantom.common.fields import correlated_noise
from vesalius.phantom.ct import LABELS, patient


def centre_mm(study, mask):
    z, y, x = (c.mean() for c in np.nonzero(mask))
    return (study.affine @ [x, y, z, 1])[:3]


def test_the_same_seed_gives_the_same_patient_and_another_seed_another():
    a, b, c = (patient(4, seed=s, size=(16, 24, 24)) for s in (3, 3, 5))
    assert np.array_equal(a.image, b.image) and np.array_equal(a.labels, b.labels)
    assert np.array_equal(a.affine, b.affine) and a.report == b.report
    assert not np.array_equal(a.image, c.image) and a.person != c.person


def test_assignment_changes_the_treatment_and_nothing_that_came_before():
    pairs = [
        [patient(i, 1, size=(8, 12, 12), assignment=a) for a in ("randomised", "confounded")]
        for i in range(12)
    ]
    for one, other in pairs:
        assert np.array_equal(one.image, other.image) and one.report == other.report
        assert one.outcome.potential_days == other.outcome.potential_days
    assert any(one.outcome.treated != other.outcome.treated for one, other in pairs)
    assert any(other.outcome.propensity != 0.5 for _, other in pairs)


def test_the_person_does_not_depend_on_the_grid():
    a, b = patient(2, 7, size=(16, 24, 24)), patient(2, 7, size=(24, 48, 40))
    assert a.person == b.person and a.outcome.time_days == b.outcome.time_days and a.report == b.report
    assert [one.centre_mm for one in a.lesion_facts] == [one.centre_mm for one in b.lesion_facts]
    for organ in ("liver", "spleen", "kidney_left"):
        volumes = [
            (s.organs == ORGANS[organ]).sum() * abs(np.linalg.det(s.affine[:3, :3])) / 1000 for s in (a, b)
        ]
        assert volumes[0] == pytest.approx(volumes[1], rel=0.12)


def test_the_affine_is_oblique_anisotropic_and_right_handed(studies):
    for study in studies:
        matrix = study.affine[:3, :3]
        spacing = np.linalg.norm(matrix, axis=0)
        assert spacing == pytest.approx(study.acquisition.spacing_mm)
        assert spacing[2] != pytest.approx(spacing[0], rel=0.005)
        axes = matrix / spacing
        assert axes.T @ axes == pytest.approx(np.eye(3), abs=1e-9)
        assert np.linalg.det(matrix) > 0
        for axis in range(3):
            tilt = np.rad2deg(np.arccos(axes[axis, axis]))
            assert 1.0 < tilt < 10.0


def test_organs_lie_where_they_belong(studies):
    for study in studies:
        centre = {name: centre_mm(study, study.organs == value) for name, value in ORGANS.items()}
        for right in ("liver", "kidney_right"):
            assert centre[right][0] < centre["spine"][0] - 15, "patient's right is −x in LPS"
        for left in ("spleen", "kidney_left"):
            assert centre[left][0] > centre["spine"][0] + 15
        assert centre["aorta"][1] < centre["spine"][1] - 15, "the aorta runs in front of the spine"
        assert centre["liver"][2] > centre["kidney_right"][2] + 20
        assert centre["kidney_right"][2] < centre["kidney_left"][2] + 20


def test_organ_volumes_are_human(studies):
    ranges = {"liver": (900, 2800), "spleen": (120, 600), "kidney_left": (70, 350), "kidney_right": (70, 350)}
    for study in studies:
        voxel_ml = abs(np.linalg.det(study.affine[:3, :3])) / 1000
        for organ, (low, high) in ranges.items():
            assert low < (study.organs == ORGANS[organ]).sum() * voxel_ml < high, organ


def test_the_body_lies_within_the_field_of_view(studies):
    for study in studies:
        body = ndimage.binary_opening(study.image > -300, iterations=1)
        assert not body[:, :, [0, -1]].any() and not body[:, [0, -1], :].any()


def test_the_image_tells_the_age_by_the_marrow_of_the_spine(studies):
    marrow = [
        study.image[ndimage.binary_erosion(study.organs == ORGANS["spine"], iterations=2)].mean()
        for study in studies
    ]
    ages = [study.covariates["age"] for study in studies]
    assert np.corrcoef(ages, marrow)[0, 1] < -0.6, "2 HU less for each year, give or take 14"


def test_hounsfield_units_inside_each_organ_are_the_stated_ones():
    for index in (1, 3):
        study = patient(index, 2, size=(56, 88, 88))
        stated = {
            "liver": study.densities.liver,
            "spleen": study.densities.spleen,
            "aorta": study.densities.aorta,
        }
        for organ, hu in stated.items():
            core = ndimage.binary_erosion(
                study.labels == ORGANS[organ], iterations=1 if organ == "aorta" else 3
            )
            assert core.sum() > 30
            assert np.median(study.image[core]) == pytest.approx(hu, abs=6)
        liver = ndimage.binary_erosion(study.labels == ORGANS["liver"], iterations=4)
        assert np.median(study.image[ndimage.binary_dilation(study.organs == ORGANS["spine"])]) > 100
        deviation = study.image[liver] - np.median(study.image[liver])
        robust_sd = 1.4826 * np.median(np.abs(deviation))
        assert robust_sd == pytest.approx(study.acquisition.noise_hu, rel=0.15)
        assert (study.image[:, 0] < -900).all(), "air in front of the patient"
        assert study.image.dtype == np.int16 and study.image.min() >= -1024


def test_noise_has_unit_variance_everywhere_and_is_correlated():
    rng = np.random.default_rng(0)
    draws = np.stack([correlated_noise(rng, (8, 10, 12), sigma_voxels=(0.5, 1.0, 1.0)) for _ in range(600)])
    assert draws.var(axis=0).mean() == pytest.approx(1.0, abs=0.02)
    assert np.abs(draws.var(axis=0) - 1).max() < 0.3, "edges included"
    beside = (draws[..., 1:] * draws[..., :-1]).mean()
    assert beside == pytest.approx(np.exp(-1 / 4), abs=0.03), (
        "a Gaussian filter's autocorrelation exp(−d²/4σ²)"
    )


def test_class_lesions_boxes_and_masks_agree(studies):
    for study in studies:
        kinds = [one.kind for one in study.lesion_facts]
        expected = "malignant" if "malignant" in kinds else "cyst" if kinds else "normal"
        assert study.diagnosis == expected and len(kinds) <= 3
        assert set(np.unique(study.lesions)) == set(range(len(kinds) + 1))
        assert (study.organs[study.lesions > 0] == ORGANS["liver"]).all()
        assert np.array_equal(study.labels == LABELS["lesion"], study.lesions > 0)
        for k, (box, kind) in enumerate(zip(study.boxes, kinds, strict=True)):
            where = np.argwhere(study.lesions == k + 1)
            assert box.label == kind
            assert tuple(where.min(axis=0)) == box.low and tuple(where.max(axis=0) + 1) == box.high
            away = np.linalg.norm(centre_mm(study, study.lesions == k + 1) - study.lesion_facts[k].centre_mm)
            assert away < 6.0
        assert (study.lesions == 1)[study.key_slice].sum() > 0 if kinds else True


def test_each_block_of_three_patients_holds_every_class():
    for seed in (0, 1):
        drawn = [diagnosis_of(seed, i) for i in range(60)]
        assert all(set(drawn[k : k + 3]) == {"normal", "cyst", "malignant"} for k in range(0, 60, 3))
        assert drawn[:3] != drawn[3:6] or drawn[3:6] != drawn[6:9]


def test_cysts_are_dark_and_malignant_lesions_have_a_bright_rim():
    seen = set()
    for index in range(6):
        study = patient(index, 4, size=(56, 88, 88))
        for k, lesion in enumerate(study.lesion_facts):
            mask = study.lesions == k + 1
            depth = ndimage.distance_transform_edt(mask, sampling=study.acquisition.spacing_mm[::-1])
            core = study.image[depth > 0.75 * depth.max()]
            assert core.mean() == pytest.approx(lesion.core_hu, abs=15)
            if lesion.kind == "cyst":
                assert core.mean() < 25
            else:
                rim = study.image[mask & (depth < 5)]
                assert rim.mean() > core.mean() + 30
                assert rim.max() > study.densities.liver + 20
            seen.add(lesion.kind)
    assert seen == {"cyst", "malignant"}


def test_malignant_lesions_are_less_regular_than_cysts():
    """Sphericity π^⅓ (6V)^⅔ / A, by voxels and marching cubes."""
    from skimage.measure import marching_cubes, mesh_surface_area

    found = {"cyst": [], "malignant": []}
    grid = np.stack(np.meshgrid(*(np.arange(-46, 47, 2.0),) * 3, indexing="ij")).astype(np.float32)
    for index in range(30):
        for lesion in patient(index, 4, size=(8, 8, 8)).lesion_facts:
            distance = lesion.distance(grid + np.array(lesion.centre_mm, np.float32)[:, None, None, None])
            area = mesh_surface_area(*marching_cubes(distance, 0.0, spacing=(2, 2, 2))[:2])
            volume = (distance < 0).sum() * 8
            found[lesion.kind].append(np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / area)
    assert np.median(found["cyst"]) > 0.97
    assert np.median(found["malignant"]) < 0.95


def test_the_report_says_what_was_found_and_nothing_else(studies):
    for study in studies:
        text, impression = study.report["findings"], study.report["impression"]
        assert text.count(" in segment ") == len(study.lesion_facts)
        for lesion, finding in zip(study.lesion_facts, study.findings, strict=True):
            assert f"A {round(2 * lesion.radius_mm)} mm " in text
            assert f"in segment {finding.segment}" in text
        assert ("rim" in text) == (study.diagnosis == "malignant")
        assert ("malignant" in impression) == (study.diagnosis == "malignant")
        assert ("cyst" in impression) == any(one.kind == "cyst" for one in study.lesion_facts)
        assert ("No focal liver lesion" in impression) == (study.diagnosis == "normal")
        assert ("woman" in study.report["indication"]) == (study.person.sex == "F")


def test_segments_follow_the_side(studies):
    for study in studies:
        liver_x = centre_mm(study, study.organs == ORGANS["liver"])[0]
        for lesion, finding in zip(study.lesion_facts, study.findings, strict=True):
            if finding.segment in ("VI", "VII"):
                assert lesion.centre_mm[0] < liver_x + 40
            if finding.segment in ("II", "III"):
                assert lesion.centre_mm[0] > liver_x


def test_a_case_holds_the_same_truth(studies):
    study = studies[0]
    case = study.as_case()
    assert case.patient == study.patient and case.targets["class"] == study.diagnosis
    assert case.targets["survival"] == Event(study.outcome.time_days, study.outcome.event)
    image, mask = case.images["image"], case.targets["mask"]
    assert image.shape == mask.shape == study.image.shape and image.unit == "HU"
    assert np.array_equal(image.affine, mask.affine)
    assert "IMPRESSION" in (case.report or "")


def test_wrong_sizes_and_assignments_are_refused():
    with pytest.raises(UnknownName, match="small"):
        patient(0, size="smal")
    with pytest.raises(GeometryError, match="8 to 1024"):
        patient(0, size=(4, 64, 64))
    with pytest.raises(DataError, match="not negative"):
        patient(0, -1)
    with pytest.raises(UnknownName, match="randomised"):
        patient(0, assignment="randomized")


def test_a_coarse_grid_still_holds_every_lesion():
    for index in range(9):
        study = patient(index, 6, size=(8, 8, 8))
        assert set(np.unique(study.lesions)) == set(range(len(study.lesion_facts) + 1))
