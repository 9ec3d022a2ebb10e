"""What is drawn on an image lies where its voxels are: voxel k reaches from k to k + 1, turned as it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from _gaze import installed

from vesalius.answers import contract
from vesalius.answers.drawing import planes
from vesalius.answers.drawing.overlay import overlay, with_layer
from vesalius.answers.drawing.pictures import picture
from vesalius.core.answers import Answer
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Box
from vesalius.core.cohort import Label
from vesalius.core.image import Image

SIDE = 16
BLUE = Label(1, "cyst", colour="#0000ff")
FLIPPED = np.diag(
    [-1.0, 1.0, 1.0, 1.0]
)  # x runs to the patient's right: shown upright, the columns are turned round
GREY = np.full((1, 3, SIDE, SIDE), 100, np.uint8)


@pytest.fixture
def gaze(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with installed(tmp_path, monkeypatch) as kind:
        yield kind


def coloured(
    image: Image, answer: Answer, path: Path, *, below: int = 0
) -> tuple[float, float, float, float]:
    """Top, bottom, left and right of all that is coloured in the overlay from a row on, in pixels of the image."""
    overlay(image, answer, path)
    shown = np.asarray(PIL.Image.open(path).convert("RGB")).astype(int)
    shown[: below * shown.shape[0] // SIDE] = 0
    rows, columns = np.nonzero(np.ptp(shown, axis=2) > 60)
    scale = np.array(shown.shape[:2]) / SIDE
    return (
        rows.min() / scale[0],
        (rows.max() + 1) / scale[0],
        columns.min() / scale[1],
        (columns.max() + 1) / scale[1],
    )


@pytest.mark.parametrize("turned", [False, True])
def test_a_box_and_a_mask_of_the_same_voxels_are_drawn_at_the_same_place(
    tmp_path: Path, turned: bool
) -> None:
    affine = FLIPPED if turned else None
    labels = np.zeros((1, 3, SIDE, SIDE), np.uint8)
    labels[0, 0, 4:7, 2:5] = 1
    mask = Mask(image=Image(labels, affine=affine), labels=(BLUE,))
    box = Boxes(boxes=(Box((0, 4, 2), (1, 7, 5), "cyst"),), p=np.ones(1), labels=(BLUE,))
    image = Image(GREY, affine=affine)
    left = SIDE - 5 if turned else 2
    wanted = pytest.approx((4, 7, left, left + 3), abs=0.2)
    under_its_words = coloured(image, box, tmp_path / "box.png", below=5)
    assert (4.0, *under_its_words[1:]) == wanted, "in the slice that the box is in, not the middle one"
    axes = _Axes()
    contract.of(box).draw(axes, box, image, with_layer(box, image, title="", caption=""))
    (x, y), *_ = axes.lines
    assert (min(y), max(y), min(x), max(x)) == wanted
    contract.of(mask).draw(axes, mask, image, with_layer(mask, image, title="", caption=""))
    assert axes.contoured == wanted


def test_a_box_is_not_drawn_on_a_slice_that_it_does_not_cut() -> None:
    far = Box((2, 1, 1), (3, 3, 3), "cyst")
    near = Box((0, 4, 2), (1, 7, 5), "cyst")
    boxes, image = Boxes(boxes=(far, near), p=np.array([0.1, 0.9]), labels=(BLUE,)), Image(GREY)
    shown = with_layer(boxes, image, title="a", caption="")
    axes = _Axes()
    contract.of(boxes).draw(axes, boxes, image, shown)
    assert shown.z == 0 and {line[0][0] for line in axes.lines} == {2.0}


def test_a_point_and_a_map_lie_on_their_voxels(gaze: Any, tmp_path: Path) -> None:
    at = coloured(Image(GREY), gaze(at=(4.5, 12.5), seconds=1.0), tmp_path / "point.png")
    assert ((at[0] + at[1]) / 2, (at[2] + at[3]) / 2) == pytest.approx((4.5, 12.5), abs=0.1)
    field = np.zeros((1, 3, SIDE, SIDE), np.float32)
    field[0, :, 4:7, 2:5] = 1
    found = Map(image=Image(field), quantity="heat")
    axes = _Axes()
    contract.of(found).draw(axes, found, Image(GREY), with_layer(found, Image(GREY), title="", caption=""))
    assert axes.extents == [(0.0, SIDE, SIDE, 0.0)]


def test_a_report_shows_what_a_kind_without_outlines_draws(gaze: Any) -> None:
    shown = with_layer(gaze(at=(4.5, 12.5), seconds=1.0), Image(GREY), title="a", caption="1 s off")
    assert shown.layer is not None and shown.truth is None
    red = np.nonzero((shown.layer[..., 0] > 200) & (shown.layer[..., 3] > 200))
    place = [axis.mean() * SIDE / n for axis, n in zip(red, shown.layer.shape, strict=False)]
    assert place == pytest.approx([4.5, 12.5], abs=0.15)
    bare = with_layer(gaze(at=(99.0, 99.0), seconds=1.0), Image(GREY), title="a", caption="1 s off")
    drawn, without = (picture(one, {}, {})["views"][0]["src"] for one in (shown, bare))
    assert drawn != without


class _Axes:
    """Axes that keep what is drawn on them."""

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.extents: list[Any] = []
        self.contoured: tuple[float, ...] = ()

    def plot(self, x: Any, y: Any, *_: Any, **__: Any) -> None:
        self.lines.append((x, y))

    def annotate(self, *_: Any, **__: Any) -> None:
        """Words beside a box."""

    def contour(self, x: Any, y: Any, bits: Any, **_: Any) -> None:
        rows, columns = np.nonzero(bits > 0.5)
        self.contoured = (
            y[rows].min() - 0.5,
            y[rows].max() + 0.5,
            x[columns].min() - 0.5,
            x[columns].max() + 0.5,
        )

    def imshow(self, _: Any, *, extent: Any, **__: Any) -> None:
        self.extents.append(extent)

    def get_legend_handles_labels(self) -> Any:
        return [], []


def test_the_edges_of_a_plane() -> None:
    assert planes.extent(np.zeros((3, 5))) == (0.0, 5.0, 3.0, 0.0)


def test_numbers_of_a_logarithmic_axis_are_written_out() -> None:
    from vesalius.answers.drawing.pareto import Point, pareto

    points = [
        Point("original", 1.0, 0.7, 0.66, 0.75, True, False),
        Point("small", 2.1, 0.7, 0.6, 0.8, True, True),
    ]
    drawn = pareto(points, across="times", up="auc")
    assert (
        "mathdefault" not in drawn and ">1<" in drawn.replace("\n", "") and ">2<" in drawn.replace("\n", "")
    )
