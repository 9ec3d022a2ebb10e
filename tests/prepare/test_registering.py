"""Registration: a known shift and turn of a phantom is found, and what does not fit is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vesalius.core.errors import UnknownName
from vesalius.core.image import Image, Source
from vesalius.phantom import ct
from vesalius.phantom.abdomen.later import Later
from vesalius.prepare.aligning import usual
from vesalius.prepare.aligning.contract import rigid
from vesalius.prepare.between import Between
from vesalius.prepare.geometry import turn
from vesalius.prepare.registering import FRAME, NONE, SAME, Registration, field_of, index_map, onto, register

MOVED = {"shift_mm": (9.0, -6.0, 12.0), "turned_deg": (3.0, -4.0, 6.0)}


@pytest.fixture(scope="module")
def visits() -> tuple[Image, Image]:
    """An earlier scan, and one of the patient lying otherwise, with other noise and a lesion of twice the size."""
    return ct.patient(3, seed=9).as_image(), ct.later(3, seed=9, growth=2.0, **MOVED).as_image()  # type: ignore[arg-type]


def error(found: Registration, truth: np.ndarray, later: Image) -> tuple[float, float]:
    """How far, in voxels, the middle half's corners lie from where they truly do, and how many degrees it turns off."""
    n = np.array(later.shape[::-1]) - 1
    corners = np.array([[x, y, z] for x in (0.25, 0.75) for y in (0.25, 0.75) for z in (0.25, 0.75)]) * n
    assert later.affine is not None and later.spacing_mm is not None
    places = np.c_[corners @ later.affine[:3, :3].T + later.affine[:3, 3], np.ones(8)]
    far = np.linalg.norm((places @ (found.matrix - truth).T)[:, :3], axis=1).max() / min(later.spacing_mm)
    turned = found.matrix[:3, :3] @ truth[:3, :3].T
    return float(far), float(np.degrees(np.arccos(np.clip((np.trace(turned) - 1) / 2, -1, 1))))


@pytest.mark.parametrize("way", ["own", "itk"])
def test_a_known_shift_and_turn_is_found_to_half_a_voxel_and_a_degree(
    visits: tuple[Image, Image], way: str
) -> None:
    earlier, later = visits
    if way == "itk":
        pytest.importorskip("SimpleITK")
    truth = Later(2.0, 90, **MOVED).matrix  # type: ignore[arg-type]
    found = register(later, earlier, way=way)
    far, turned = error(found, truth, later)
    assert far < 0.5 and turned < 1.0, (far, turned)
    assert found.fits and found.by == way and found.unit == "mm"
    assert found.before is not None and found.after is not None and found.after > found.before + 0.05
    assert found.turned_deg == pytest.approx(Later(1, 1, **MOVED).turned_total, abs=1.0)  # type: ignore[arg-type]


def test_a_picture_is_registered_in_its_plane_in_pixels() -> None:
    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(9, 9))
    from scipy.ndimage import zoom

    scene = np.clip(zoom(coarse, 20, order=3) * 60 + 128, 0, 255)
    earlier = Image(scene[None, None].astype(np.uint8))
    truth = rigid(np.radians([0, 0, 7.0]), np.array([6.0, -9.0, 0.0]), field_of(earlier).middle)
    moved = onto(earlier.array.astype(np.float32), earlier, earlier, truth, order=1, fill=128.0)
    later = Image(np.clip(moved + rng.normal(size=moved.shape) * 5, 0, 255).astype(np.uint8))
    found = register(later, earlier, way="own")
    assert found.fits, found.why
    assert np.abs(found.matrix - truth)[:2, 3].max() < 1.0 and found.turned_deg == pytest.approx(7.0, abs=0.5)
    again = register(later, earlier, way="own")
    assert np.array_equal(again.matrix, found.matrix)  # the same images, the same registration
    assert found.unit == "pixels" and any("how large a pixel" in note for note in found.notes)


def test_axes_that_are_stored_otherwise_are_no_other_place(visits: tuple[Image, Image]) -> None:
    """The same scan with its rows from left to right the other way, as its affine says: nothing is turned."""
    earlier, _ = visits
    assert earlier.affine is not None
    flipped = turn(earlier.array, (0, 1, 2), (2,))
    affine = earlier.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (earlier.shape[2] - 1)
    affine[:3, 0] *= -1
    other = Image(np.ascontiguousarray(flipped), affine=affine, unit="HU", modality="CT")
    found = register(other, earlier, way="own")
    assert found.fits and found.moved(other) < 1.0 and found.turned_deg < 0.5
    marked = np.zeros(earlier.shape, np.uint8)
    marked[:, :, :10] = 1  # one side of the patient
    carried = onto(marked[None], other, earlier, np.eye(4), order=0)
    assert carried[0, :, :, -10:].all() and carried.sum() == marked.sum()


def test_two_people_noise_and_nothing_in_common_do_not_fit(visits: tuple[Image, Image]) -> None:
    _, later = visits
    rng = np.random.default_rng(0)
    noise = replace(later, array=rng.normal(size=later.array.shape).astype(np.float32))
    found = register(later, noise, way="own")
    assert not found.fits and found.why
    flat = replace(later, array=np.zeros_like(later.array))
    assert "one value" in register(later, flat, way="own").why
    picture = Image(np.zeros((1, 1, 20, 20), np.uint8))
    assert "single plane" in register(later, replace(picture, spacing_mm=(1.0, 1.0, 1.0)), way="own").why
    assert "how large a pixel" in register(picture, replace(picture, spacing_mm=(1.0, 1.0, 1.0))).why


def test_a_shared_frame_and_the_same_image_are_laid_as_they_are(visits: tuple[Image, Image]) -> None:
    earlier, later = visits
    frame = Source(frame_of_reference_uid="1.2.3")
    found = register(replace(later, source=frame), replace(earlier, source=frame))
    assert found.by == FRAME and np.array_equal(found.matrix, np.eye(4)) and found.before == found.after
    same = register(later, later)
    assert same.by == SAME and same.fits and same.after is not None and same.after > 1.4
    asked = register(later, earlier, way=NONE)
    assert asked.by == NONE and not asked.fits and np.array_equal(asked.matrix, np.eye(4))
    with pytest.raises(UnknownName, match="registration"):
        register(later, earlier, way="elastix")
    assert usual() in ("itk", "own")


def test_points_go_where_voxels_go() -> None:
    """A box's corners and a label of the same place land alike, through grids of other spacing and orientation."""
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    other = np.array([[0, -1.5, 0, 60], [1.5, 0, 0, -4], [0, 0, 2.0, 5], [0, 0, 0, 1]], float)
    earlier = Image(np.zeros((1, 20, 30, 28), np.int16), affine=affine)
    later = Image(np.zeros((1, 34, 48, 52), np.int16), affine=other)
    matrix = rigid(np.radians([0, 0, 0]), np.array([3.0, -2.0, 1.0]), np.zeros(3))
    between = Between(earlier, later, Registration("own", matrix, "mm"))
    bits = np.zeros(earlier.shape, np.uint8)
    bits[6:12, 8:18, 5:15] = 1
    carried = between.carried(Image(bits[None])).array[0]
    low, high = (between.points(np.array([p], float))[0] for p in ((6, 8, 5), (12, 18, 15)))
    where = np.argwhere(carried)
    assert np.abs(np.minimum(low, high) - where.min(axis=0)).max() <= 1
    assert np.abs(np.maximum(low, high) - (where.max(axis=0) + 1)).max() <= 1
    back = np.linalg.inv(index_map(later, earlier, matrix)) @ index_map(later, earlier, matrix)
    assert np.allclose(back, np.eye(4))
