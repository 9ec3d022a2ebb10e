"""Search in an index against cosines by hand: who is left out, ties, and an image with words."""

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.core.index import Entry, Index
from vesalius.core.index_file import open_index, save_index
from vesalius.retrieve.search import Without, likeness, ranked

VECTORS = np.array([[1, 0], [0, 1], [1, 1], [-1, 0]], np.float32)
ENTRIES = tuple(
    Entry(c, patient=p, marks=(f"m{c}",)) for c, p in zip("abcd", ("p", "p", "q", None), strict=True)
)


def index(**told):
    return Index("b", "d", "vectors", VECTORS, ENTRIES, centred=False, **told)


def test_cosines_by_hand():
    np.testing.assert_allclose(likeness(index(), np.array([2.0, 0]), None), [1, 0, 2**-0.5, -1], atol=1e-12)


def test_the_nearest_first_and_distances():
    found, entries = ranked(index(), likeness(index(), None, np.array([1.0, 0.1])), count=2)
    assert found.case_ids == ("a", "c") == tuple(e.case for e in entries)
    assert found.distances[0] == pytest.approx(1 - 1 / np.sqrt(1.01))


def test_the_patients_own_cases_and_the_image_itself_are_left_out():
    like = likeness(index(), np.array([1.0, 0]), None)
    assert ranked(index(), like, count=9, without=Without("p"))[0].case_ids == ("c", "d")
    assert ranked(index(), like, count=9, without=Without(marks=frozenset({"ma"})))[0].case_ids == (
        "c",
        "b",
        "d",
    )
    with pytest.raises(DataError, match="left out"):
        ranked(index(), like, count=1, without=Without(cases="abcd"))


def test_nobody_known_is_nobodys_own():
    like = likeness(index(), np.array([-1.0, 0]), None)
    assert ranked(index(), like, count=1, without=Without(None))[0].case_ids == ("d",)


def test_an_image_with_words_by_hand():
    image, words = np.array([1.0, 0]), np.array([0.0, 1])
    one, two = np.array([1, 0, 2**-0.5, -1]), np.array([0, 1, 2**-0.5, 0])
    truth = 0.25 * (one - one.mean()) / one.std() + 0.75 * (two - two.mean()) / two.std()
    np.testing.assert_allclose(likeness(index(), image, words, weight=0.75), truth, atol=1e-7)


def test_equals_stand_in_their_order():
    assert ranked(index(), np.zeros(4), count=4)[0].case_ids == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("image", "words", "weight"), [(None, None, 0.5), (np.ones(3), None, 0.5), (np.ones(2), None, 2)]
)
def test_what_cannot_be_looked_for_is_refused(image, words, weight):
    with pytest.raises(DataError):
        likeness(index(), image, words, weight=weight)


def test_patients_and_how_angles_are_taken_are_kept(tmp_path):
    save_index(index(of="reports"), tmp_path / "i")
    again = open_index(tmp_path / "i")
    assert again.entries == ENTRIES and again.of == "reports" and not again.centred
    np.testing.assert_array_equal(again.distances(np.array([1.0, 0])), index().distances(np.array([1.0, 0])))
