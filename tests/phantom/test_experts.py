"""The readers draw, find and judge as well as is stated."""

import numpy as np
import pytest

from vesalius.phantom.abdomen.experts import SKILLS, draw_masks, signed_distance


@pytest.fixture(scope="module")
def drawn():
    """A ball of 40 mm with a lesion of 12 mm, read sixty times by each."""
    z, y, x = np.ogrid[-14:15, -16:17, -16:17]
    r = np.sqrt((z * 4.0) ** 2 + (y * 3.5) ** 2 + (x * 3.5) ** 2)
    lesion = np.sqrt((z * 4.0) ** 2 + (y * 3.5) ** 2 + ((x - 4) * 3.5) ** 2) < 12
    liver = r < 40
    readings = [
        draw_masks(
            np.random.default_rng(i),
            liver,
            lesion.astype(np.uint8),
            spacing_mm=(3.5, 3.5, 4.0),
            diagnosis="malignant",
        )
        for i in range(60)
    ]
    return liver, lesion, readings


def test_sensitivity_and_specificity_are_the_expected_ones(drawn):
    liver, _, readings = drawn
    for reader in range(3):
        masks = np.stack([r[reader].mask > 0 for r in readings])
        sensitivity = masks[:, liver].mean()
        specificity = 1 - masks[:, ~liver].mean()
        standard_errors = (
            masks[:, liver].mean(axis=1).std() / 60**0.5,
            masks[:, ~liver].mean(axis=1).std() / 60**0.5,
        )
        assert sensitivity == pytest.approx(readings[0][reader].sensitivity, abs=3 * standard_errors[0])
        assert specificity == pytest.approx(readings[0][reader].specificity, abs=3 * standard_errors[1])
        assert max(standard_errors) < 0.01


def test_each_distance_from_the_border_is_marked_as_often_as_stated(drawn):
    from statistics import NormalDist

    liver, _, readings = drawn
    distance = signed_distance(liver, (4.0, 3.5, 3.5))
    for reader, skill in enumerate(SKILLS):
        masks = np.stack([r[reader].mask > 0 for r in readings])
        for low, high in ((-4, -1), (0, 3), (3, 6)):
            ring = (distance > low) & (distance <= high)
            stated = np.mean(
                [NormalDist().cdf((skill.bias_mm - d) / skill.wobble_mm) for d in distance[ring]]
            )
            assert masks[:, ring].mean() == pytest.approx(stated, abs=0.04)


def test_readers_are_ordered_by_skill(drawn):
    liver, _, readings = drawn

    def dice(mask):
        return 2 * (mask & liver).sum() / (mask.sum() + liver.sum())

    mean = [np.mean([dice(r[k].mask > 0) for r in readings]) for k in range(3)]
    assert mean[0] > mean[1] > mean[2] > 0.75
    assert mean[0] > 0.93


def test_lesions_are_missed_and_misjudged_as_often_as_stated(drawn):
    _, lesion, readings = drawn
    for reader, skill in enumerate(SKILLS):
        seen = np.array([r[reader].detected[0] for r in readings])
        right = np.array([r[reader].verdict == "malignant" for r in readings])
        assert seen.mean() == pytest.approx(
            skill.detects, abs=3 * np.sqrt(skill.detects * (1 - skill.detects) / 60)
        )
        assert right.mean() == pytest.approx(
            skill.accuracy, abs=3 * np.sqrt(skill.accuracy * (1 - skill.accuracy) / 60)
        )
        for found, reading in zip(seen, (r[reader] for r in readings), strict=True):
            if not found:
                assert (reading.mask != 2).all()
        marked = np.mean([(r[reader].mask[lesion] == 2).mean() for r in readings if r[reader].detected[0]])
        assert marked > 0.5


def test_the_signed_distance_of_a_slab_by_hand():
    mask = np.zeros((8, 4, 4), bool)
    mask[2:5] = True
    assert signed_distance(mask, (2.0, 2.0, 2.0))[:, 0, 0].tolist() == [3, 1, -1, -3, -1, 1, 3, 5]


def test_a_study_is_read_without_leaving_its_grid(studies):
    for study in studies[:4]:
        for drawing in study.experts:
            assert drawing.mask.shape == study.image.shape
            assert set(np.unique(drawing.mask)) <= {0, 1, 2}
            truth, seen = study.organs == 1, drawing.mask > 0
            assert 2 * (truth & seen).sum() / (truth.sum() + seen.sum()) > 0.7
    assert studies[0].experts is studies[0].experts, "made once"
