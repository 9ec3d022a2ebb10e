"""The click tool in Chromium, with mouse, keys and touch: what is clicked is where it is seen, on any geometry."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from _browser import Page, in_browser, serving
from _growing import Growing, blob, clickable
from PIL import Image as Pil

from vesalius import formats
from vesalius.core.image import Image
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.clicks import sessions

SHAPE = (24, 40, 64)
LARGE, SMALL = (slice(8, 16), slice(14, 26), slice(24, 40)), (slice(10, 14), slice(4, 10), slice(48, 58))
AFFINES = {
    "mirrored": np.diag([-1.0, 1.0, -2.0, 1.0]),
    "oblique": np.array([[0.9, 0.15, 0, 3], [-0.15, 0.9, 0, -20], [0, 0, 1.5, 40], [0, 0, 0, 1.0]]),
    "turned": np.array([[0, 0, 2.0, 0], [0, -1.0, 0, 9], [1.0, 0, 0, 4], [0, 0, 0, 1.0]]),
}
SPOTS = ((0.22, 0.2), (0.28, 0.27), (0.73, 0.2), (0.77, 0.3), (0.22, 0.7), (0.28, 0.8))  # two in each plane


@pytest.fixture
def clicked(models: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    monkeypatch.setattr(sessions, "Clicking", Growing)
    return clickable(models, "organs", "plaque")


def volume(folder: Path, name: str) -> tuple[str, bytes]:
    array = blob(SHAPE)
    array[LARGE] = array[SMALL] = 1000
    path = formats.write(Image(array[None], affine=AFFINES[name]), folder / f"{name}.nii.gz")
    return path.name, path.read_bytes()


def opened(
    browser: Any, address: str, folder: Path, file: tuple[str, bytes], model: str
) -> tuple[Page, list[Any]]:
    """A page with an image, and what it asks of the service about clicks as it is sent."""
    page, asked = Page(browser, address, folder), []
    page.tab.on(
        "request", lambda r: "/api/clicks" in r.url and r.post_data and asked.append(json.loads(r.post_data))
    )
    page.wait("body[data-ready]")
    page.drop([file])
    page.wait("#place", "column")
    page.tab.select_option("#model", model)
    return page, asked


def answered(page: Page, count: int) -> str:
    """Wait until so many strokes stand and are answered; what is said of the object."""
    page.tab.wait_for_function(
        "n => document.querySelectorAll('.chip').length === n && !document.querySelector('.spinner')",
        arg=count,
    )
    return str(page.wait("#click-status").inner_text())


@in_browser
@pytest.mark.parametrize("name", AFFINES)
def test_a_click_is_where_the_cross_would_be(
    name: str, browser: Any, clicked: Catalogue, tmp_path: Path
) -> None:
    with serving(clicked, tmp_path / "service") as address:
        page, asked = opened(browser, address, tmp_path, volume(tmp_path, name), "organs")
        page.tab.set_viewport_size(
            {"width": 2400, "height": 800}
        )  # so wide that the bar is one line with any tool
        page.tab.click("#run")
        page.wait("#click-status", "Click on")
        page.picture("clicks-wide")
        box = page.tab.locator("#planes").bounding_box()
        seen = set()
        for across, down in SPOTS:
            page.tab.keyboard.press("n")
            page.settle()
            assert page.tab.locator("#planes").bounding_box() == box, "the image lies still"
            page.point(across, down)
            index = page.index()
            page.settle()
            page.tab.keyboard.press("k")
            page.settle()
            page.click(round(across * box["width"]), round(down * box["height"]))
            answered(page, 1)
            stroke = asked[-1]["strokes"][-1]
            assert (stroke["kind"], stroke["adds"]) == ("point", True)
            assert tuple(stroke["places"][0]) == index, (across, down)
            seen.add(index)
        assert len(seen) > 3, "places that differ were clicked on"
        page.click(8, 8)
        assert "beside the image" in page.wait("#note").inner_text()
        assert page.wrong == []
        page.tab.close()


@in_browser
def test_an_object_is_clicked_corrected_and_kept(browser: Any, clicked: Catalogue, tmp_path: Path) -> None:
    with serving(clicked, tmp_path / "service") as address:
        page, asked = opened(browser, address, tmp_path, volume(tmp_path, "mirrored"), "organs")
        page.tab.click("#run")
        page.wait("#click-status", "Click on")
        grey = page.picture("clicks-before").sum(axis=2)
        bright = np.argwhere(grey[: grey.shape[0] // 2 - 40, : grey.shape[1] // 2 - 40] > 700)
        low, high = (
            bright[bright[:, 1].argmin()],
            bright[bright[:, 1].argmax()],
        )  # one in each of both objects
        (y0, x0), (y1, x1) = ((int(v) for v in p + d) for p, d in ((low, (4, 6)), (high, (4, -6))))
        page.click(x0, y0)
        first = answered(page, 1)
        page.click(x1, y1)
        both = answered(page, 2)
        sizes = {f"{v:g} ml" for v in (8 * 12 * 16 * 2 / 1000, 4 * 6 * 10 * 2 / 1000)}
        assert first.split(" · ")[0] in sizes and both.startswith(f"{(8 * 12 * 16 + 240) * 2 / 1000:.3g} ml")
        assert "ms" in both and asked[-1]["version"] >= 1
        page.picture("clicks-both")
        page.audit("two strokes")
        box = page.tab.locator("#planes").bounding_box()
        page.tab.mouse.click(round(box["x"]) + x0 + 8, round(box["y"]) + y0 + 3, button="right")
        answered(page, 3)
        assert asked[-1]["strokes"][-1]["adds"] is False
        page.tab.keyboard.press("Control+z")
        assert answered(page, 2).split(" · ")[0] == both.split(" · ")[0]
        page.tab.keyboard.press("Control+y")
        answered(page, 3)
        page.tab.click(".chip >> nth=2 >> button >> nth=1")
        assert answered(page, 2).split(" · ")[0] == both.split(" · ")[0]
        page.tab.keyboard.down("Shift")
        page.click(x1 - 8, y1 + 5)
        page.tab.keyboard.up("Shift")
        one = answered(page, 3)
        assert one.split(" · ")[0] == first.split(" · ")[0] and asked[-1]["strokes"][-1]["adds"] is False
        page.tab.keyboard.press("Delete")
        answered(page, 2)
        page.tab.keyboard.press("q")
        page.drag(
            (x0 / box["width"], y0 / box["height"]), ((x0 + 30) / box["width"], (y0 + 6) / box["height"])
        )
        answered(page, 3)
        assert asked[-1]["strokes"][-1]["kind"] == "scribble" and len(asked[-1]["strokes"][-1]["places"]) > 3
        page.picture("clicks-scribble")
        page.tab.keyboard.press("Enter")
        page.wait("#click-status", "Click on")
        _, file = page.saved(lambda: page.tab.click("#drawn-save"))
        kept = nib.load(file)
        wanted = np.zeros(SHAPE, np.uint8)
        wanted[LARGE] = wanted[SMALL] = 1
        assert np.array_equal(np.asanyarray(kept.dataobj).T, wanted)
        source = nib.load(tmp_path / "mirrored.nii.gz")
        assert np.allclose(kept.affine, source.affine, atol=1e-4)
        page.tab.click("#undo")
        page.tab.wait_for_function("document.querySelector('[data-extent]').textContent === '–'")
        assert page.wrong == []
        page.tab.close()


@in_browser
def test_boxes_lost_sessions_and_errors(
    browser: Any, clicked: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(clicked, tmp_path / "service") as address:
        page, asked = opened(browser, address, tmp_path, volume(tmp_path, "oblique"), "organs")
        page.tab.click("#run")
        page.wait("#click-status", "Click on")
        page.drag((0.15, 0.12), (0.35, 0.38))
        answered(page, 1)
        box = asked[-1]["strokes"][0]
        assert box["kind"] == "box" and all(a < b for a, b in zip(*box["places"], strict=True)), (
            "as deep as wide"
        )
        page.drag((0.62, 0.2), (0.88, 0.3))  # in the sagittal plane: how deep it is
        answered(page, 1)
        deeper = asked[-1]["strokes"][0]["places"]
        assert deeper != box["places"] and [a[2] for a in deeper] == [a[2] for a in box["places"]]
        page.picture("clicks-box")
        monkeypatch.setattr(sessions.ClickSessions, "get", _lost_once(sessions.ClickSessions.get))
        page.click(round(0.25 * 870), round(0.25 * 528))
        answered(page, 2)
        assert "sent again" in page.wait("#note").inner_text()
        assert len(asked[-1]["strokes"]) == 2 and "model" in asked[-1], "another session, with all strokes"

        def refused(*given: Any) -> Any:
            raise formats.FormatError("the model cannot do that", hint="something else")

        monkeypatch.setattr(Growing, "add", refused)
        page.click(round(0.2 * 870), round(0.2 * 528))
        assert "The model cannot do that" in page.wait("#fault").inner_text()
        answered(page, 2)
        page.tab.close()


def _lost_once(real: Any) -> Any:
    """A table of sessions that has lost one, the first time that it is looked for."""
    lost: list[str] = []

    def get(self: Any, session: str, owner: str) -> Any:
        if not lost:
            lost.append(session)
            self.end(self._sessions[session])
        return real(self, session, owner)

    return get


@in_browser
def test_a_picture_by_touch(browser: Any, clicked: Catalogue, tmp_path: Path) -> None:
    array, buffer = np.full((90, 120), 20, np.uint8), io.BytesIO()
    array[20:40, 70:100] = 240
    array[60:80, 10:40] = 240
    Pil.fromarray(array).save(buffer, "PNG")
    tablet = SimpleNamespace(
        new_page=lambda **more: browser.new_page(
            **{**more, "viewport": {"width": 768, "height": 1024}}, has_touch=True
        )
    )
    with serving(clicked, tmp_path / "service") as address:
        page, asked = opened(tablet, address, tmp_path, ("p.png", buffer.getvalue()), "plaque")
        page.tab.tap("#run")
        page.wait("#click-status", "Click on")
        box = page.tab.locator("#planes").bounding_box()
        size = min(box["width"] / 120, box["height"] / 90)
        left, top = box["x"] + (box["width"] - 120 * size) / 2, box["y"] + (box["height"] - 90 * size) / 2
        page.tab.touchscreen.tap(left + 85.5 * size, top + 25.5 * size)
        assert answered(page, 1).startswith("600 px")
        (place,) = asked[-1]["strokes"][0]["places"]
        assert place[0] == 0 and abs(place[1] - 25) <= 1 and abs(place[2] - 85) <= 1, "row and column"
        page.tab.touchscreen.tap(left + 20.5 * size, top + 70.5 * size)
        assert answered(page, 2).startswith("1,200 px")
        wire = page.tab.context.new_cdp_session(page.tab)
        finger = [{"x": left + 90 * size, "y": top + 32 * size}]
        wire.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": finger})
        time.sleep(0.8)
        wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert answered(page, 3).startswith("600 px") and asked[-1]["strokes"][-1]["adds"] is False
        page.picture("clicks-touch")
        page.audit("touch")
        assert page.wrong == []
        page.tab.close()
