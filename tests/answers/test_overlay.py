"""The picture of an answer on its image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from vesalius.answers.drawing.overlay import overlay
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.cohort import Label
from vesalius.core.image import Image

LIVER = Label(1, "liver")


def drawn(image: Image, answer: Mask | Scores, path: Path) -> np.ndarray:
    overlay(image, answer, path)
    return np.asarray(PIL.Image.open(path).convert("RGB")).astype(int)


@pytest.mark.parametrize("held", [False, True])
def test_a_mask_has_a_contour_where_it_holds_anything(tmp_path: Path, held: bool) -> None:
    """An empty mask has no legend, and no warning about one: warnings are errors here."""
    array = np.zeros((1, 3, 24, 24), np.uint8)
    array[0, 1, 6:18, 6:18] = held
    image = Image(np.full((1, 3, 24, 24), 50, np.int16), unit="HU")
    shown = drawn(image, Mask(image=Image(array), labels=(LIVER,)), tmp_path / "x.png")
    assert (np.ptp(shown, axis=2) > 100).any() == held


def test_hounsfield_units_are_seen_in_a_window_for_soft_tissue(tmp_path: Path) -> None:
    array = np.full((1, 1, 24, 24), -1000, np.int16)
    array[..., 6:12, :], array[..., 12:18, :], array[..., 20:, :] = 50, 100, 2000
    answer = Mask(image=Image(np.zeros((1, 1, 24, 24), np.uint8)), labels=(LIVER,))
    grey = drawn(Image(array, unit="HU"), answer, tmp_path / "x.png")[..., 0]
    rows = grey[:, grey.shape[1] // 2]
    assert rows[len(rows) * 15 // 24] - rows[len(rows) * 9 // 24] > 25


def test_probabilities_can_be_read_on_a_white_image(tmp_path: Path) -> None:
    answer = Scores(labels=(LIVER, Label(2, "none")), p=np.array([0.25, 0.75]))
    white = Image(np.concatenate([np.zeros((1, 1, 1, 24)), np.ones((1, 1, 23, 24))], axis=2))
    shown = drawn(white, answer, tmp_path / "x.png")[..., 0]
    corner = shown[len(shown) // 16 : len(shown) // 12, : shown.shape[1] // 6]
    assert corner.min() < 160 < 240 < corner.max()
