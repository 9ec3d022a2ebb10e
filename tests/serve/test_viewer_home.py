"""The viewer at first sight: an empty page, a sample, planes at one scale, the cross, windows, kept choices."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from _browser import Page, in_browser, serving

from vesalius import formats
from vesalius.core.image import Image
from vesalius.serve.http import sample
from vesalius.serve.http.catalogue import Catalogue


@in_browser
def test_an_empty_page_offers_a_sample_that_is_said_to_be_synthetic_and_opens_it(
    browser: Any, models: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "_GRID", (16, 48, 48))
    with serving(models, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        zone, stage = (page.tab.locator(s).bounding_box() for s in ("#drop", "#viewer"))
        for place, size in (("x", "width"), ("y", "height")):  # in the middle
            middles = [box[place] + box[size] / 2 for box in (zone, stage)]
            assert abs(middles[0] - middles[1]) < 3
        for scheme in ("dark", "light"):
            page.tab.emulate_media(color_scheme=scheme)
            page.audit(f"empty, {scheme}")
        page.tab.select_option("#model", "organs")
        page.tab.keyboard.press("2")  # one plane is drawn sooner than all and 3-D
        page.tab.click("#sample")
        page.wait("#place", "slice")
        assert "Synthetic" in page.tab.inner_text("#case-notes")
        assert page.tab.inner_text("#studies .tag") == "Synthetic"
        assert (
            page.tab.locator("#drop-place #drop").count() == 1
        )  # to the side, where it does not cover the image
        page.tab.click("#run")
        page.wait("#results .legend li")
        page.tab.select_option("#beside-choice", "truth")
        page.wait(".agreement")
        assert page.tab.inner_text("#second-caption") == "Truth: the phantom's own"
        page.audit("beside the truth")
        assert page.wrong == []
        page.tab.close()


@in_browser
def test_planes_fill_their_quarters_at_one_scale_and_a_double_click_makes_one_large(
    browser: Any, models: Catalogue, tmp_path: Path
) -> None:
    """A flat slab of thick slices: each plane has another shape, and a millimetre is as long in all of them."""
    array = np.full((6, 30, 80), 100, np.int16)
    array[2:4, 10:20, 20:60] = 900
    path = formats.write(Image(array[None], affine=np.diag([1.0, 2.0, 9.0, 1.0])), tmp_path / "slab.nii.gz")
    with serving(models, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.show(("slab.nii.gz", path.read_bytes()))
        page.tab.keyboard.press("c")  # without the cross, which is bright too
        page.settle()
        said = page.tab.get_attribute("#over", "data-legends")
        per_mm = [float(px) / float(mm) for mm, px in re.findall(r"(\d+) mm = ([\d.]+) px", said)]
        assert len(per_mm) == 3 and max(per_mm) - min(per_mm) < 0.01, said
        seen = page.picture("quarters").min(axis=2) > 127
        high, wide = (n // 2 for n in seen.shape)
        scale = per_mm[0]
        for (top, left), size in (((0, 0), (40, 20)), ((0, wide), (20, 18)), ((high, 0), (40, 18))):
            inner = seen[
                top + 30 : top + high - 60, left + 30 : left + wide - 30
            ]  # without the words at the edges
            rows, columns = np.nonzero(inner)
            found = (np.ptp(columns) + 1, np.ptp(rows) + 1)  # of the block, in pixels
            assert all(abs(f - s * scale) < 0.1 * s * scale + 4 for f, s in zip(found, size, strict=True)), (
                found
            )
        box = page.tab.locator("#planes").bounding_box()
        at = (box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"])
        page.tab.mouse.dblclick(*at)
        page.wait('#viewer[data-layout="sagittal"]')
        level = page.tab.input_value("#level")
        page.tab.mouse.dblclick(*at)
        page.wait('#viewer[data-layout="all"]')
        assert page.tab.input_value("#level") == level  # the window is left alone
        assert page.wrong == []
        page.tab.close()


@in_browser
def test_a_ct_opens_in_a_soft_tissue_window_and_the_cross_is_off_for_pictures(
    browser: Any, models: Catalogue, series: list[Path], picture: bytes, tmp_path: Path
) -> None:
    """Choices are kept for images of a kind, and nothing that says whose they were."""
    values = np.full((8, 24, 24), -1000, np.int16)
    values[2:6, 4:20, 4:20] = 40
    values[3, 8:12, 8:12] = 700
    ct = formats.write(Image(values[None], affine=np.eye(4)), tmp_path / "ct.nii.gz")
    two: Any = nib.Nifti1Image(np.abs(values.T), np.eye(4))
    two.set_sform(np.eye(4), code=1)
    two.set_qform(np.diag([1.0, 1.0, 1.0, 1.0]) + np.eye(4, k=3) * 9, code=1)  # 9 mm to the side of it
    mr = tmp_path / "mr.nii.gz"
    nib.save(two, mr)
    with serving(models, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.show(("ct.nii.gz", ct.read_bytes()))
        assert (page.tab.input_value("#level"), page.tab.input_value("#width")) == ("40", "400")
        assert "HU" not in page.tab.inner_text("#place")  # its file says no unit, and so nobody does
        assert page.tab.locator("#preset option[value=lung]").is_disabled()
        page.drop([("mr.nii.gz", mr.read_bytes())])
        page.wait("#which", "mr")
        page.wait("#place", "slice")
        assert page.tab.input_value("#width") != "400"
        assert "sform and its qform say places 9 mm apart" in page.tab.inner_text("#case-notes")
        page.drop([("film.png", picture)])
        page.wait("#which", "film")
        page.wait("#place", "column")
        assert not page.tab.is_visible("#case-notes")
        assert page.tab.get_attribute("#cross", "aria-pressed") == "false"
        before = page.picture("film")
        page.tab.keyboard.press("c")
        yellow = page.picture("crossed") - before
        assert (np.abs(yellow).max(axis=2) > 40).sum() > 300  # it is drawn once it is wanted
        page.tab.keyboard.press("c")
        files = [(p.name, p.read_bytes()) for p in series]
        page.drop(files)
        page.wait("#which", "Axial")
        page.wait("#place", "HU")
        page.tab.keyboard.press("3")
        page.tab.select_option("#preset", "lung")
        page.tab.keyboard.press("c")
        kept = page.tab.evaluate("({...localStorage})")
        said = json.dumps(kept)
        assert set(kept) <= {"vesalius-hanging", "vesalius-theme"}
        assert json.loads(kept["vesalius-hanging"])["CT volume"] == {
            "layout": "coronal",
            "preset": "lung",
            "crossed": False,
        }
        for word in ("P0", "Axial", "film", "ct.nii", "2.25"):
            assert word not in said, said
        page.tab.reload()
        page.wait("#place", "HU")
        page.wait('#viewer[data-layout="coronal"]')
        assert page.tab.input_value("#preset") == "lung"
        assert page.tab.get_attribute("#cross", "aria-pressed") == "false"
        page.tab.keyboard.press("?")
        page.tab.click("#forget-hanging")
        assert page.tab.evaluate("localStorage.getItem('vesalius-hanging')") is None
        assert page.wrong == []
        page.tab.close()


@in_browser
def test_the_page_is_light_or_dark_as_the_system_or_a_person_has_it(
    browser: Any, models: Catalogue, tmp_path: Path
) -> None:
    def ground() -> int:
        return int(page.tab.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]"))

    with serving(models, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.tab.emulate_media(color_scheme="light")
        assert ground() > 200
        page.tab.emulate_media(color_scheme="dark")
        assert ground() < 50
        page.tab.click("#theme")
        assert ground() > 200
        page.tab.reload()
        page.wait("body[data-ready]")
        assert ground() > 200  # it stays
        page.tab.click("#theme")
        assert ground() < 50
        assert page.wrong == []
        page.tab.close()
