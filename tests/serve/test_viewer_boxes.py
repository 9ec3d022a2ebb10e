"""Boxes in the viewer: a bundle that answers with them, and where they are drawn on an image that lies crosswise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from _browser import Page, in_browser, serving
from _bundles import sealed
from _tasks import untrained

from vesalius import formats
from vesalius.core import registry
from vesalius.core.bundle import State
from vesalius.core.image import Image
from vesalius.serve.http.catalogue import Catalogue

SPOTS = untrained(
    "spots",
    "Boxes",
    about="What is bright in an image, as boxes",
    imports="""
import dataclasses

from scipy import ndimage

from vesalius.core.answers.boxes import Boxes, counts_of
from vesalius.core.case import Box
from vesalius.core.cohort import Label

LABELS = (Label(1, "dim"), Label(2, "bright"))
""",
    primary="froc",
    decode="""
array = reference.array[0]
parts, _ = ndimage.label(array > 50)
found = ndimage.find_objects(parts)
p = [float(array[s].max()) / 1000 for s in found]
boxes = tuple(
    Box(tuple(float(a.start) for a in s), tuple(float(a.stop) for a in s), LABELS[q > 0.5].name)
    for s, q in zip(found, p, strict=True)
)
told = Boxes(boxes=boxes, p=np.array(p), labels=LABELS)
if array.max() <= 920:
    return told
told = dataclasses.replace(told, thresholds={"dim": 0.25, "bright": 0.5})
return dataclasses.replace(told, parts={"counts": counts_of(told)})
""",
)
# X runs to the front, Y to the head, Z to the right of the patient
CROSSWISE = np.array([[0, 0, -2.0, 30], [-1.0, 0, 0, 5], [0, 1.5, 0, -80], [0, 0, 0, 1]])
BRIGHT, DIM = (slice(5, 9), slice(20, 30), slice(10, 22)), (slice(1, 2), slice(4, 5), slice(4, 5))


@pytest.fixture
def spots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalogue]:
    """A bundle of a task that answers with boxes, which this package does not know."""
    (tmp_path / "viewer_spots.py").write_text(SPOTS)
    monkeypatch.syspath_prepend(tmp_path)
    stems = registry.stems
    monkeypatch.setattr(
        registry, "stems", lambda k: stems(k) | ({"spots": "viewer_spots"} if k == "tasks" else {})
    )
    registry.names.cache_clear()
    sealed(tmp_path / "spots", "spots", "unet", State({"target": "none"}), {}, dims=3, size=(8, 16, 16))
    threads = torch.get_num_threads()
    yield Catalogue([tmp_path / "spots"], ["cpu"])
    torch.set_num_threads(threads)
    registry.names.cache_clear()


@in_browser
def test_boxes_lie_on_what_was_found_with_label_and_score(
    browser: Any, spots: Catalogue, tmp_path: Path
) -> None:
    array = np.zeros((12, 40, 30), np.int16)
    array[BRIGHT], array[DIM] = 900, 200
    path = formats.write(Image(array[None], affine=CROSSWISE), tmp_path / "crosswise.nii.gz")
    with serving(spots, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.show(("crosswise.nii.gz", path.read_bytes()))
        page.tab.click("#run")
        rows = page.wait('.answer[data-kind="Boxes"] .list')
        assert rows.locator("button").all_inner_texts() == ["Bright\n90.0 %", "Dim\n20.0 %"]
        assert page.tab.locator(".legend .name").all_inner_texts() == ["Dim", "Bright"]
        assert page.tab.locator(".legend .number").all_inner_texts() == ["1", "1"]
        for key, name, axis in (("2", "axial", 1), ("3", "coronal", 2), ("4", "sagittal", 0)):
            page.tab.keyboard.press(key)
            rows.locator("button").first.click()
            assert page.index() == tuple((s.start + s.stop - 1) // 2 for s in BRIGHT)
            frame = drawn(page, f"boxes-{name}", "bright")
            for corner, edge in (
                (0, "start"),
                (1, "stop"),
            ):  # just inside the frame lie the box's own first and last
                inset = (3, -3)[corner]
                page.click(frame[corner][0] + inset, frame[corner][1] + inset)
                seen = page.index()
                ends = [{s.start, s.stop - 1} for s in BRIGHT]
                assert all(seen[k] in ends[k] for k in range(3) if k != axis), (name, edge, seen)
        page.audit("boxes")
        slid(page, "box-least-1", 0.95)
        assert drawn(page, "none", "bright") is None
        assert rows.locator("button:visible").all_inner_texts() == ["Dim\n20.0 %"]
        slid(page, "box-least", 0.95)
        assert rows.locator("button:visible").count() == 0
        for slider in ("box-least", "box-least-1"):
            slid(page, slider, 0)
        page.tab.locator(".legend li").filter(has_text="Bright").locator("input[type=checkbox]").uncheck()
        assert drawn(page, "hidden", "bright") is None
        rows.locator("button:visible").click()
        assert page.index() == tuple(s.start for s in DIM)  # a box of one voxel
        assert drawn(page, "one-voxel", "dim") is not None
        assert page.wrong == []
        page.tab.close()


@in_browser
def test_what_is_called_is_shown_first_and_the_rest_where_it_is_asked_for(
    browser: Any, spots: Catalogue, tmp_path: Path
) -> None:
    array = np.zeros((12, 40, 30), np.int16)
    array[BRIGHT], array[DIM] = 930, 200  # a dim spot is called from .25 on
    array[10, 30:36, 2:8] = 400
    path = formats.write(Image(array[None], affine=CROSSWISE), tmp_path / "crosswise.nii.gz")
    with serving(spots, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.show(("crosswise.nii.gz", path.read_bytes()))
        page.tab.click("#run")
        rows = page.wait('.answer[data-kind="Boxes"] .list')
        seen = lambda: [x.split("\n")[0] for x in rows.locator("button:visible").all_inner_texts()]  # noqa: E731
        legend = lambda: page.tab.locator(".legend .number").all_inner_texts()  # noqa: E731
        assert seen() == ["Bright", "Dim"] and legend() == ["1", "1"]
        said = page.tab.locator(".legend output").all_inner_texts()
        assert said == ["25.0 %, as planned", "50.0 %, as planned"]
        assert page.tab.locator("h3", has_text="counts").count() == 0  # they stand in the legend
        page.tab.keyboard.press("u")
        assert seen() == ["Bright", "Dim", "Dim"] and legend() == ["2, called 1", "1"]
        assert rows.locator(".uncalled:visible").count() == 1
        page.tab.keyboard.press("u")
        slid(page, "box-least", 0.1)
        assert seen() == ["Bright", "Dim", "Dim"]
        assert page.tab.locator(".legend output").first.inner_text() == "10.0 %; planned 25.0 %"
        page.tab.focus("#box-least")
        page.tab.keyboard.press("ArrowRight")
        assert page.tab.locator(".legend output").first.inner_text() == "11.0 %; planned 25.0 %"
        page.tab.keyboard.press("2")
        page.tab.keyboard.press(".")
        assert page.index() == tuple((s.start + s.stop - 1) // 2 for s in BRIGHT)
        page.tab.keyboard.press(",")
        assert page.index() == tuple(s.start for s in DIM)  # the last of all
        assert page.tab.locator(".steps output").inner_text() == "3 of 3"
        page.audit("called")
        assert page.wrong == []
        page.tab.close()


def test_monai_label_gets_boxes_in_json(spots: Catalogue, tmp_path: Path) -> None:
    array = np.zeros((12, 40, 30), np.int16)
    array[BRIGHT], array[DIM] = 930, 200
    path = formats.write(Image(array[None], affine=CROSSWISE), tmp_path / "crosswise.nii.gz")
    with serving(spots, tmp_path / "service") as address, httpx.Client(base_url=address) as client:
        assert client.get("/info/").json()["models"]["spots"]["type"] == "detection"
        files = {"file": (path.name, path.read_bytes())}
        session = client.put("/session/", files={"files": files["file"]}).json()["session_id"]
        got = client.post(f"/infer/spots?session_id={session}", timeout=60)
        assert got.headers["content-type"].startswith("application/json"), got.text
        said = got.json()
        red, bright = said["summary"]["labels"]
        assert (bright["called"], red["called"], red["candidates"], red["threshold"]) == (1, 0, 1, 0.25)
        boxes = said["answer"]["boxes"]
        assert sorted(b["label"] for b in boxes) == ["bright", "dim"]
        k = [b["label"] for b in boxes].index("bright")
        assert boxes[k]["low"] == [float(s.start) for s in BRIGHT]
        assert (
            boxes[k]["high"] == [float(s.stop) for s in BRIGHT]
            and said["answer"]["thresholds"]["bright"] == 0.5
        )


def slid(page: Page, name: str, value: float) -> None:
    """Move a slider as a mouse does."""
    page.tab.locator(f"#{name}").evaluate(
        "(s, value) => { s.value = String(value); s.dispatchEvent(new Event('input', { bubbles: true })); }",
        value,
    )


def drawn(page: Page, name: str, label: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The corners of the frame in a label's colour, on the planes; None where there is none."""
    swatch = page.tab.locator(".legend li").filter(has_text=label).locator(".swatch")
    colour = swatch.evaluate("s => getComputedStyle(s).backgroundColor.match(/\\d+/g).map(Number)")
    alike = np.abs(page.picture(name) - np.array(colour)).max(axis=2) < 12
    rows, columns = alike.sum(axis=1), alike.sum(axis=0)
    down, across = np.flatnonzero(rows > 0.6 * rows.max()), np.flatnonzero(columns > 0.6 * columns.max())
    if rows.max() < 8 or columns.max() < 8:
        return None
    return (int(across[0]), int(down[0])), (int(across[-1]), int(down[-1]))
