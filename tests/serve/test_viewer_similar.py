"""Cases like this one in the viewer: pictures, what is said beside them, and a click that opens a case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from _browser import Page, in_browser, serving
from PIL import Image as Picture

import vesalius as vs
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.similar import SimilarCases


def disc(k: int) -> np.ndarray:
    """A bright disc of another size and place for each number."""
    rng = np.random.default_rng(k)
    y, x = np.mgrid[:64, :64]
    found = rng.normal(60, 10, (64, 64))
    found[(y - rng.integers(20, 44)) ** 2 + (x - rng.integers(20, 44)) ** 2 < (6 + 2 * (k % 5)) ** 2] += 120
    return found.clip(0, 255).astype(np.uint8)


@in_browser
def test_similar_cases_are_shown_and_opened(
    browser: Any, models: Catalogue, bundles: dict[str, Path], tmp_path: Path
) -> None:
    data = tmp_path / "films"
    data.mkdir()
    rows = ["case,patient,image,sex,class"]
    for k in range(6):
        Picture.fromarray(disc(k)).save(data / f"film-{k}.png")
        rows.append(f"film-{k},p{k},film-{k}.png,{'FM'[k % 2]},{('healthy', 'lesion')[k % 2]}")
    (data / "cohort.csv").write_text("\n".join(rows) + "\n")
    vs.index(bundles["chest"], data / "cohort.csv", tmp_path / "index", progress=False)
    held = SimilarCases(tmp_path / "index", images=data, device="cpu")
    with serving(models, tmp_path / "service", similar=held) as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        assert not page.tab.is_visible("#similar")
        page.drop([("film.png", (data / "film-0.png").read_bytes())])
        page.wait("#similar button")
        page.tab.fill('#similar input[placeholder^="sex"]', "sex=F")
        page.tab.click("#similar form button")
        page.wait(".like img")
        page.tab.wait_for_selector(".like >> nth=1 >> img")
        said = page.tab.inner_text("#similar-found")
        assert "film-2" in said and "film-4" in said and "film-0" not in said and "class: healthy" in said
        assert "looked at 3 cases of 6" in said and "1 left out" in said
        page.audit("cases like this one")
        page.tab.locator("#similar").scroll_into_view_if_needed()
        page.tab.screenshot(path=str(tmp_path / "similar.png"))
        before = page.tab.locator("#studies li").count()
        page.tab.click(".like >> nth=0 >> button")
        page.tab.wait_for_selector(f"#studies li >> nth={before}")
        page.wait("#which", "film-")
        assert page.tab.inner_text("#similar-found") == "" and page.wrong == []
