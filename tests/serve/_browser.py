"""The viewer in Chromium, for tests: a service on a free port, and a tab that does and sees what a person would."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image as Pil

from vesalius.serve import viewer
from vesalius.serve.http.api import create_app
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.service import Service

AXE = viewer.STATIC.parents[4] / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PATIENCE_MS = 120_000  # a busy machine draws slowly without a graphics card
ABSENT = pytest.mark.skipif(
    CHROMIUM is None or not viewer.built(),
    reason="chromium is not installed" if CHROMIUM is None else "the viewer is not built: make viewer",
)


def in_browser(test: Callable[..., None]) -> Callable[..., None]:
    """A test that drives Chromium, which `make test-extras` runs; skipped where there is none."""
    marked: Callable[..., None] = pytest.mark.programs(ABSENT(test))
    return marked


@contextmanager
def serving(
    models: Catalogue,
    folder: Path,
    *,
    keys: Path | None = None,
    port: int = 0,
    edits: Path | None = None,
    annotate: Path | None = None,
) -> Iterator[str]:
    """A service on a free port of loopback, or on that one, in a thread."""
    folder.mkdir(parents=True, exist_ok=True)
    audit = folder / "audit.jsonl"
    service = Service(models, audit=audit, keys=keys, temporary=folder, edits=edits, annotate=annotate)
    listening = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(create_app(service), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        listening.close()


def amiss(message: Any) -> bool:
    """Errors and warnings, but for what the graphics driver of a machine without a card says of reading pixels."""
    return message.type in ("error", "warning") and not message.text.startswith("[.WebGL")


class Page:
    """A tab on the viewer: what a person does there, and what is seen."""

    def __init__(self, browser: Any, address: str, folder: Path) -> None:
        self.address, self.folder = address, folder
        self.tab = browser.new_page(viewport={"width": 1366, "height": 768})
        self.tab.set_default_timeout(PATIENCE_MS)
        self.wrong: list[str] = []
        self.requested: list[str] = []
        self.tab.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.tab.on("console", lambda m: amiss(m) and self.wrong.append(m.text))
        self.tab.on("request", lambda r: self.requested.append(r.url))
        self.tab.goto(address)

    def drop(self, files: list[tuple[str, bytes]]) -> None:
        """Let files fall on the page."""
        packed = [[name, base64.b64encode(data).decode()] for name, data in files]
        transfer = self.tab.evaluate_handle(
            """(files) => { const t = new DataTransfer(); for (const [name, data] of files)
            t.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name)); return t; }""",
            packed,
        )
        for event in ("dragenter", "dragover", "drop"):
            self.tab.dispatch_event("#viewer", event, {"dataTransfer": transfer})

    def show(self, *files: tuple[str, bytes]) -> None:
        """Let files of one volume fall on a page that has just come, and wait until it is seen."""
        self.wait("body[data-ready]")
        self.drop(list(files))
        self.wait("#place", "slice")

    def wait(self, selector: str, text: str | None = None) -> Any:
        found = self.tab.locator(selector).filter(has_text=text) if text else self.tab.locator(selector)
        found.first.wait_for(state="visible")
        return found.first

    def saved(self, act: Callable[[], None]) -> tuple[str, Path]:
        """What pressing something saves: its name and where it lies."""
        with self.tab.expect_download() as waited:
            act()
        path = self.folder / waited.value.suggested_filename
        waited.value.save_as(path)
        return waited.value.suggested_filename, path

    def picture(self, name: str) -> np.ndarray[Any, Any]:
        """The planes as they are drawn now, `(Y, X, 3)`; the whole page is kept under the name, to be looked at."""
        self.settle()
        whole = self.tab.screenshot(path=self.folder / f"{name}.png")
        box = self.tab.locator("#planes").bounding_box()
        left, top = round(box["x"]), round(box["y"])
        drawn = np.asarray(Pil.open(io.BytesIO(whole)).convert("RGB"), dtype=float)
        return drawn[top : top + round(box["height"]), left : left + round(box["width"])]

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag over the planes, from one part of their width and height to another."""
        box = self.tab.locator("#planes").bounding_box()
        a, b = ((box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end))
        self.tab.mouse.move(*a)
        self.tab.mouse.down()
        self.tab.mouse.move(*b, steps=3)
        self.tab.mouse.up()

    def audit(self, state: str) -> None:
        """No serious fault of accessibility, by axe-core where npm put it, and nothing cut off at the right."""
        if AXE.exists():
            self.tab.evaluate(f"window.axe || eval({json.dumps(AXE.read_text(encoding='utf-8'))}), 0")
            faults = self.tab.evaluate(
                """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
                .filter(v => ["serious", "critical"].includes(v.impact)).map(v => [v.id, v.nodes[0].html])"""
            )
            assert faults == [], (state, faults)
        cut = self.tab.evaluate(
            """() => ["left", "right", "bar", "middle", "foot"].filter(id => {
            const e = document.getElementById(id);
            return e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > innerWidth + 1; })"""
        )
        assert cut == [], (state, cut)

    def settle(self) -> None:
        """Two frames: what was asked for is drawn."""
        self.tab.evaluate("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def click(self, x: float, y: float) -> None:
        """Click on the planes, at so many pixels from their upper left corner."""
        box = self.tab.locator("#planes").bounding_box()
        self.tab.mouse.click(round(box["x"]) + x, round(box["y"]) + y)

    def index(self) -> tuple[int, int, int]:
        """Where the cross is, `(z, y, x)`."""
        said = self.tab.locator("#place").inner_text()
        column, row, rest = re.match(r"column (\d+), row (\d+)(.*)", said).groups()  # type: ignore[union-attr]
        plane = re.search(r"slice (\d+)", rest)
        return int(plane[1]) - 1 if plane else 0, int(row) - 1, int(column) - 1

    def point(self, across: float, down: float) -> dict[str, Any]:
        """Click there; what the line under the images says: index `(z, y, x)`, value and label."""
        box = self.tab.locator("#planes").bounding_box()
        x, y = round(across * box["width"]), round(down * box["height"])
        self.click(x, y)
        said = self.tab.locator("#place").inner_text()
        value = re.search(r"· (-?[\d.]+) HU", said)
        label = re.search(r"· ([A-Z][a-z]+)$", said)
        return {
            "pixel": (x, y),
            "index": self.index(),
            "value": float(value[1]) if value else None,
            "label": label[1].lower() if label else None,
        }
