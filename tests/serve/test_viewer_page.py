"""The viewer as one works with it: lists that stay true, reload and back, keys alone, and who cannot see well."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from _browser import Page, in_browser, serving

from vesalius.infer.predictor import Predictor
from vesalius.serve.http.catalogue import Catalogue

LOST = ("Failed to load resource", "ERR_CONNECTION")  # what the browser itself says of a service that is away


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """No model answers before this is set."""
    let, answer = threading.Event(), Predictor.__call__

    def slowly(self: Predictor, case: Any, *, watch: Any = None) -> Any:
        if watch is not None:
            watch(0.4)
        let.wait(120)
        return answer(self, case, watch=watch)

    monkeypatch.setattr(Predictor, "__call__", slowly)
    return let


@in_browser
def test_studies_are_told_apart_and_lists_stay_true_when_the_service_starts_anew(
    browser: Any, models: Catalogue, series: list[Path], picture: bytes, held: threading.Event, tmp_path: Path
) -> None:
    name = "a-film-with-a-name-that-is-far-too-long-for-the-list-" * 2
    files = [(p.name, p.read_bytes()) for p in series]
    with serving(models, tmp_path / "first") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.tab.keyboard.press("2")
        renamed = [
            (f"again-{n}", data) for n, data in files
        ]  # a study of its own: who knows why they have other names
        for dropped in ([(f"{name}.png", picture)], files, renamed):
            count = page.tab.locator("#studies li").count()
            page.drop(dropped)
            page.tab.locator("#studies li").nth(count).wait_for()
            page.tab.wait_for_timeout(1001 * (dropped is files))  # they came at another second
        page.wait("#place", "slice")
        about = page.tab.locator("#studies .faint").all_inner_texts()
        assert len(set(about)) == 3 and all("CT 32×32×12" in a for a in about[:2]), about
        page.drop(renamed)  # once more: no study more, and that is said
        assert "here already" in page.wait("#note").inner_text()
        assert page.tab.locator("#studies li").count() == 3
        title = page.tab.locator("#studies button.row").last.get_attribute("title")
        assert title is not None and title.startswith(name) and "48×40" in title
        other = Page(browser, f"{address}/", tmp_path)  # a second tab, opened beside
        other.wait("body[data-ready]")
        page.tab.on("dialog", lambda d: d.accept())
        page.tab.locator("#studies li").last.locator("button.plain").click()
        other.tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        other.tab.locator("#studies li").nth(2).wait_for(state="detached")
        page.tab.locator("#studies button.row").nth(1).click()
        page.tab.wait_for_url("**#study=*")
        page.tab.select_option("#model", "organs")
        page.tab.click("#run")
        page.wait("#progress")
        page.tab.reload()  # in the middle of a job: the study is open again, and the job followed
        page.wait("#progress")
        assert page.tab.get_attribute("#studies li:nth-child(2) button.row", "aria-pressed") == "true"
        held.set()
        page.wait(".legend li")
        page.tab.locator("#studies button.row").first.click()
        page.tab.locator(".legend li").first.wait_for(state="detached")
        page.tab.go_back()
        page.wait(".legend li")
        assert other.wrong == [] and page.wrong == []
        other.tab.close()
    page.tab.locator("#studies button.row").first.click()
    assert "does not answer" in page.wait("#fault").inner_text()
    with serving(models, tmp_path / "second", port=int(address.rpartition(":")[2])):
        page.tab.locator("#fault").wait_for(state="hidden")
        assert page.wait("#studies .gone").inner_text() == "no longer on the server"
        assert page.tab.locator("#studies li").count() == 1 and page.tab.is_disabled("#run")
        assert "drop it again" in page.tab.inner_text("#doubt")
        page.picture("gone")
        page.tab.locator("#studies li button.plain").click()
        page.tab.locator("#studies li").wait_for(state="detached")
        page.drop(files)
        page.wait("#place", "slice")
        assert page.tab.is_enabled("#run")
        assert [w for w in page.wrong if not any(said in w for said in LOST)] == []
        page.tab.close()


@in_browser
def test_the_keyboard_alone_leads_from_files_to_a_segmentation_and_no_state_shuts_anyone_out(
    browser: Any, models: Catalogue, series: list[Path], tmp_path: Path
) -> None:
    with serving(models, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.audit("nothing open")
        page.tab.keyboard.press("2")  # one plane is drawn sooner than all and 3-D
        choosers: list[Any] = []
        page.tab.on("filechooser", lambda c: choosers.append(c))
        tab_to(page, "#choose-files")
        page.tab.keyboard.press("Enter")
        for _ in range(1200):
            page.tab.wait_for_timeout(50)
            if choosers:
                break
        choosers[0].set_files(series)
        page.wait("#place", "slice")
        tab_to(page, "#model")
        page.tab.keyboard.press("o")
        assert page.tab.input_value("#model") == "organs"
        tab_to(page, "#run")
        page.tab.keyboard.press("Enter")
        page.wait(".legend li")
        tab_to(page, '[data-file="seg.dcm"]')
        name, _ = page.saved(lambda: page.tab.keyboard.press("Enter"))
        assert name.endswith("seg.dcm")
        page.tab.keyboard.press("m")
        page.tab.click("#model-facts > details > summary")
        page.audit("an answer")
        page.tab.keyboard.press("d")
        page.drag((0.1, 0.1), (0.2, 0.2))
        place = page.tab.locator("#planes").bounding_box()
        page.drop([("notes.txt", b"nothing to see")])
        page.wait("#fault")
        assert page.tab.locator("#planes").bounding_box() == place  # a message moves nothing
        for width, height in ((1366, 768), (1024, 768), (390, 844)):
            page.tab.set_viewport_size({"width": width, "height": height})
            for scheme in ("dark", "light"):
                page.tab.emulate_media(color_scheme=scheme)
                page.tab.screenshot(path=tmp_path / f"{width}-{scheme}.png")
                page.audit(f"measured, with a fault, at {width} × {height}, {scheme}")
        seen = page.tab.locator("#planes").bounding_box()
        assert seen["width"] > 380 and seen["height"] > 300  # on a phone the image is above, as wide as that
        assert seen["y"] < page.tab.locator("#results").bounding_box()["y"]
        page.tab.set_viewport_size({"width": 1366, "height": 768})
        page.tab.keyboard.press("?")
        page.wait("#help")
        page.audit("help")
        page.tab.keyboard.press("Escape")
        solid = page.tab.locator("#solid")
        page.tab.keyboard.press("5")
        page.settle()
        solid.focus()
        before = solid.screenshot()
        page.tab.keyboard.press("ArrowLeft")
        page.settle()
        assert solid.screenshot() != before  # turned
        assert [w for w in page.wrong if "422" not in w] == []
        page.tab.close()


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until there; wherever it leads, it is seen where one is."""
    for _ in range(60):
        page.tab.keyboard.press("Tab")
        at = page.tab.evaluate(
            "s => { const e = document.activeElement, c = getComputedStyle(e);"
            " return [e.matches(s), e === document.body || c.outlineStyle + c.outlineWidth === 'solid2px']; }",
            selector,
        )
        assert at[1], page.tab.evaluate("document.activeElement.outerHTML")
        if at[0]:
            return
    raise AssertionError(f"no way to {selector} by Tab")
