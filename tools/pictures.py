"""Make docs/pictures/: a phantom, a model of it, the top of its report, and the viewer that shows its answer.

    python tools/pictures.py [--work FOLDER] [--steps N] [--run RUN]

Everything is synthetic. With --work what was made before in that folder (the studies, the run) is used again. With
--run a run of before is shown, such as the demo's `segment`. Some ten minutes on two cores that do nothing else.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
CASES, SIZE, NEW_SEED = 60, (32, 64, 64), 1000
FLAGS = ["--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
VIEWER, REPORT = (1440, 810), (1440, 810)
PATIENCE_MS = 180_000


def run_of(work: Path, steps: int, run: Path | None) -> tuple[Path, Path]:
    """Return a run that segments the phantom's organs, and a new study; both are made where they are not there yet."""
    import vesalius as vs

    studies, new = work / "studies", work / "new"
    if run is None and not studies.exists():
        vs.phantom(studies, cases=CASES, size=SIZE)
    run = (run or work / "organs").resolve()
    if not new.exists():
        vs.phantom(new, cases=1, seed=NEW_SEED, size=SIZE, format="dicom")
    if run.parent == work and not (run / "report.html").exists():
        shutil.rmtree(run, ignore_errors=True)
        settings = {"train.steps": steps, "train.members": 1, "net.scale": 0.5, "train.lr": 0.006}
        vs.fit(studies, run, target="mask", settings=settings)
    (study,) = [p for p in (new / "dicom").iterdir() if p.is_dir()]
    return run, study


@contextmanager
def served(run: Path, work: Path) -> Iterator[str]:
    """Serve a run on a free port while it lasts; yields the address."""
    words = ["serve", str(run), "--port", "0", "--audit", str(work / "audit.jsonl"), "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "vesalius", *words], stdout=subprocess.PIPE, text=True
    ) as process:
        said = ""
        for line in process.stdout or ():
            said += line
            if line.startswith("}"):
                break
        try:
            yield json.loads(said)["result"]["service"]["url"]
        finally:
            process.terminate()


def drop(tab: Any, files: list[Path]) -> None:
    """Let files fall on the page."""
    packed = [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in files]
    transfer = tab.evaluate_handle(
        """(files) => { const t = new DataTransfer(); for (const [name, data] of files)
        t.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name)); return t; }""",
        packed,
    )
    for event in ("dragenter", "dragover", "drop"):
        tab.dispatch_event("#viewer", event, {"dataTransfer": transfer})


def viewer(browser: Any, run: Path, study: Path, work: Path) -> bytes:
    """Return a picture of the viewer with a model's answer."""
    with served(run, work) as address:
        tab = browser.new_page(viewport={"width": VIEWER[0], "height": VIEWER[1]})
        tab.set_default_timeout(PATIENCE_MS)
        tab.goto(address)
        tab.locator("body[data-ready]").wait_for()
        drop(tab, sorted(p for p in study.rglob("*") if p.is_file()))
        tab.locator("#place").filter(has_text="slice").wait_for()
        tab.locator("#run").click()
        tab.locator(".legend li").first.wait_for()
        tab.mouse.move(2, 2)
        tab.wait_for_timeout(2000)  # the last plane is drawn
        picture: bytes = tab.screenshot()
        tab.close()
        return picture


def report(browser: Any, run: Path) -> bytes:
    """Return a picture of the top of a run's report."""
    tab = browser.new_page(viewport={"width": REPORT[0], "height": REPORT[1]})
    tab.goto((run / "report.html").resolve().as_uri())
    tab.wait_for_timeout(500)
    picture: bytes = tab.screenshot()
    tab.close()
    return picture


def small(picture: bytes, path: Path) -> None:
    """Write a picture as a PNG of at most 256 colours, which a page of flat colours does not miss."""
    import io

    from PIL import Image

    PICTURES.mkdir(exist_ok=True)
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> int:
    """Make the pictures. Exit code 2 where there is no chromium."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument(
        "--work", type=Path, help="a folder to work in, and to find again what was made before"
    )
    asked.add_argument("--steps", type=int, default=800, help="of the segmenter's training")
    asked.add_argument("--run", type=Path, help="a run of before, of a segmenter of the phantom's CTs")
    given = asked.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.stderr.write("chromium is not installed; try: apt-get install chromium\n")
        return 2
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as temporary:
        work = (given.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        run, study = run_of(work, given.steps, given.run)
        with sync_playwright() as running:
            browser = running.chromium.launch(executable_path=chromium, args=FLAGS)
            small(report(browser, run), PICTURES / "report.png")
            small(viewer(browser, run, study, work), PICTURES / "viewer.png")
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
