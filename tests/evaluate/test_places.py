"""Figures of places: against scikit-learn, and PRO by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.scorecard import Scorecard
from vesalius.evaluate.places import Places, lines, panels, up_to


def case(rng: np.random.Generator, *, lesion: bool) -> tuple[Image, Image]:
    """A field of values that a float's first 16 bits hold, and one region or none."""
    inside = np.zeros((1, 2, 8, 8), dtype=np.uint8)
    if lesion:
        inside[0, :, 2:5, 2:5] = 1
    values = rng.integers(0, 60, inside.shape) + 30.0 * inside
    return Image(values.astype(np.float32)), Image(inside)


def test_figures_of_points_are_those_of_scikit_learn() -> None:
    rng, places, truths, values = np.random.default_rng(0), Places("map"), [], []
    for k in range(12):
        answer, truth = case(rng, lesion=k % 2 == 0)
        places.add(f"c{k}", f"p{k // 2}", answer, truth)
        truths.append(truth.array.ravel())
        values.append(answer.array.ravel())
    found, y, x = places.found(), np.concatenate(truths), np.concatenate(values)
    assert found["figures"]["auroc"]["value"] == pytest.approx(roc_auc_score(y, x), abs=1e-12)
    assert found["figures"]["ap"]["value"] == pytest.approx(average_precision_score(y, x), abs=1e-12)
    assert found["chance"] == pytest.approx(y.mean()) and found["regions"] == 6
    for one in found["figures"].values():
        assert one["low"] <= one["value"] <= one["high"] and one["n"] == 12


def test_the_overlap_counts_regions_alike_by_hand() -> None:
    inside = np.zeros((1, 1, 4, 10), dtype=np.uint8)
    inside[0, 0, 0, :4] = 1  # four points
    inside[0, 0, 3, 9] = 1  # one
    values = np.zeros((1, 1, 4, 10), dtype=np.float32)
    values[0, 0, 0, :2] = 8  # half of the first is called first, and no other point
    values[0, 0, 3, 9] = 4  # then all of the second, with 7 of 35 other points
    values[0, 0, 1, :7] = 4
    places = Places("map")
    places.add("c", "p", Image(values), Image(inside))
    # overlap is 0.25 at no wrong point, 0.75 at 0.2, then a line to 1 at 1: at 0.3 it is 0.75 + 0.25 * 0.1 / 0.8
    end = 0.75 + 0.25 / 8
    area = (0.25 + 0.75) / 2 * 0.2 + (0.75 + end) / 2 * 0.1
    assert places.found()["figures"]["pro"]["value"] == pytest.approx(area / 0.3)
    assert up_to(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.3) == pytest.approx(0.15)


def test_regions_on_another_grid_are_refused_and_none_are_said_to_be_none() -> None:
    rng = np.random.default_rng(0)
    answer, truth = case(rng, lesion=False)
    with pytest.raises(DataError, match="another grid"):
        Places("map").add("c", "p", answer, Image(truth.array[..., :4]))
    places = Places("map")
    places.add("c", "p", answer, truth)
    assert places.found()["figures"]["auroc"]["value"] is None
    assert Places("map").found() == {}


def test_they_are_shown_with_their_intervals() -> None:
    rng, places = np.random.default_rng(0), Places("map")
    for k in range(4):
        places.add(f"c{k}", f"p{k}", *case(rng, lesion=k % 2 == 0))
    card = Scorecard("Scores", "test", 4, 4, True, "", "", {}, places=places.found())
    (table,) = panels(card)
    assert len(table.rows) == 3 and "2 regions in 2 of 4 cases" in table.text
    assert "AUROC of points" in lines(card)[0]
