"""The simulated person clicks where a person would, and what it shows lies where it was shown."""

import numpy as np

from vesalius.prepare import simulated
from vesalius.prepare.strokes import Marks, channels

NOTHING = np.zeros((0, 3), np.int64)


def test_the_first_click_lies_in_the_middle_of_the_object():
    truth = np.zeros((1, 20, 30), bool)
    truth[0, 4:13, 6:15] = True  # nine by nine: its middle is (8, 10)
    truth[0, 4:6, 15:28] = True  # and a thin arm
    assert simulated.first(truth) == (0, 8, 10)
    rng = np.random.default_rng(0)
    unsure = [simulated.first(truth, rng=rng) for _ in range(20)]
    assert len(set(unsure)) > 5 and all(at is not None and truth[at] for at in unsure)
    assert simulated.first(np.zeros((2, 3, 4), bool)) is None


def test_depth_is_measured_in_millimetres():
    truth = np.zeros((9, 40, 40), bool)
    truth[1:8, 5:10, 5:10] = True  # seven planes of five voxels
    truth[3:6, 20:34, 20:34] = True  # three planes of fourteen
    assert simulated.first(truth, (1.0, 1.0, 1.0))[1] < 10  # type: ignore[index]
    assert simulated.first(truth, (9.0, 1.0, 1.0))[1] > 15  # type: ignore[index]


def test_a_correction_falls_into_the_deepest_error_and_says_its_side():
    truth, mask = np.zeros((2, 1, 30, 30), bool)
    truth[0, 5:20, 5:20] = True
    mask[0, 5:20, 5:21] = True  # a seam too wide
    mask[0, 10:15, 10:15] = False  # a hole
    assert simulated.correction(truth, mask) == ((0, 12, 12), True)
    mask[0, 22:29, 22:29] = True  # and something larger that is not there
    assert simulated.correction(truth, mask) == ((0, 25, 25), False)
    known = np.ones_like(truth)
    known[0, 21:, 21:] = False
    assert simulated.correction(truth, mask, known) == ((0, 12, 12), True)
    assert simulated.correction(truth, truth) is None


def test_a_box_holds_its_object_and_a_scribble_stays_in_the_error():
    truth = np.zeros((6, 30, 30), bool)
    truth[2:4, 8:20, 3:28] = True
    assert simulated.box(truth) == ((2, 8, 3), (3, 19, 27))
    rng = np.random.default_rng(0)
    for _ in range(10):
        low, high = simulated.box(truth, rng)  # type: ignore[misc]
        assert abs(low[1] - 8) <= 1 and abs(high[2] - 27) <= 3 and low[0] <= high[0]
    line = simulated.scribble(truth, (2, 13, 15), rng)
    assert len(line) > 2 and truth[tuple(line.T)].all() and set(line[:, 0]) == {2}


def test_spots_are_cut_at_the_border_and_what_lies_outside_is_not_seen():
    mask = np.zeros((1, 16, 16), np.float32)
    seen = channels(Marks(np.array([[0, 0, 0], [0, 40, 3]]), np.array([[0, 8, 8]])), mask)
    assert seen.shape == (4, 1, 16, 16) and seen[0, 0, 0, 0] == 1 and seen[1, 0, 8, 8] == 1
    assert not seen[0, 0, 8:, 8:].any() and not seen[2:].any()
    assert np.isclose(seen[1, 0, 8, 10], np.exp(-0.5))  # two voxels are one sigma
    box = channels(Marks(NOTHING, NOTHING, (np.array([0, -5, 3]), np.array([1, 4, 9]))), mask)
    assert box[2].sum() == 4 * 6
    beyond = channels(Marks(NOTHING, NOTHING, (np.array([0, -5, 3]), np.array([1, -2, 9]))), mask)
    assert not beyond.any()
