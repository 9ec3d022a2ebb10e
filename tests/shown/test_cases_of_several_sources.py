"""A case of several images, visits and time courses is shown with all of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image as Pil

from vesalius.core.case import Case, Ref, Visit
from vesalius.core.course import Course
from vesalius.core.image import Image
from vesalius.shown._montage import _parts, montage, several


def picture(value: int) -> Image:
    return Image(np.full((1, 1, 16, 24), value, np.uint8))


def case() -> Case:
    earlier = Case("a-0", {"image": picture(20)}, patient="a")
    course = Course(np.arange(12.0).reshape(6, 2), names=("heart rate", "pressure"), times=(0, 1, 2, 4, 8, 9))
    return Case(
        "a-1",
        {"image": picture(200)},
        patient="a",
        earlier=(Visit(earlier, 365.0),),
        courses={"labs": course},
    )


def test_images_visits_and_courses_stand_side_by_side() -> None:
    titles = [title for title, _ in _parts(case())]
    assert titles == ["365 days before", "this visit", "labs"]
    png = montage(case())
    assert png is not None
    found = np.asarray(Pil.open(io.BytesIO(png)).convert("L"))
    assert found.shape[1] > 2 * found.shape[0]  # three beside one another
    assert several(case()) and not several(Case("b", {"image": picture(0)}))


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    gone = Ref((tmp_path / "gone.png",))
    two = Case("c", {"front": picture(90), "side": gone}, reference="front")
    assert [title for title, _ in _parts(two)] == ["front"]
    assert montage(Case("d", {"front": gone, "side": gone}, reference="front")) is None
