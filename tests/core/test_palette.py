"""The palette: colours that everyone tells apart, the same everywhere, and none that changes for bundles of before."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from vesalius import formats
from vesalius.core import encoding, palette
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.dicom.values.colours import chosen

APART = 10.0  # of CIEDE2000; 1 is just noticed side by side, and 10 is seen at a glance

# Machado, Oliveira and Fernandes 2009, "A physiologically-based model for simulation of color vision deficiency",
# severity 1.0, and for a second opinion Viénot, Brettel and Mollon 1999 (protanopia and deuteranopia); on linear RGB
VISIONS = {
    "full": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
    "protanopia, Viénot": np.array(
        [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]]
    ),
    "deuteranopia, Viénot": np.array(
        [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]
    ),
}


def seen(colour: str, vision: str) -> np.ndarray:
    part = np.array(palette.rgb(colour)) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    linear = np.clip(VISIONS[vision] @ linear, 0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def apart(one: str, other: str, vision: str) -> float:
    return float(deltaE_ciede2000(seen(one, vision), seen(other, vision)))


@pytest.mark.parametrize("vision", VISIONS)
def test_eight_colours_and_the_truths_are_told_apart_by_everyone(vision: str) -> None:
    assert len(palette.SERIES) == 8
    for one, other in itertools.combinations((*palette.SERIES, palette.TRUTH), 2):
        assert apart(one, other, vision) >= APART, (one, other)


def test_a_label_with_a_code_has_its_recommended_colour_unless_another_has_one_like_it() -> None:
    organs = ("spleen", "liver", "right_kidney", "left_kidney", "aorta", "thing")
    labels = chosen([Label(k + 1, name) for k, name in enumerate(organs)])
    shown = {x.name: x.shown for x in labels}
    assert (shown["liver"], shown["spleen"]) == ("#dd8265", "#9d6ca2")  # of their codes
    reds = ("liver", "right_kidney", "aorta")  # whose codes recommend three that are hard to tell apart
    for one, other in itertools.combinations(reds, 2):
        assert palette.nearest(str(shown[one]), [str(shown[other])]) >= palette.CLEAR, (one, other)
    (alone,) = chosen([Label(1, "aorta")])
    assert alone.shown == "#e0614c"
    assert shown["right_kidney"] != shown["left_kidney"]  # they share a code, and so its colour
    assert len(set(shown.values())) == len(organs) and palette.TRUTH not in shown.values()
    for one, other in itertools.combinations([*shown.values(), palette.TRUTH], 2):
        for vision in VISIONS:
            assert apart(one, other, vision) >= 3.5, (one, other, vision)
    assert [x.colour for x in labels] == [None] * len(organs)  # what the data say stays what they say
    assert labels == tuple(Label(k + 1, name) for k, name in enumerate(organs))  # and a label the same label


def test_what_the_data_say_stays_and_many_labels_have_colours_too() -> None:
    own, other = chosen([Label(1, "tumour", colour="#ff0000"), Label(2, "x")])
    assert palette.colour_of(own, 0) == "#ff0000" and own.shown is None
    assert palette.nearest(str(other.shown), ["#ff0000"]) >= palette.APART
    many = chosen([Label(k, f"part {k}") for k in range(1, 120)])
    assert all(palette.is_colour(str(x.shown)) for x in many)
    assert len({x.shown for x in many[:20]}) == 20


def test_labels_without_colours_are_shown_as_in_bundles_of_before() -> None:
    assert [palette.colour_of(Label(1, "liver"), k) for k in (0, 1, 24)] == ["#e6550d", "#3182bd", "#e6550d"]
    assert palette.colour_of(Label(1, "liver", colour="no colour"), 1) == "#3182bd"
    answer = Mask(image=Image(np.zeros((1, 1, 2, 2), np.uint8)), labels=(Label(1, "liver"),))
    text = encoding.as_text(answer)
    assert "shown" not in text  # an answer of such a bundle is the same file
    told = Mask(image=answer.image, labels=chosen(answer.labels))
    back = encoding.from_text(encoding.as_text(told))
    assert back.labels[0].shown == "#dd8265"


def test_a_png_of_label_values_stays_one_of_greys(tmp_path: Path) -> None:
    """Chosen colours are for showing: a program that reads the values must not meet colours in their place."""
    labels = chosen([Label(1, "liver"), Label(2, "spleen")])
    answer = Mask(image=Image(np.array([[[[0, 1, 2]]]], np.uint8)), labels=labels)
    with PIL.Image.open(formats.write(answer, tmp_path / "mask.png")) as picture:
        assert picture.mode == "L" and np.asarray(picture).tolist() == [[0, 1, 2]]
