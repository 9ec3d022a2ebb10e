"""STAPLE: closed forms, ties, empty masks, air, and experts who saw different cases."""

import numpy as np
import pytest

from vesalius.consensus.majority import TIED
from vesalius.consensus.patterns import UNSEEN, Coder, of_masks
from vesalius.consensus.staple import staple, together

LABELS = ("background", "liver")


def patterns_of(*cases, labels=LABELS):
    """Return the patterns of cases, each a list of masks (None: not seen), and the code of each voxel."""
    coder = Coder(len(cases[0]), len(labels))
    codes = [coder.coded([None if m is None else np.asarray(m) for m in case]) for case in cases]
    experts = "abcdef"[: len(cases[0])]
    held, order = of_masks([coder.counted(c) for c in codes], coder, experts=experts, labels=labels)
    return held, [np.searchsorted(order, c) for c in codes]


def box(low, high, size=12, value=1):
    mask = np.zeros((1, size, size), np.uint8)
    mask[:, low:high, low:high] = value
    return mask


@pytest.mark.parametrize("how", [staple, together])
def test_equal_masks_are_the_consensus(how):
    held, at = patterns_of([box(2, 6)] * 3)
    np.testing.assert_array_equal(how(held).joined.label[at[0]], box(2, 6))


@pytest.mark.parametrize("how", [staple, together])
def test_empty_masks_are_an_empty_consensus(how):
    held, at = patterns_of([box(0, 0)] * 3)
    found = how(held).joined
    assert not found.label[at[0]].any()
    np.testing.assert_array_equal(found.p[at[0]][..., 1], 0)


@pytest.mark.parametrize("how", [staple, together])
def test_two_experts_who_differ_are_tied_wherever_they_do(how):
    """Given agreed label and background of one weight, 1 - q of the one is 1 - p of the other: both are as likely."""
    one, two = box(2, 9), box(5, 12)
    held, at = patterns_of([one, two])
    found = how(held).joined
    np.testing.assert_array_equal(found.label[at[0]] == TIED, one != two)
    np.testing.assert_allclose(found.p[at[0]][one != two], 0.5, atol=1e-9)


@pytest.mark.parametrize("how", [staple, together])
def test_air_about_the_masks_changes_nothing(how):
    masks = [box(2, 7), box(3, 8), box(2, 8)]
    wide = [np.pad(m, ((0, 3), (20, 20), (20, 20))) for m in masks]
    small, at = patterns_of(masks)
    large, there = patterns_of(wide)
    np.testing.assert_allclose(
        how(large).joined.p[there[0]][:1, 20:-20, 20:-20], how(small).joined.p[at[0]], atol=1e-9
    )


def test_one_mask_against_two_empty_ones_is_none():
    held, at = patterns_of([box(2, 7), box(0, 0), box(0, 0)])
    assert not staple(held).joined.label[at[0]].any()


def test_the_two_of_three_who_agree_are_followed_and_the_poor_expert_is_known():
    rng = np.random.default_rng(0)
    truth = [box(2, 9), box(1, 6), box(4, 10)]
    noisy = [[np.where(rng.random(t.shape) < share, 1 - t, t) for share in (0.02, 0.05, 0.3)] for t in truth]
    held, at = patterns_of(*noisy)
    found = staple(held)
    skill = [found.fits[1].fitted.skill(e)[1, 1] for e in range(3)]
    assert skill[0] > skill[1] > skill[2]
    wrong = [(found.joined.label[a] != t).mean() for a, t in zip(at, truth, strict=True)]
    assert max(wrong) < 0.05


def test_an_expert_who_did_not_see_a_case_does_not_count_there():
    held, at = patterns_of(
        [box(2, 7), box(2, 7), box(2, 7)], [box(3, 8), None, box(3, 8)], [None, box(1, 5), None]
    )
    found = staple(held).joined
    for where, truth in zip(at, (box(2, 7), box(3, 8), box(1, 5)), strict=True):
        np.testing.assert_array_equal(found.label[where], truth)


def test_two_labels_that_tie_are_tied_and_not_the_first():
    one, two = box(2, 6, value=1), box(2, 6, value=2)
    held, at = patterns_of([one, two], labels=("background", "liver", "spleen"))
    for how in (staple, together):
        assert (how(held).joined.label[at[0]][one > 0] == TIED).all()


def test_voxels_that_nobody_knows_are_tied():
    unknown = np.full((1, 12, 12), UNSEEN)
    held, at = patterns_of([unknown, unknown], [box(2, 5), box(2, 5)])
    assert (staple(held).joined.label[at[0]] == TIED).all()
