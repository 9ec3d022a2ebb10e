"""A cine in the viewer and a causal model: each frame is answered after those before it, and a line shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _browser import Page, in_browser, serving
from _cines import FRAMES, cine

from _streamed import CALIBRATION, streamed
from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.serve.http.catalogue import Catalogue

STEPS_MS = [0.0, 60, 60, 180, 60, 60, 60, 60]


@in_browser
def test_a_cine_is_answered_as_far_as_it_was_seen(browser: Any, tmp_path: Path) -> None:
    streamed(tmp_path / "beat", calibration=CALIBRATION)
    streamed(tmp_path / "all", members=1, settings={"sources.causal": False})
    threads = torch.get_num_threads()
    models = Catalogue([tmp_path / "beat", tmp_path / "all"], ["cpu"])
    torch.set_num_threads(threads)
    data, pixels = cine(steps_ms=STEPS_MS)
    times = np.cumsum(STEPS_MS) / 1000

    def said(first: int, last: int) -> float:
        some = np.moveaxis(pixels[first : last + 1], -1, 1)[:, :, None]
        image = Image(some, times_s=tuple(float(t) for t in times[first : last + 1] - times[first]))
        return float(100 * models.get("beat").predictors[0](Case("x", {"image": image})).p[1])  # type: ignore[attr-defined]

    with serving(models, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.drop([("beat.dcm", data)])
        page.wait("#frame-count", f"Frame 1 of {FRAMES}")
        page.tab.select_option("#model", "all")
        assert not page.tab.is_visible("#live") and page.tab.is_enabled("#run")
        page.tab.select_option("#model", "beat")
        assert page.tab.is_enabled("#run") and "as a whole, or frame by frame" in page.tab.inner_text(
            "#doubt"
        )
        page.tab.click("#live")
        page.wait("#live-answer h3", "Answer for frame 1 ")
        for k in range(1, 5):
            page.tab.keyboard.press("ArrowRight")
            page.wait("#live-answer h3", f"Answer for {k + 1} frames, 1 to {k + 1} ")
        shown = page.tab.inner_text("#live-answer .running .number")
        assert float(shown.removesuffix(" %")) == pytest.approx(said(0, 4), abs=0.06)
        line = page.tab.get_attribute("#live-answer .running svg", "aria-label")
        assert line == f"Down: {shown} at frame 5, 5 of {FRAMES} frames answered"
        page.audit("a cine answered as far as it was seen")
        for wide, high in ((1440, 900), (390, 844)):
            for scheme in ("light", "dark"):
                page.tab.emulate_media(color_scheme=scheme)
                page.tab.set_viewport_size({"width": wide, "height": high})
                page.tab.locator("#live-answer .running").scroll_into_view_if_needed()
                page.picture(f"stream-{wide}-{scheme}")
        page.tab.set_viewport_size({"width": 1366, "height": 768})
        page.tab.fill("#frame", "3")  # back: another cine begins
        page.wait("#live-answer h3", "Answer for frame 3 ")
        shown = page.tab.inner_text("#live-answer .running .number")
        assert float(shown.removesuffix(" %")) == pytest.approx(said(2, 2), abs=0.06)
        assert "1 of" in str(page.tab.get_attribute("#live-answer .running svg", "aria-label"))
        assert page.wrong == []
        page.tab.close()
