"""Cards and decisions in Chromium: read by everyone at any width; folded parts open; what is hostile stays text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _known import card
from test_decision import chosen, model, scored

from _pages import chromium, opened, read_by_everyone, with_chromium
from vesalius.evaluate.cards.about import About
from vesalius.evaluate.report import Report, render

pytestmark = with_chromium
NASTY = "<script>window.hostile = 1</script> | `a`"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


def written(folder: Path, text: str) -> Path:
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    return path


def test_everyone_can_read_the_card(browser: Any, tmp_path: Path) -> None:
    about = About(maker=NASTY, users="Radiologists.", not_applicable={"tripod 6c": "No treatment."})
    path = written(tmp_path, card(scored(1.5, seed=1), about=about, title=NASTY).html())
    page = path.read_text(encoding="utf-8")
    unfolded = tmp_path / "unfolded.html"  # axe does not look into what is folded
    unfolded.write_text(
        page.replace('<details class="part">', '<details class="part" open>'), encoding="utf-8"
    )
    read_by_everyone(browser, unfolded)
    with opened(browser, path) as tab:
        assert tab.evaluate("typeof window.hostile") == "undefined"
        assert tab.locator("#use tr").count() >= 8
        folded = tab.locator("#checklists details")
        assert folded.count() >= 2 and not tab.locator("#checklists table").first.is_visible()
        folded.first.locator("summary").click()
        assert tab.locator("#checklists table").first.is_visible()
        assert tab.locator("#checklists details[open] tbody tr").count() == 44
        tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        for width in (1440, 390):
            tab.set_viewport_size({"width": width, "height": 900})
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, "with everything unfolded"


def test_everyone_can_read_the_decision(browser: Any, tmp_path: Path) -> None:
    found = chosen(
        model("a large one", scored(1.5, seed=1), parameters=9_000_000, seconds=0.5),
        model(NASTY, scored(1.45, seed=2), parameters=900),
    )
    path = written(tmp_path, found.html())
    read_by_everyone(browser, path)
    with opened(browser, path) as tab:
        assert tab.evaluate("typeof window.hostile") == "undefined"
        assert tab.locator("#table tbody tr").count() == 2


def test_the_report_holds_all_of_it_folded_and_printed_open(browser: Any, tmp_path: Path) -> None:
    shown = scored(1.5, seed=1)
    path = written(tmp_path, render(Report("A run", shown, card=card(shown))))
    read_by_everyone(browser, path)
    with opened(browser, path) as tab:
        for name in ("Intended use", "Model card", "Checklists", "Change control"):
            assert tab.locator("main h2", has_text=name).count() == 1
            assert tab.locator(".toc a", has_text=name).count() == 1
        assert (
            tab.locator(
                "#model-card details[open], #checklists details[open], #changes details[open]"
            ).count()
            == 0
        )
        tab.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert tab.locator("#model-card details:not([open]), #checklists details:not([open])").count() == 0


def test_a_report_without_a_card_has_none_of_it() -> None:
    page = render(Report("A run", scored(1.5, seed=1)))
    assert 'id="use"' not in page and 'id="checklists"' not in page
