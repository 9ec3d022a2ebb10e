"""Pages in Chromium, for tests: a tab on a file, what goes wrong in it, and what axe finds in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = Path(__file__).parent.parent / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (1440, 1024, 390)
with_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; skips where Playwright is not installed."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, path: Path, *, dark: bool = False) -> Iterator[Any]:
    """A tab on a page; fails afterwards where a script failed or anything was fetched."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, color_scheme="dark" if dark else "light", bypass_csp=True
    )
    tab, wrong = context.new_page(), []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("request", lambda r: r.url.startswith(("data:", path.as_uri())) or wrong.append(r.url))
    tab.goto(path.as_uri())
    yield tab
    context.close()
    assert wrong == []


def read_by_everyone(browser: Any, path: Path) -> None:
    """Assert that nothing is cut off at any width, and that axe finds no serious fault, in light and in dark.

    What is dark differs in its colours alone, so that only axe's rules of colours are asked there.
    """
    for dark in (False, True):
        with opened(browser, path, dark=dark) as tab:
            for width in WIDTHS[-1:] if dark else WIDTHS:
                tab.set_viewport_size({"width": width, "height": 900})
                assert tab.evaluate("document.documentElement.scrollWidth") <= width
            if AXE.exists():
                tab.evaluate(AXE.read_text(encoding="utf-8"))
                faults = tab.evaluate(
                    """async (only) => (await axe.run(document, {...only, resultTypes: ["violations"]})).violations
                    .filter(v => ["serious", "critical"].includes(v.impact)).map(v => [v.id, v.nodes[0].html])""",
                    {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
                    if dark
                    else {},
                )
                assert faults == [], faults
