"""Where a mask's surface lies off the truth's: signed distances worked out by hand, pictures of the worst cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vesalius.answers import contract
from vesalius.answers.drawing.pictures import picture
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Case
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.evaluate.scoring import ON_SURFACE, SOLID, tally_for
from vesalius.shapes.extract import surface_of_bits
from vesalius.shapes.outward import outward


def test_places_outside_are_positive_and_those_inside_negative() -> None:
    z, y, x = np.meshgrid(*(np.arange(25) - 12.0,) * 3, indexing="ij")
    affine = np.diag([-1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = (12, -12, -12)
    bits = x**2 + y**2 + z**2 < 8**2
    ball, radius = surface_of_bits(bits, affine), np.cbrt(bits.sum() * 3 / (4 * np.pi))
    points = np.array([[11.0, 0, 0], [0, -5.0, 0], [0, 0, 9.0], [-2.0, -2.0, -2.0]])
    np.testing.assert_allclose(outward(points, ball), np.array([11, 5, 9, np.sqrt(12)]) - radius, atol=0.5)


def case(name: str, shift: int) -> tuple[Case, Mask, Image, Image]:
    """Return a case whose answer is a block that lies `shift` voxels off the truth."""
    array = np.zeros((10, 14, 14), np.uint8)
    array[3:7, 3:8, 3:8] = 1
    truth = Image(array[None], affine=np.eye(4))
    answer = Mask(
        image=replace(truth, array=np.roll(array, shift, 2)[None]), labels=(Label(1, "liver"),), case_id=name
    )
    image = Image(np.zeros((1, 10, 14, 14), np.float32), affine=np.eye(4))
    return Case(id=name, images={"image": image}, targets={"mask": truth}), answer, truth, image


@pytest.mark.parametrize("solid", [True, False])
def test_the_worst_cases_are_pictured_where_it_is_asked_for(solid: bool) -> None:
    tally = tally_for(Mask)
    tally.solid = solid
    for k, shift in enumerate((4, 0, 1, 2, 3)):
        about, answer, truth, image = case(f"c{k}", shift)
        tally.add(about, answer, truth, None, image)
    worst = tally.gallery.worst
    assert worst[0].title == "c0" and bool(worst[0].beside) is solid
    if solid:
        (what, found), *_ = worst[0].beside
        assert what == ON_SURFACE and found.shape[2] == 3 and SOLID == 2
        shown = picture(worst[0], {"liver": 1}, {"liver": "#ff0000"})
        assert [v["what"] for v in shown["views"]] == ["truth", "answer", ON_SURFACE] and "mm" in shown[
            "caption"
        ]


def test_what_has_no_surface_has_no_picture() -> None:
    about, answer, truth, _ = case("c", 1)
    handling = contract.of(Mask)
    drawn = handling.truth(truth, about)
    empty = replace(answer, image=replace(answer.image, array=np.zeros_like(answer.image.array)))
    assert handling.solid_errors(answer, drawn) is not None
    assert handling.solid_errors(empty, drawn) is None
    placeless = replace(answer, image=Image(answer.image.array))
    assert handling.solid_errors(placeless, drawn) is None
