"""Planes in the viewer: a label's rim alone, the slice and its place, a true scale; images of one value are grey."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _browser import Page, in_browser, serving

from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.infer.predictor import Predictor
from vesalius.serve.http.catalogue import Catalogue

# X leans to the front, Y runs to the head, Z to the right of the patient
OBLIQUE = np.array([[0.3, 0, -2.0, 30], [-1.0, 0, -0.6, 5], [0, 1.5, 0, -80], [0, 0, 0, 1]])
SHAPE = (12, 40, 30)
SLAB = (slice(5, 8), slice(8, 32), slice(6, 24))  # three voxels thick, and as wide as it may be


@pytest.fixture
def slab(models: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """A model that answers with a flat slab."""

    def answer(self: Predictor, case: Any, *, watch: Any = None) -> Mask:
        array = np.zeros((1, *SHAPE), np.uint8)
        array[(0, *SLAB)] = 1
        return Mask(
            image=Image(array, affine=OBLIQUE), labels=(Label(1, "liver", colour="#2244ff"),), case_id=case.id
        )

    monkeypatch.setattr(Predictor, "__call__", answer)
    return models


def marked(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where a picture is blue, as the label is and nothing else."""
    found: np.ndarray[Any, Any] = picture[..., 2] - picture[..., 0] > 90
    return found


@in_browser
def test_an_outline_is_a_thin_line_around_its_label_in_every_plane(
    browser: Any, slab: Catalogue, tmp_path: Path
) -> None:
    """A slab that lies flat in a plane is not a block of colour there, but its rim, and the image is seen inside."""
    array = np.full(SHAPE, 300, np.int16)
    array[:, ::2] += 40
    path = formats.write(Image(array[None], affine=OBLIQUE), tmp_path / "flat.nii.gz")
    with serving(slab, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.show(("flat.nii.gz", path.read_bytes()))
        page.tab.select_option("#model", "organs")
        page.tab.click("#run")
        page.wait(".legend li")
        page.tab.fill("#mask-opacity", "1")
        page.tab.keyboard.press("1")
        all_filled = marked(page.picture("all-filled"))
        page.tab.check("#outline")
        for key, axis in (("2", 1), ("3", 2), ("4", 0)):  # the sagittal plane cuts along the slab
            page.tab.keyboard.press(key)
            rim = marked(page.picture(f"outline-{key}"))
            down, across = np.nonzero(rim)
            top, bottom, left, right = down.min(), down.max(), across.min(), across.max()
            assert rim[top + 4 : bottom - 3, left + 4 : right - 3].sum() == 0, key  # seen through
            for edge in (rim[top : top + 4], rim[bottom - 3 : bottom + 1]):
                assert edge[:, left : right + 1].any(axis=0).mean() > 0.9, key  # closed
            for edge in (rim[:, left : left + 4], rim[:, right - 3 : right + 1]):
                assert edge[top : bottom + 1].any(axis=1).mean() > 0.9, key
            ends = [{s.start, s.stop - 1} for s in SLAB]
            for x, y in (
                (left + 3, top + 3),
                (right - 3, bottom - 3),
            ):  # and the label's own first and last lie in it
                page.click(int(x), int(y))
                seen = page.index()
                assert all(seen[k] in ends[k] for k in range(3) if k != axis), (key, seen)
            the_foot_tells_slice_place_and_scale(page, axis, (right - left + 1, bottom - top + 1))
        page.tab.uncheck("#outline")
        measures_do_not_lie_on_one_another(page)
        page.tab.keyboard.press("1")
        page.tab.check("#outline")
        rims = marked(page.picture("all-outlines"))
        assert 0 < rims.sum() < 0.3 * all_filled.sum()
        page.tab.locator(".legend input").first.uncheck()
        assert marked(page.picture("hidden")).sum() == 0
        assert page.wrong == []
        page.tab.close()


def the_foot_tells_slice_place_and_scale(page: Page, axis: int, size_px: tuple[int, int]) -> None:
    """The slice in the order of the file, how far it lies along its normal, and a bar as long as it says."""
    said = page.tab.get_attribute("#over", "data-legends")
    found = re.search(r"slice (\d+) of (\d+) · ([RLAPSI]+) ([\d.]+) mm, (\d+) mm = ([\d.]+) px", said)
    assert found, said
    index = page.index()
    assert (int(found[1]) - 1, int(found[2])) == (index[axis], SHAPE[axis])
    steps = OBLIQUE[:3, :3].T[::-1]  # by axis, as an index has them
    others = [k for k in range(3) if k != axis]
    normal = np.cross(*steps[others])
    normal /= np.linalg.norm(normal)
    place = float(normal @ (OBLIQUE @ [*index[::-1], 1])[:3])
    assert abs(abs(place) - float(found[4])) < 0.06, (place, said)
    per_mm = float(found[6]) / int(found[5])
    across = min(others)  # z runs sideways where it is seen, or else x does
    down = max(others) if axis != 0 else 1
    across = 2 if axis == 0 else across
    for k, seen in ((across, size_px[0]), (down, size_px[1])):
        length = (SLAB[k].stop - SLAB[k].start) * float(np.linalg.norm(steps[k]))
        assert abs(seen - length * per_mm) < 3, (k, seen, length * per_mm)


def measures_do_not_lie_on_one_another(page: Page) -> None:
    page.tab.keyboard.press("d")
    for k in range(4):
        page.drag((0.4, 0.3 + 0.01 * k), (0.5, 0.5 + 0.001 * k))
    page.picture("measures")
    said = page.tab.get_attribute("#over", "data-words").split("; ")
    words = [[float(x) for x in w.split(",")] for w in said]  # left, middle of the height, width
    assert len(words) == 4
    for k, (x, y, wide) in enumerate(words):
        for left, middle, width in words[:k]:
            assert abs(y - middle) > 15 or x > left + width or left > x + wide, said
    page.tab.keyboard.press("x")
    page.tab.keyboard.press("n")


@in_browser
def test_an_image_of_one_value_is_grey(browser: Any, models: Catalogue, tmp_path: Path) -> None:
    """Eight bits as they are stored; other numbers, which have no black and white of their own, in the middle."""
    with serving(models, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        for stored, kind, expected in (
            (128, np.uint8, 128),
            (200, np.uint8, 200),
            (1200, np.uint16, 127),
            (-3.5e8, np.float32, 127),
        ):
            array = np.full((1, 1, 40, 48), stored, kind)
            suffix = "png" if kind is np.uint8 else "nii.gz"
            path = formats.write(Image(array), tmp_path / f"one-{abs(int(stored))}.{suffix}")
            page.drop([(path.name, path.read_bytes())])
            page.wait("#studies [aria-pressed=true]", path.name.split(".")[0])
            page.tab.locator("#loading").wait_for(state="hidden")
            page.wait("#place", "column")
            seen = page.picture(path.name)
            spot = seen[seen.shape[0] // 4 : seen.shape[0] // 3, seen.shape[1] // 3 : 2 * seen.shape[1] // 5]
            assert abs(float(np.median(spot)) - expected) <= 2, (stored, kind)
            level, width = float(page.tab.input_value("#level")), float(page.tab.input_value("#width"))
            assert width >= 1
            if kind is np.uint8:
                assert (level, width) == (127.5, 255)
            else:
                assert level == pytest.approx(stored)
            page.tab.select_option("#preset", "full")
            assert float(page.tab.input_value("#width")) >= 1
        assert page.wrong == []
        page.tab.close()
