"""Cines in the viewer: every frame is seen at its place and time, and a model answers each that is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _browser import Page, in_browser, serving
from _cines import COLUMNS, FRAMES, ROWS, block, cine

from vesalius import formats
from vesalius.core.answers.scores import Scores
from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.serve.http import display
from vesalius.serve.http.catalogue import Catalogue


@pytest.mark.parametrize(
    ("shape", "dtype", "timed"),
    [
        ((6, 3, 1, 5, 7), np.uint8, True),
        ((6, 1, 2, 5, 7), np.int16, True),
        ((4, 2, 5, 7), np.float32, False),
        ((3, 2, 5, 7), np.uint8, False),
    ],
)
def test_a_viewer_is_given_all_frames_or_every_nth_where_they_are_too_many(
    shape: tuple[int, ...], dtype: Any, timed: bool, tmp_path: Path
) -> None:
    array = (np.random.default_rng(1).random(shape) * 200).astype(dtype)
    times = tuple(0.04 * k**1.1 for k in range(6)) if timed else None
    image = Image(array, affine=np.diag([1, 2, 3.0, 1]), times_s=times)
    display.volume(image, tmp_path / "all.nii.gz")
    seen = formats.read(tmp_path / "all.nii.gz")
    assert np.array_equal(seen.array, array) and seen.spacing_mm == (1, 2, 3)
    display.first_volume(image, tmp_path / "first.nii.gz")
    one = array[0] if timed else array
    kept = one if one.shape[0] == 3 and dtype is np.uint8 else one[:1]
    assert np.array_equal(formats.read(tmp_path / "first.nii.gz").array, kept)
    if times is not None:
        mean_s = times[-1] / 5
        assert seen.times_s is not None and seen.times_s[1] == pytest.approx(mean_s)
        display.volume(image, tmp_path / "some.nii.gz", most_bytes=array.nbytes // 3)
        some = formats.read(tmp_path / "some.nii.gz")
        assert np.array_equal(some.array, array[::3]) and some.times_s is not None
        assert some.times_s[1] == pytest.approx(3 * mean_s)


@pytest.mark.parametrize(
    ("times", "kept"),
    [
        (None, None),
        ((0.0,), None),
        ((0.0, 0.1, 0.2), None),
        ((0.0, 0.1, 0.2005), None),  # as a clock that is not quite even
        ((5.0, 5.1, 5.4), [0.0, 0.1, 0.4]),
        ((0.0, 0.2, 0.1), None),  # not in the order of time
        ((0.0, 0.0, 0.1), None),
    ],
)
def test_times_are_told_where_they_are_uneven(
    times: tuple[float, ...] | None, kept: list[float] | None
) -> None:
    assert display.uneven(times) == kept


STEPS_MS = [0.0, 60, 60, 1800, 60, 60, 60, 60]  # it rests at the third frame
WATCH = """() => new Promise((done) => {
    const count = document.getElementById("frame-count"), stays = {};
    let [said, since] = [count.textContent, performance.now()];
    new MutationObserver(() => {
        if (count.textContent === said) return;
        const now = performance.now();
        stays[said] = Math.max(stays[said] ?? 0, now - since);
        [said, since] = [count.textContent, now];
        if (Object.keys(stays).some((s) => s.startsWith("Frame 3")) && said.startsWith("Frame 8")) done(stays);
    }).observe(count, {childList: true, characterData: true, subtree: true});
    setTimeout(() => done(stays), 30000);
})"""


@in_browser
def test_frames_that_were_taken_at_uneven_times_are_played_so(
    browser: Any, models: Catalogue, tmp_path: Path
) -> None:
    with serving(models, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.drop([("uneven.dcm", cine(steps_ms=STEPS_MS)[0])])
        page.wait("#frame-count", f"Frame 1 of {FRAMES}, 0.00 s")
        page.tab.keyboard.press("ArrowRight")
        page.tab.keyboard.press("ArrowRight")
        page.tab.keyboard.press("ArrowRight")
        assert page.tab.inner_text("#frame-count") == f"Frame 4 of {FRAMES}, 1.92 s"
        page.tab.fill("#frame", "1")
        page.tab.locator("#frame").blur()
        page.tab.evaluate(f"() => {{ window.watched = ({WATCH})(); }}")  # it is not waited for
        page.tab.keyboard.press(" ")
        stays = page.tab.evaluate("window.watched")
        long = max(stays, key=lambda words: float(stays[words]))
        assert long.startswith("Frame 3 ") and 1500 < stays[long] < 4000, stays
        page.tab.keyboard.press(" ")
        assert page.wrong == []
        page.tab.close()


def shown(page: Page, name: str) -> float:
    """The middle of the bright block, in columns of the image."""
    seen = page.picture(name)[..., 0]
    bright = (seen > 120).mean(axis=0)
    across = np.flatnonzero((bright > 0.25) & (bright < 0.7))  # the cross is brighter all the way down
    scale = min(seen.shape[1] / COLUMNS, seen.shape[0] / ROWS)
    return float((across.mean() - (seen.shape[1] - scale * COLUMNS) / 2) / scale)


def middle(k: int) -> float:
    return (block(k).start + block(k).stop) / 2


@in_browser
def test_a_cine_is_played_stepped_through_and_answered_frame_by_frame(
    browser: Any, models: Catalogue, tmp_path: Path
) -> None:
    with serving(models, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        grey, pixels = cine()
        for name, data in (("colours.dcm", cine(colour=True)[0]), ("greys.dcm", grey)):
            page.drop([(name, data)])
            page.wait("#studies [aria-pressed=true]", name.split(".")[0])
            page.wait("#frame-count", f"Frame 1 of {FRAMES}")
            assert page.tab.input_value("#rate") == "4"  # a frame each 250 ms
            assert page.tab.is_visible("#windowing") == (data is grey)  # colours have no window
            assert shown(page, name) == pytest.approx(middle(0), abs=1)
            for key, k in (
                ("ArrowRight", 1),
                ("ArrowRight", 2),
                ("ArrowLeft", 1),
                ("ArrowLeft", 0),
                ("ArrowLeft", 7),
            ):
                page.tab.keyboard.press(key)
                assert page.tab.inner_text("#frame-count") == f"Frame {k + 1} of {FRAMES}"
            assert shown(page, f"last-{name}") == pytest.approx(middle(7), abs=1)
        page.tab.fill("#frame", "3")
        assert shown(page, "third") == pytest.approx(middle(2), abs=1)
        page.tab.fill("#rate", "6")
        page.tab.locator("#rate").blur()
        page.tab.keyboard.press(" ")
        page.wait("#frame-count", "Frame 6")
        page.tab.keyboard.press(" ")
        assert page.tab.get_attribute("#play", "aria-label") == "Play"
        rests = page.tab.inner_text("#frame-count")
        assert shown(page, "paused") == pytest.approx(middle(int(rests.split()[1]) - 1), abs=1)
        page.audit("a cine")
        page.tab.select_option("#model", "chest")
        assert page.tab.is_disabled("#run") and "frame by frame" in page.tab.inner_text("#doubt")
        page.tab.click("#live")
        page.tab.keyboard.press(" ")  # plays; the button that was clicked stays as it is
        assert page.tab.get_attribute("#play", "aria-label") == "Pause"
        assert page.tab.get_attribute("#live", "aria-pressed") == "true"
        page.tab.keyboard.press(" ")
        for k in (3, 4):
            page.tab.fill("#frame", str(k + 1))
            page.wait("#live-answer h3", f"frame {k + 1} ")
            said = float(page.tab.locator("#live-answer .number").first.inner_text().removesuffix(" %"))
            answer = models.get("chest").predictors[0](
                Case("x", {"image": Image(pixels[k, ..., 0][None, None])})
            )
            assert isinstance(answer, Scores) and said == pytest.approx(100 * answer.p.max(), abs=0.06)
        page.tab.select_option("#model", "plaque")  # masks: on the frame that they are of
        assert page.tab.get_attribute("#live", "aria-pressed") == "false"
        page.tab.click("#live")
        page.wait("#live-answer .legend li")
        page.tab.fill("#frame", "2")
        page.wait("#live-answer h3", "frame 2 ")
        page.audit("answered frame by frame")
        page.tab.click("#live")
        page.tab.locator("#live-answer").wait_for(state="detached")
        assert page.wrong == []
        page.tab.close()
