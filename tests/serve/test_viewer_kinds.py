"""A kind of answer of another package in the viewer: one more file in its folder of kinds, and nothing else."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from _browser import CHROMIUM, Page, in_browser, serving
from _bundles import sealed
from _tasks import untrained

from vesalius.core.bundle import State
from vesalius.serve import viewer
from vesalius.serve.http.catalogue import Catalogue

REPO = Path(__file__).resolve().parents[2]
VIEWER, NODE = viewer.STATIC.parent, REPO / "node_modules"
LOOK = untrained(
    "gaze",
    "Gaze",
    about="Where a reader would look first",
    imports="from otherlab.core_answers.gaze import Gaze",
    primary="miss",
    decode="return Gaze(at=(10.0, 30.0), seconds=2.5)",
)


def shown() -> str:
    """The file that the documentation shows."""
    page = (REPO / "docs" / "add-an-answer.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```ts\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(code)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """The viewer as `make viewer` builds it, of a checkout with that one file more."""
    if not (NODE / "esbuild").exists() or shutil.which("node") is None:
        pytest.skip("esbuild is not installed: make viewer")
    root = tmp_path / "checkout"
    pages = root / VIEWER.relative_to(REPO)
    shutil.copytree(VIEWER, pages, ignore=shutil.ignore_patterns("static", "__pycache__"))
    shutil.copy(REPO / "package-lock.json", root)
    (root / "node_modules").symlink_to(NODE.resolve())
    (pages / "app" / "answers" / "gaze.ts").write_text(shown(), encoding="utf-8")
    for words in (["node", pages / "build.mjs"], [NODE / ".bin" / "tsc", "--noEmit", "-p", pages]):
        done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return pages / "static"


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalogue]:
    """A bundle whose task ends in the other package's kind of answer."""
    spec = importlib.util.spec_from_file_location("_gaze", REPO / "tests" / "answers" / "_gaze.py")
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    with package.installed(tmp_path, monkeypatch, tasks=LOOK):
        sealed(tmp_path / "look", "gaze", "unet", State({"target": "none"}), {}, dims=2, size=(1, 32, 32))
        threads = torch.get_num_threads()
        yield Catalogue([tmp_path / "look"], ["cpu"])
        torch.set_num_threads(threads)


def test_the_viewer_asks_for_no_kind_of_answer_outside_of_its_file() -> None:
    kinds = "|".join(p.stem.capitalize() for p in (VIEWER / "app" / "answers").glob("*.ts"))
    asked = re.compile(
        rf"""[!=]==\s*["'](?:{kinds})["']|["'](?:{kinds})["']\s*[!=]==|case ["'](?:{kinds})["']"""
    )
    assert asked.search('if (part.kind === "Mask") x()') and "Boxes" in kinds
    found = {p.name: asked.findall(p.read_text(encoding="utf-8")) for p in (VIEWER / "app").glob("*.ts")}
    assert {name: places for name, places in found.items() if places} == {}


@in_browser
def test_another_packages_kind_has_its_panel_and_is_drawn_and_taken_away(
    browser: Any,
    built: Path,
    look: Catalogue,
    picture: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert CHROMIUM is not None
    monkeypatch.setattr(viewer, "mount", partial(viewer.mount, static=built))
    with serving(look, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.drop([("film.png", picture)])
        page.wait("#place", "row")
        before = page.picture("before")
        page.tab.click("#run")
        panel = page.wait('.answer[data-kind="Gaze"]')
        assert panel.locator("h2").inner_text() == "Gaze"
        panel.locator("button.row").click()
        assert panel.locator("button.row").inner_text() == "Row 11, column 31, for 2.5 s"
        assert page.index() == (0, 10, 30)
        reds = red(page.picture("gaze"))
        assert reds > red(before) + 8, "it is drawn on the image"
        page.drop([("other.png", picture)])
        page.wait("#results-none")
        page.settle()
        assert red(page.picture("after")) < reds, "and taken away with its answer"
        page.audit("gaze")
        assert page.wrong == []
        page.tab.close()


SCRIPT = """// Gaze: where a reader looks first; a click goes there.
export function panel(answer, { stage, h }) {
  const [y, x] = answer.answer.at;
  stage.setBoxes([{ low: [x, y, 0], high: [x + 1, y + 1, 1], text: "", colour: "#ff0000" }]);
  const button = h("button", { class: "row", onclick: () => stage.goTo([x, y, 0]) }, `Row ${y + 1}`);
  return h("div", {}, h("h2", {}, "Gaze"), button);
}
export const clear = (stage) => stage.setBoxes([]);
"""


@pytest.fixture
def packaged(look: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """The same, with a script for the viewer in the other package, and entry points to three that are not there."""
    (tmp_path / "otherlab" / "viewer").mkdir()
    (tmp_path / "otherlab" / "viewer" / "gaze.js").write_text(SCRIPT, encoding="utf-8")
    others = metadata.entry_points

    def points(*, group: str) -> list[metadata.EntryPoint]:
        if group != "vesalius.viewer":
            return list(others(group=group))
        named = {
            "gaze": "otherlab.viewer",
            "lost": "otherlab.viewer",
            "../x": "otherlab.viewer",
            "far": "nolab.x",
        }
        return [metadata.EntryPoint(name, value, group) for name, value in named.items()]

    monkeypatch.setattr(metadata, "entry_points", points)
    return look


def test_a_packages_script_is_served_and_nothing_else_of_it(
    packaged: Catalogue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING"), serving(packaged, tmp_path / "service") as address:
        found = httpx.get(f"{address}/kinds/gaze.js")
        assert found.text == SCRIPT and found.headers["content-type"].startswith("text/javascript")
        assert "script-src 'self'" in found.headers["content-security-policy"]
        assert httpx.get(f"{address}/kinds/lost.js").status_code == 404
        assert httpx.get(f"{address}/kinds/__init__.py").status_code == 404
        if viewer.built():
            assert '<html data-kinds="gaze"' in httpx.get(address).text
    told = [r.getMessage() for r in caplog.records if "the viewer takes nothing" in r.getMessage()]
    assert len(told) == 3 and "lost = otherlab.viewer: there is no lost.js" in told[0]


@in_browser
def test_a_packages_script_shows_its_kind_without_a_build(
    browser: Any, packaged: Catalogue, picture: bytes, tmp_path: Path
) -> None:
    with serving(packaged, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.drop([("film.png", picture)])
        page.wait("#place", "row")
        page.tab.click("#run")
        panel = page.wait('.answer[data-kind="Gaze"]')
        assert panel.locator("button.row").inner_text() == "Row 11"
        panel.locator("button.row").click()
        assert page.index() == (0, 10, 30)
        assert red(page.picture("gaze")) > 8, "it is drawn on the image"
        assert page.wrong == []
        page.tab.close()


def red(picture: np.ndarray[Any, Any]) -> int:
    """How many pixels are pure red."""
    return int((np.abs(picture - np.array((255, 0, 0))).max(axis=2) < 12).sum())
