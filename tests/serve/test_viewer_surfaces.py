"""Surfaces in the viewer: drawn in their labels' colours, turned by key and mouse, clicked; a picture without WebGL."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _browser import Page, in_browser, serving
from PIL import Image as Pil

from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.infer.predictor import Predictor
from vesalius.serve.http.catalogue import Catalogue

SHAPE = (20, 24, 24)
AFFINE = np.diag([2.0, 2.0, 2.5, 1.0])  # LPS: x grows to the patient's left


@pytest.fixture
def two(models: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """A model that answers with a red ball at the patient's right and a blue one at the left."""

    def answer(self: Predictor, case: Any, *, watch: Any = None) -> Mask:
        z, y, x = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
        array = np.zeros(SHAPE, np.uint8)
        for value, middle in ((1, 6), (2, 17)):
            array[(x - middle) ** 2 + (y - 12) ** 2 + (z - 10) ** 2 < 25] = value
        labels = (Label(1, "liver", colour="#ff2222"), Label(2, "spleen", colour="#2244ff"))
        return Mask(image=Image(array[None], affine=AFFINE), labels=labels, case_id=case.id)

    monkeypatch.setattr(Predictor, "__call__", answer)
    return models


def shown(page: Page, selector: str) -> Any:
    """What is seen in an element, `(Y, X, 3)`."""
    return np.asarray(
        Pil.open(io.BytesIO(page.tab.locator(selector).screenshot())).convert("RGB"), dtype=float
    )


def middle(picture: Any, channel: int) -> Any:
    """The middle column of what is red (0) or blue (2)."""
    there = picture[..., channel] - picture[..., 2 - channel] > 60
    return np.argwhere(there).mean(axis=0)[1] if there.sum() > 50 else None


@in_browser
def test_surfaces_are_turned_clicked_and_hidden_and_are_a_picture_without_webgl(
    browser: Any, two: Catalogue, tmp_path: Path
) -> None:
    path = formats.write(
        Image(np.arange(np.prod(SHAPE), dtype=np.int16).reshape(1, *SHAPE) % 400, affine=AFFINE),
        tmp_path / "i.nii.gz",
    )
    with serving(two, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.show(("i.nii.gz", path.read_bytes()))
        page.tab.select_option("#model", "organs")
        if page.tab.locator("#accept-label").is_visible():
            page.tab.check("#accept")
        page.tab.click("#run")
        page.wait(".legend li")
        page.tab.click("#surface")
        page.wait("#save-surface")
        front = shown(page, "#surfaces")
        page.tab.screenshot(path=tmp_path / "surfaces.png")
        assert middle(front, 0) < middle(front, 2)  # the patient's right on the left, seen from the front
        page.tab.focus("#mesh")
        for _ in range(18):
            page.tab.keyboard.press("ArrowLeft")
        back = shown(page, "#surfaces")
        assert middle(back, 0) > middle(back, 2)  # turned by half a turn it is the other way round
        page.tab.keyboard.press("0")
        box = page.tab.locator("#mesh").bounding_box()
        at = middle(shown(page, "#surfaces"), 0)
        before = page.tab.locator("#place").inner_text()
        page.tab.mouse.click(box["x"] + at, box["y"] + box["height"] / 2)
        page.tab.wait_for_timeout(300)
        after = page.tab.locator("#place").inner_text()
        assert after != before and "Liver" in after, (before, after)  # the planes went to the red ball
        page.tab.uncheck(".legend li:nth-child(1) input")
        hidden = shown(page, "#surfaces")
        assert middle(hidden, 0) is None and middle(hidden, 2) is not None
        page.tab.click("#surface")
        assert page.tab.locator("#mesh").count() == 0
        page.tab.evaluate(
            """() => { const get = HTMLCanvasElement.prototype.getContext; HTMLCanvasElement.prototype.getContext =
            function (kind, ...more) { return this.id === "mesh" ? null : get.call(this, kind, ...more); }; }"""
        )
        page.tab.click("#surface")
        page.wait(".surface-picture")
        assert page.tab.evaluate("document.querySelector('.surface-picture').naturalWidth") > 100
        assert page.wrong == []
