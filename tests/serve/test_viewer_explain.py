"""Explanations in the viewer, in a real browser: asked by name, switched by method, and withheld with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from _browser import Page, in_browser, serving

from vesalius.core import registry
from vesalius.explain import verdict
from vesalius.serve.http.catalogue import Catalogue

METHODS = '''"""One method that finds a quarter, and one whose map does not hold (throw-away)."""
import numpy as np

from vesalius.explain.contract import Attribution, Method

NAMES = {"quarter": "A quarter", "quarter-flat": "A quarter that does not hold"}


class Quarter(Method):
    def attribute(self, question, setting):
        field = np.zeros(tuple(question.image.shape[1:]), np.float32)
        place = question.ask.place  # another label, another corner
        half = field.shape[-1] // 2
        field[..., : field.shape[-2] // 2, slice(half) if place else slice(half, None)] = 2
        return Attribution(field)


class Flat(Quarter):
    def attribute(self, question, setting):
        return Attribution(super().attribute(question, setting).field, figures={"flat": 1.0})


METHODS = {"quarter": Quarter(), "quarter-flat": Flat()}
'''


@pytest.fixture
def explained(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Catalogue]:
    """A classifier and a segmenter with two explainers, of which one never holds."""
    (tmp_path / "quarter_methods.py").write_text(METHODS)
    monkeypatch.syspath_prepend(tmp_path)
    stems, there = registry.stems, {"quarter": "quarter_methods"}
    monkeypatch.setattr(registry, "stems", lambda kind: there if kind == "explain.methods" else stems(kind))

    def fault(figures: dict[str, float], field: object = None) -> str | None:
        return "it is the same everywhere (0.00)" if "flat" in figures else None

    monkeypatch.setattr(verdict, "fault", fault)
    registry.names.cache_clear()
    threads = torch.get_num_threads()
    yield Catalogue([bundles["chest"], bundles["plaque"]], ["cpu"])
    torch.set_num_threads(threads)
    registry.names.cache_clear()


def warmth(page: Page, name: str) -> tuple[float, float]:
    """How much redder than blue the upper left and the upper right quarter of the planes are."""
    drawn = page.picture(name)
    warm = drawn[..., 0] - drawn[..., 2]
    down, across = (n // 2 for n in warm.shape)
    inner = slice(down // 3, 2 * down // 3)
    left, right = slice(across // 3, 2 * across // 3), slice(across + across // 3, across + 2 * across // 3)
    return float(warm[inner, left].mean()), float(warm[inner, right].mean())


@in_browser
def test_explanations_are_asked_for_switched_and_withheld_with_the_reason(
    browser: Any, explained: Catalogue, picture: bytes, tmp_path: Path
) -> None:
    with serving(explained, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.drop([("film.png", picture)])
        page.wait("#place", "column")
        page.tab.select_option("#model", "chest")
        page.tab.focus("#explaining summary")
        page.tab.keyboard.press("Enter")  # all of it works from the keyboard
        assert page.tab.locator("#ask option").all_inner_texts() == [
            "what it says most of",
            "Healthy",
            "Lesion",
        ]
        page.tab.select_option("#ask", "label=lesion")
        page.tab.check('#explainers input[value="quarter-flat"]')
        page.audit("asking")
        page.tab.focus("#explain")
        page.tab.keyboard.press("Enter")
        page.wait("#explained label >> nth=1")
        labels = page.tab.locator("#explained label").all_inner_texts()
        assert [t.replace("\n", " ") for t in labels] == ["quarter, lesion", "quarter-flat, lesion not shown"]
        said = page.wait(".explained").inner_text()
        assert "relevance for lesion" in said and "by chance" in said
        lesion = warmth(page, "lesion")
        assert lesion[0] > 50 and abs(lesion[1]) < 5, lesion
        page.audit("a map")
        page.tab.focus("#explained input >> nth=0")
        page.tab.keyboard.press("ArrowDown")
        assert "it is the same everywhere" in page.wait("#withheld").inner_text()
        assert page.tab.locator("#map-opacity").count() == 0
        assert all(abs(x) < 5 for x in warmth(page, "withheld"))  # nothing lies over the image
        assert page.tab.locator("#fault").is_hidden()
        page.audit("withheld")
        late: list[Any] = []
        page.tab.route("**/map.nii.gz", lambda route: late.append(route))  # a map that is still on its way
        page.tab.click("#explained input >> nth=0")
        page.tab.click("#explained input >> nth=1")
        page.wait("#withheld")
        page.tab.wait_for_timeout(300)
        assert len(late) == 1
        late[0].continue_()
        page.tab.unroute("**/map.nii.gz")
        page.tab.wait_for_timeout(1500)
        assert page.tab.locator("#withheld").is_visible()
        assert all(abs(x) < 5 for x in warmth(page, "late"))  # it is not laid over what was chosen since
        page.tab.select_option("#ask", "label=healthy")
        page.tab.uncheck('#explainers input[value="quarter-flat"]')
        page.tab.click("#explain")
        page.wait(".explained", "relevance for healthy")
        healthy = warmth(page, "healthy")
        assert abs(healthy[0]) < 5 and healthy[1] > 50, healthy
        page.tab.locator("#map-opacity").fill("0")
        assert all(abs(x) < 5 for x in warmth(page, "clear"))
        with page.tab.context.expect_page() as opened:
            page.tab.click("text=Its page, with all figures")
        other = opened.value
        other.wait_for_selector("h1")
        assert "rests on" in other.inner_text("h1") and "nothing such" not in other.content()
        other.wait_for_function("() => document.querySelector('main img')?.naturalWidth > 0")
        other.close()
        for width in (390, 1440):
            page.tab.set_viewport_size({"width": width, "height": 844})
            page.tab.screenshot(path=tmp_path / f"explained-{width}.png", full_page=width < 760)
        page.tab.reload()
        page.wait("#studies button.row").click()
        page.wait("#explained label >> nth=2")  # all are there again, the withheld one with its reason
        page.tab.locator("#explained label", has_text="not shown").click()
        assert "it is the same everywhere" in page.wait("#withheld").inner_text()
        page.tab.select_option("#model", "plaque")
        page.tab.click("#explaining summary")
        assert "a region, by its size" in page.tab.locator("#ask option").all_inner_texts()
        page.tab.select_option("#ask", "region")
        page.tab.fill("#ask-which", "99")
        page.tab.click("#explain")
        assert "no such region" in page.wait("#withheld").inner_text()
        assert [w for w in page.wrong if "422" not in w] == []
        page.tab.close()
