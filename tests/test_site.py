"""The built documentation, opened as files in a browser: its search finds, and nothing is fetched from elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(words, cwd=REPO, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_notebook_is_a_page(site: Path) -> None:
    books = sorted(path.stem for path in (REPO / "docs" / "notebooks").glob("*.ipynb"))
    assert books
    for book in books:
        page = (site / "notebooks" / f"{book}.html").read_text(encoding="utf-8")
        assert (
            "import vesalius as vs" in "".join(page.replace("<span", "\0<span").split("\0"))
            or "vesalius" in page
        )
        assert 'href="first-model.ipynb"' not in page, "links lead to pages"


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_search_finds_and_fetches_nothing_from_elsewhere(site: Path) -> None:
    from playwright.sync_api import sync_playwright

    wrong: list[str] = []
    requested: list[str] = []
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.set_default_timeout(120_000)
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda request: requested.append(request.url))
        tab.goto((site / "index.html").as_uri())
        tab.locator(".md-search__input").click()
        tab.locator(".md-search__input").type("covariate")
        tab.locator(".md-search-result__item").first.wait_for()
        found = tab.locator(".md-search-result__link").evaluate_all("links => links.map(a => a.href)")
        browser.close()
    assert wrong == [] and [url for url in requested if not url.startswith(("file:", "data:", "blob:"))] == []
    assert any(url.split("?")[0].endswith("regress.html") for url in found), found
