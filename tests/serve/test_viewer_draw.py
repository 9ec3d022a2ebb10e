"""Drawing in the viewer, in a real browser: what is saved lies where it was seen, by mouse and by touch."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from _browser import Page, in_browser, serving
from PIL import Image as Pil

from vesalius import formats
from vesalius.core.image import Image
from vesalius.serve.http.catalogue import Catalogue

# oblique by 20°, of columns that run to the right of the patient, and of three spacings
LEAN = np.array([[-0.94, 0.34, 0, 0], [0.34, 0.94, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
OBLIQUE = LEAN @ np.diag([0.8, 1.1, -2.5, 1]) + np.array(
    [[0, 0, 0, 30], [0, 0, 0, -20], [0, 0, 0, 15], [0] * 4]
)
MIDDLE = (0.505, 0.51)
SPOTS = [(0.5, 0.44), (0.47, 0.5), (0.53, 0.55), (0.5, 0.62), (0.34, 0.4), (0.64, 0.3)]


def nifti(seed: int = 1) -> bytes:
    """A volume of 36 × 32 × 14 voxels that lies obliquely."""
    make: Any = nib.Nifti1Image
    array = np.random.default_rng(seed).integers(0, 40, (36, 32, 14)).astype(np.int16)
    image = make(array, OBLIQUE)
    image.header.set_xyzt_units("mm")
    found: bytes = image.to_bytes()
    return found


def png() -> bytes:
    buffer = io.BytesIO()
    Pil.fromarray(np.random.default_rng(2).integers(0, 60, (40, 56), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def begin(page: Page, name: str, data: bytes) -> None:
    page.wait("body[data-ready]")
    page.drop([(name, data)])
    page.wait("#place", "row")
    page.tab.keyboard.press("c")
    if page.tab.get_attribute("#cross", "aria-pressed") == "true":
        page.tab.keyboard.press("c")  # it would be taken for what is drawn
    page.tab.click("#draw-button")
    page.wait("#draw-bar [data-tool=brush]")


def drawn(page: Page) -> Image:
    _, path = page.saved(lambda: page.tab.click("#drawn-save"))
    return formats.read(path)


def lies_where_it_is_seen(page: Page, name: str, mask: Image) -> None:
    """At each spot: something is seen there if, and only if, the saved mask has it at the voxel that the page names."""
    page.tab.keyboard.press("s")
    without = page.picture(f"{name}-hidden")
    page.tab.keyboard.press("s")
    shown = page.picture(name)
    page.tab.keyboard.press("n")
    found = []
    for spot in SPOTS:
        at = page.point(*spot)
        x, y = at["pixel"]
        seen = bool(np.abs(shown[y, x] - without[y, x]).max() > 25)
        found.append((spot, seen, bool(mask.array[(0, *at["index"])])))
    assert all(seen == saved for _, seen, saved in found), (name, found)
    assert {seen for _, seen, _ in found} == {True, False}, (name, found)
    page.point(*MIDDLE)  # the slices of the other planes are those that were drawn on
    page.tab.keyboard.press("b")


@in_browser
def test_what_is_drawn_in_any_plane_is_saved_where_it_is_seen(
    browser: Any, models: Catalogue, tmp_path: Path
) -> None:
    with serving(models, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        begin(page, "oblique.nii", nifti())
        page.tab.keyboard.press("Alt+2")
        page.tab.keyboard.press("n")
        page.point(*MIDDLE)
        page.tab.keyboard.press("b")
        page.drag((0.47, 0.47), (0.53, 0.56))
        page.tab.keyboard.press("Alt+3")
        page.tab.keyboard.press("p")
        box = page.tab.locator("#planes").bounding_box()
        for x, y in ((0.45, 0.4), (0.55, 0.4), (0.55, 0.66), (0.45, 0.66)):
            page.click(x * box["width"], y * box["height"])
        page.tab.keyboard.press("Enter")
        page.tab.keyboard.press("Alt+4")
        page.tab.keyboard.press("b")
        page.tab.check("#brush-ball")
        page.drag((0.5, 0.45), (0.5, 0.6))
        mask = drawn(page)
        assert mask.affine is not None
        assert np.allclose(np.diag([-1.0, -1, 1, 1]) @ mask.affine, OBLIQUE, atol=1e-4)
        assert mask.array.shape == (1, 14, 32, 36)
        for key, name in (("Alt+2", "axial"), ("Alt+3", "coronal"), ("Alt+4", "sagittal")):
            page.tab.keyboard.press(key)
            lies_where_it_is_seen(page, name, mask)
        page.audit("drawing")
        # a step further back each time, to nothing, and all of them again
        counts = [int(mask.array.sum())]
        for _ in range(3):
            page.tab.keyboard.press("Control+z")
            counts.append(int(drawn(page).array.sum()))
        assert counts == sorted(counts, reverse=True) and counts[-1] == 0 and len(set(counts)) == 4
        for _ in range(3):
            page.tab.keyboard.press("Control+y")
        assert np.array_equal(drawn(page).array, mask.array)
        # filled between two slices, and copied onto the next
        page.tab.keyboard.press("Alt+2")
        page.tab.keyboard.press("v")
        page.settle()
        more = drawn(page).array[0]
        planes = mask.array[0].any(axis=(1, 2)), more.any(axis=(1, 2))
        assert more.sum() >= mask.array.sum() and (planes[1] >= planes[0]).all()
        assert page.wrong == []
        page.tab.close()


@in_browser
def test_a_picture_is_drawn_on_by_finger_and_two_fingers_zoom(
    browser: Any, models: Catalogue, tmp_path: Path
) -> None:
    with serving(models, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.tab.set_viewport_size({"width": 768, "height": 1024})
        begin(page, "film.png", png())
        touch = Touch(page)
        touch.stroke([(0.5, 0.45), (0.48, 0.5), (0.52, 0.55)])
        mask = drawn(page)
        assert mask.array.shape == (1, 1, 40, 56) and 20 < mask.array.sum() < 600
        lies_where_it_is_seen(page, "film", mask)
        before = scale(page)
        touch.pinch((0.5, 0.5), 0.1, 0.25)
        page.settle()
        assert pixels_of_a_unit(scale(page)) > 1.5 * pixels_of_a_unit(before)
        assert np.array_equal(drawn(page).array, mask.array)  # nothing was drawn by it
        page.tab.keyboard.press("e")
        touch.stroke([(0.5, 0.4), (0.5, 0.6)])
        assert drawn(page).array.sum() < mask.array.sum()
        page.audit("a tablet")
        page.picture("tablet")
        assert page.wrong == []
        page.tab.close()


def scale(page: Page) -> tuple[float, float]:
    """The bar at the foot of the plane: its length and its pixels."""
    said = re.search(r"([\d.]+) px = ([\d.]+) px", page.tab.get_attribute("#over", "data-legends") or "")
    assert said is not None
    return float(said[1]), float(said[2])


def pixels_of_a_unit(bar: tuple[float, float]) -> float:
    return bar[1] / bar[0]


class Touch:
    """Fingers on the planes, in parts of their width and height."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.client = page.tab.context.new_cdp_session(page.tab)

    def send(self, kind: str, points: list[tuple[float, float]]) -> None:
        box = self.page.tab.locator("#planes").bounding_box()
        at = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": k}
            for k, (x, y) in enumerate(points)
        ]
        self.client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    def stroke(self, points: list[tuple[float, float]]) -> None:
        self.send("touchStart", points[:1])
        for point in points[1:]:
            self.send("touchMove", [point])
        self.send("touchEnd", [])

    def pinch(self, middle: tuple[float, float], before: float, after: float) -> None:
        x, y = middle
        self.send("touchStart", [(x - before, y)])
        self.send("touchStart", [(x - before, y), (x + before, y)])
        for k in range(1, 6):
            half = before + (after - before) * k / 5
            self.send("touchMove", [(x - half, y), (x + half, y)])
        self.send("touchEnd", [])
