"""Metrics of Mask against SimpleITK, brute force and hand-computed values."""

import math

import numpy as np
import pytest
from scipy import ndimage

from vesalius.core.answers.mask import Mask
from vesalius.core.case import IGNORED
from vesalius.core.cohort import Label
from vesalius.core.errors import GeometryError
from vesalius.core.image import Image
from vesalius.metrics import mask

LIVER, LESION = Label(1, "liver"), Label(7, "lesion")
SPACING = (0.8, 1.1, 3.0)


def blob(shape, centre, radius, value=1):
    z, y, x = np.indices(shape)
    r = np.sqrt(((z - centre[0]) * 2) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2)
    return (value * (r < radius)).astype(np.uint8)[None]


def answer(array, labels=(LIVER,), **kw):
    return Mask(image=Image(array, **kw), labels=labels)


A, B = blob((12, 30, 32), (5, 14, 15), 9), blob((12, 30, 32), (6, 16, 14), 10)


def test_overlap_and_hausdorff_agree_with_simpleitk():
    sitk = pytest.importorskip("SimpleITK")
    images = []
    for array in (A, B):
        image = sitk.GetImageFromArray(array[0])
        image.SetSpacing(SPACING)
        images.append(image)
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    found = mask.row(answer(A), Image(B, spacing_mm=SPACING))
    assert found["dice/liver"] == pytest.approx(overlap.GetDiceCoefficient())
    assert found["jaccard/liver"] == pytest.approx(overlap.GetJaccardCoefficient())
    contours = [sitk.LabelContour(i, fullyConnected=False) for i in images]
    signed = [
        sitk.Abs(sitk.SignedMaurerDistanceMap(c, squaredDistance=False, useImageSpacing=True))
        for c in contours
    ]
    arrays = [sitk.GetArrayFromImage(i) for i in (*contours, *signed)]
    there, back = arrays[3][arrays[0] > 0], arrays[2][arrays[1] > 0]
    wanted = max(np.percentile(there, 95), np.percentile(back, 95))
    assert found["hd95_mm/liver"] == pytest.approx(wanted, rel=1e-5)


def test_both_ways_of_measuring_distance_agree(monkeypatch):
    noisy = (np.random.default_rng(0).random((2, 1, 8, 20, 20)) > 0.5).astype(np.uint8)
    for first, second in ((A, B), tuple(noisy)):
        found = []
        for crowded in (0.0, 9.0):
            monkeypatch.setattr("vesalius.metrics._surfaces.CROWDED", crowded)
            found.append(mask.row(answer(first), Image(second, spacing_mm=SPACING)))
        assert found[0] == pytest.approx(found[1])


@pytest.mark.parametrize("spacing", [SPACING, None])
def test_surface_figures_agree_with_brute_force_over_the_whole_grid(spacing):
    step = np.array((spacing or (1, 1, 1))[::-1])
    found = mask.row(answer(A), Image(B, spacing_mm=spacing), tolerance_mm=1.0, tolerance_px=1.0)
    edges = [a[0].astype(bool) & ~ndimage.binary_erosion(a[0]) for a in (A, B)]
    far = [ndimage.distance_transform_edt(~e, sampling=step) for e in edges]
    there, back = far[1][edges[0]], far[0][edges[1]]
    unit = "mm" if spacing else "px"
    near = ((there <= 1).sum() + (back <= 1).sum()) / (len(there) + len(back))
    assert found[f"surface_dice_{unit}/liver"] == pytest.approx(near)
    assert found[f"hd95_{unit}/liver"] == pytest.approx(
        max(np.percentile(there, 95), np.percentile(back, 95))
    )


def test_by_hand_in_two_dimensions():
    a, b = np.zeros((1, 1, 20, 20), np.uint8), np.zeros((1, 1, 20, 20), np.uint8)
    a[0, 0, 5:10, 5:10] = 1
    b[0, 0, 5:10, 8:13] = 1  # the same square, 3 pixels to the side
    found = mask.row(answer(a), Image(b, spacing_mm=(0.5, 0.5, 1.0)))
    assert found["dice/liver"] == pytest.approx(2 * 10 / 50)
    assert found["jaccard/liver"] == pytest.approx(10 / 40)
    assert found["hd95_mm/liver"] == pytest.approx(1.5)
    assert found["area_error_mm2/liver"] == 0
    a[0, 0, 5, 5] = 0
    found = mask.row(answer(a), Image(b, spacing_mm=(0.5, 0.5, 1.0)))
    assert found["area_error_mm2/liver"] == pytest.approx(0.25)
    assert found["volume_error/liver"] == pytest.approx(1 / 25)


def test_volume_in_millilitres():
    found = mask.row(answer(A), Image(B, spacing_mm=SPACING))
    wanted = abs(int(A.sum()) - int(B.sum())) * np.prod(SPACING) / 1000
    assert found["volume_error_ml/liver"] == pytest.approx(wanted)


def test_labels_that_are_not_numbered_in_a_row_and_are_cut_to_their_boxes():
    both_a, both_b = np.where(A > 0, A, blob(A.shape[1:], (2, 24, 26), 4, 7)), np.where(B > 0, B, 0)
    both_b = np.where(blob(A.shape[1:], (2, 24, 27), 4) > 0, 7, both_b).astype(np.int16)
    found = mask.row(answer(both_a, (LIVER, LESION)), Image(both_b))
    a, b = both_a == 7, both_b == 7
    assert found["dice/lesion"] == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()))
    alone = mask.row(answer((both_a == 7).astype(np.uint8) * 7, (LESION,)), Image((b * 7).astype(np.uint8)))
    assert {k: v for k, v in found.items() if "lesion" in k} == pytest.approx(alone)


def test_colours_as_label_values():
    red = Label(0xFF0000, "red")
    a = np.zeros((1, 1, 8, 8), np.int64)
    a[0, 0, :4] = 0xFF0000
    assert mask.row(answer(a, (red,)), Image(a))["dice/red"] == 1


def test_overlapping_planes():
    planes, truth = np.concatenate([A, B]), np.concatenate([A, A])
    found = mask.row(Mask(image=Image(planes), labels=(LIVER, LESION), overlapping=True), Image(truth))
    assert found["dice/liver"] == 1
    assert found["dice/lesion"] == pytest.approx(mask.row(answer(B), Image(A))["dice/liver"])


def test_empty_masks_are_counted_and_never_perfect():
    none = np.zeros_like(A)
    both, ours, theirs = (mask.row(answer(a), Image(b)) for a, b in [(none, none), (A, none), (none, A)])
    assert math.isnan(both["dice/liver"]) and math.isnan(both["hd95_px/liver"])
    for one in (ours, theirs):
        assert one["dice/liver"] == 0 and one["surface_dice_px/liver"] == 0
        assert math.isnan(one["hd95_px/liver"]) and one["hd95_missing/liver"] == 1
    whole = mask.row(answer(A), Image(A))
    table = mask.table([both, ours, theirs, whole], list("wxyz"))
    assert mask.excluded(table) == {"both_empty/liver": 1, "hd95_missing/liver": 2}
    found = mask.summary(table, np.arange(4))
    assert found["dice/liver"] == pytest.approx(1 / 3)
    assert found["hd95_px"] == 0
    assert mask.counts(table)["dice/liver"] == 3 and mask.counts(table)["hd95_px/liver"] == 1


def test_only_the_region_counts():
    region = np.zeros_like(A)
    region[:, :, :, :15] = 255
    found = mask.row(answer(A), Image(B), region=Image(region))
    a, b = A[..., :15], B[..., :15]
    assert found["dice/liver"] == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()))
    assert found["dice/liver"] != pytest.approx(mask.row(answer(A), Image(B))["dice/liver"])


def test_one_plane_of_a_volume_is_all_surface():
    a = np.zeros((1, 5, 9, 9), np.uint8)
    a[0, 2, 2:7, 2:7] = 1
    b = np.roll(a, 1, axis=1)
    found = mask.row(answer(a), Image(b, spacing_mm=(1, 1, 4)))
    assert found["hd95_mm/liver"] == pytest.approx(4)


def test_the_mean_is_over_cases_then_labels():
    cases = [
        {"dice/a": 1.0, "dice/b": 0.0},
        {"dice/a": 0.5, "dice/b": math.nan},
        {"dice/a": 0.0, "dice/b": 0.5},
    ]
    table = mask.table(cases, ["1", "2", "3"])
    found = mask.summary(table, np.array([0, 1, 1]))
    assert found == pytest.approx({"dice": (2 / 3 + 0) / 2, "dice/a": 2 / 3, "dice/b": 0.0})


def test_another_grid_is_an_error():
    with pytest.raises(GeometryError, match="one grid"):
        mask.row(answer(A), Image(B[:, :-1]))


def test_prior_keeps_each_labels_share_and_is_right_where_all_agree():
    prior = mask.prior([Image(A), Image(B)], (LIVER, LESION))
    assert prior.shape == (2, 64, 64, 64)
    assert prior[0].mean() == pytest.approx((A.mean() + B.mean()) / 2, rel=1e-4)
    assert prior[1].max() == 0
    guess = mask.baseline(mask.prior([Image(A)], (LIVER,)), Image(A, spacing_mm=SPACING), (LIVER,))
    assert guess.image.spacing_mm == SPACING
    assert mask.row(guess, Image(A))["dice/liver"] > 0.95


def test_prior_fits_another_size_and_is_not_empty_for_what_wanders():
    small = [Image(blob((8, 40, 40), (4, 8 + 3 * i, 20), 3)) for i in range(9)]
    guess = mask.baseline(mask.prior(small, (LIVER,)), Image(np.zeros((1, 16, 80, 60))), (LIVER,))
    share = np.mean([m.array.mean() for m in small])
    assert guess.image.shape == (16, 80, 60)
    assert guess.image.array.mean() == pytest.approx(share, rel=0.3)


def test_prior_of_two_labels_gives_each_its_place():
    both = np.where(blob(A.shape[1:], (6, 24, 25), 5) > 0, 7, A).astype(np.int16)
    prior = mask.prior([Image(both)], (LIVER, LESION))
    guess = mask.baseline(prior, Image(both), (LIVER, LESION))
    found = mask.row(guess, Image(both))
    assert found["dice/liver"] > 0.9 and found["dice/lesion"] > 0.9
    planes = mask.baseline(prior, Image(both), (LIVER, LESION), overlapping=True)
    assert planes.overlapping and planes.image.array.shape == (2, *A.shape[1:])
    assert mask.row(planes, Image(np.concatenate([both == 1, both == 7])))["dice/lesion"] > 0.9


def test_prior_of_pictures_is_flat():
    picture = Image(A[:, 5:6])
    prior = mask.prior([picture], (LIVER,))
    assert prior.shape == (1, 1, 64, 64)
    assert mask.row(mask.baseline(prior, picture, (LIVER,)), picture)["dice/liver"] > 0.95


def test_a_single_plane_of_bits_is_not_taken_for_label_values():
    bits = Mask(image=Image(A), labels=(LESION,), overlapping=True)  # the label's value is 7, its bits are 1
    assert mask.row(bits, Image(A))["dice/lesion"] == 1
    assert mask.row(bits, Image(B))["dice/lesion"] == mask.row(answer(A), Image(B))["dice/liver"]


def test_what_is_ignored_in_the_truth_counts_in_nothing():
    rng = np.random.default_rng(3)
    truth = rng.choice(np.array([0, 1, 7, IGNORED], np.int16), (1, 6, 9, 9))
    called = rng.choice(np.array([0, 1, 7], np.uint8), truth.shape)
    found = mask.row(answer(called, (LIVER, LESION)), Image(truth, spacing_mm=SPACING))
    known = truth != IGNORED
    for label in (LIVER, LESION):
        a, b = (called == label.value)[known], (truth == label.value)[known]
        dice = 2 * (a & b).sum() / (a.sum() + b.sum())
        assert found[f"dice/{label.name}"] == pytest.approx(dice)
        ml = abs(int(a.sum()) - int(b.sum())) * np.prod(SPACING) / 1000
        assert found[f"volume_error_ml/{label.name}"] == pytest.approx(ml)
    right = np.where(known, truth, 7).astype(np.uint8)
    best = mask.row(answer(right, (LIVER, LESION)), Image(truth, spacing_mm=SPACING))
    assert best["dice/liver"] == best["surface_dice_mm/lesion"] == 1.0 and best["hd95_mm/lesion"] == 0.0
