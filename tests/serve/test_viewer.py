"""The viewer in a real browser: a study dropped, asked about, seen in place, measured, and its results taken away."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import torch
from _browser import Page, in_browser, serving
from _bundles import ORGANS
from fastapi import FastAPI
from PIL import Image as Pil
from starlette.testclient import TestClient

from vesalius import formats
from vesalius.core import registry
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.curve import Curve
from vesalius.core.answers.ranking import Ranking
from vesalius.core.answers.surface import Surface
from vesalius.core.answers.text import Text
from vesalius.core.answers.value import Value
from vesalius.core.case import Box, Ref
from vesalius.core.cohort import Label
from vesalius.core.encoding import as_text
from vesalius.core.image import Image
from vesalius.explain import verdict
from vesalius.serve import viewer
from vesalius.serve.http import display, results
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.keys import make

COMPILER = viewer.STATIC.parents[4] / "node_modules" / ".bin" / "tsc"
VALUES = {name: value for value, name, _ in ORGANS}
Colour = tuple[float, float, float]


def test_where_the_viewer_was_not_built_the_page_says_how(tmp_path: Path) -> None:
    app = FastAPI()
    viewer.mount(app, static=tmp_path / "absent")
    page = TestClient(app).get("/")
    assert page.status_code == 200 and "make viewer" in page.text and "not a medical device" in page.text


def test_a_built_viewer_is_served_file_by_file_under_its_policy(tmp_path: Path) -> None:
    for name in ("index.html", "app.js", "app.css"):
        (tmp_path / name).write_text(f"the {name}", encoding="utf-8")
    app = FastAPI()
    viewer.mount(app, static=tmp_path)
    client = TestClient(app)
    assert client.get("/").text == "the index.html"
    script = client.get("/app.js")
    assert script.text == "the app.js" and script.headers["content-type"].startswith("text/javascript")
    assert "default-src 'none'" in script.headers["content-security-policy"]
    assert "unsafe" not in script.headers["content-security-policy"]
    assert client.get("/other.js").status_code == 404


@pytest.mark.skipif(
    not (COMPILER.exists() and shutil.which("node")), reason="TypeScript is not installed: make viewer"
)
def test_the_scripts_hold_their_types() -> None:
    done = subprocess.run(
        [COMPILER, "--noEmit", "-p", viewer.STATIC.parent], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout


def test_a_case_says_how_it_is_to_be_shown(client: TestClient, series: list[Path], picture: bytes) -> None:
    def case(*files: tuple[str, bytes]) -> dict[str, Any]:
        study = client.post("/api/studies", files=[("files", f) for f in files]).json()
        found: dict[str, Any] = study["cases"][0]
        client.delete(f"/api/studies/{study['study']}")
        return found

    ct = case(*((p.name, p.read_bytes()) for p in series))
    source = pydicom.dcmread(series[0])
    assert (ct["unit"], ct["source"], ct["orientation_known"]) == ("HU", "dicom", True)
    window = [float(source.WindowCenter), float(source.WindowWidth)]
    assert ct["display"] == {"invert": False, "windows": [window]}
    film = case(("film.png", picture))
    assert (film["unit"], film["source"], film["orientation_known"]) == (None, "other", False)
    assert film["display"] == {"invert": False, "windows": []} and not film["colour"]


def test_a_film_that_is_white_for_nothing_is_inverted_once(tmp_path: Path) -> None:
    """Its values reach the viewer as they are stored, so that what is read is the file's; `invert` says the rest."""
    film = Image(
        array=np.arange(12, dtype=np.uint16).reshape(1, 1, 3, 4),
        display={"photometric": "MONOCHROME1", "window": (5.5, 11.0), "range": (0, 4095)},
    )
    display.volume(film, tmp_path / "film.nii.gz")
    assert np.array_equal(formats.read(tmp_path / "film.nii.gz").array, film.array)
    assert display.hints(film.display) == {"invert": True, "windows": [[5.5, 11.0]]}


SPOTS = [(x, y) for x in (0.36, 0.44, 0.56, 0.64) for y in (0.36, 0.62)]
BESIDE = (0.5, 0.53)  # the cross is drawn there, over no spot
TOWARDS = {"2": ("axial", 0, 1), "3": ("coronal", 0, -2), "4": ("sagittal", 1, -2)}  # LPS axis on screen


@in_browser
def test_a_study_is_dropped_asked_about_seen_in_place_and_its_segmentation_saved(
    browser: Any, models: Catalogue, series: list[Path], tmp_path: Path
) -> None:
    source = formats.read(Ref(tuple(series)))
    with serving(models, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        assert "Not a medical device" in page.tab.inner_text("#notice")
        page.drop([(p.name, p.read_bytes()) for p in series])
        page.wait("#place", "slice")
        lies_as_its_file_says(page, source)
        windows_work(page)
        page.tab.select_option("#model", "organs")
        page.tab.click("#run")
        page.wait(".legend li")
        name, path = page.saved(lambda: page.tab.click('[data-file="seg.dcm"]'))
        _, nifti = page.saved(lambda: page.tab.click('[data-file="mask.nii.gz"]'))
        mask = formats.read(nifti)
        assert name.endswith("seg.dcm")
        is_the_segmentation(path, series, mask)
        the_overlay_lies_on_the_mask(page, mask)
        distances_are_true(page, source)
        angles_are_true(page, source)
        outlines_stay_where_the_overlay_is_clear(page)
        the_help_tells_the_keys(page)
        name, drawn = page.saved(lambda: page.tab.keyboard.press("p"))
        assert name.endswith("-view.png") and Pil.open(drawn).size[0] > 500
        page.tab.reload()
        page.wait("#studies button.row").click()
        page.wait(".legend li")  # an earlier study comes back with its answer
        assert page.wrong == []
        assert [u for u in page.requested if not u.startswith((address, "blob:", "data:"))] == []
        page.tab.close()


def lies_as_its_file_says(page: Page, source: Image) -> None:
    """In each plane: what is read at a point is the file's value there, its grey too, and right and left are so."""
    assert source.affine is not None
    letters = "axial R L A P; sagittal A P S I; coronal R L S I"
    assert page.tab.get_attribute("#over", "data-letters") == letters
    for key, (name, across, down) in TOWARDS.items():
        page.tab.keyboard.press(key)
        page.point(*BESIDE)
        seen = page.picture(f"plane-{name}").mean(axis=2)
        read = [page.point(*spot) for spot in SPOTS]
        values = [float(source.array[(0, *r["index"])]) for r in read]
        assert [r["value"] for r in read] == values
        low, high = (
            float(page.tab.input_value("#level")) + s * float(page.tab.input_value("#width")) / 2
            for s in (-1, 1)
        )
        greys = [255 * np.clip((v - low) / (high - low), 0, 1) for v in values]
        alike = [
            float(np.corrcoef(greys, [way[r["pixel"][1], r["pixel"][0]] for r in read])[0, 1])
            for way in (seen, seen[:, ::-1], seen[::-1])
        ]
        assert alike[0] > 0.8 and alike[0] > max(alike[1:]), (name, alike)  # not as a mirror would have it
        mm = [(source.affine @ [*r["index"][::-1], 1])[:3] for r in read]
        rightmost, leftmost = mm[-2], mm[0]  # on the screen, at one height
        assert rightmost[across] > leftmost[across], f"{name}: sides are exchanged"
        axis, sign = abs(down), np.sign(down)
        assert sign * mm[1][axis] > sign * mm[0][axis], f"{name}: upside down"


def windows_work(page: Page) -> None:
    """A preset is a level and a width, and soft tissue is brighter in the lung's; numbers can be typed."""
    dark = page.picture("soft").mean()
    own = (page.tab.input_value("#level"), page.tab.input_value("#width"))
    page.tab.select_option("#preset", "lung")
    assert (page.tab.input_value("#level"), page.tab.input_value("#width")) == ("-600", "1500")
    assert page.picture("lung").mean() > dark
    page.tab.select_option("#preset", "own")
    assert (page.tab.input_value("#level"), page.tab.input_value("#width")) == own
    page.tab.select_option("#preset", "lung")
    page.tab.fill("#level", "30")
    page.tab.keyboard.press("Enter")
    assert page.tab.input_value("#preset") == "custom"
    page.tab.select_option("#preset", "own")
    assert (page.tab.input_value("#level"), page.tab.input_value("#width")) == own
    page.tab.locator("#preset").blur()
    box = page.tab.locator("#planes").bounding_box()
    page.tab.mouse.move(box["x"] + 200, box["y"] + 200)
    page.tab.mouse.down(button="right")
    page.tab.mouse.move(box["x"] + 260, box["y"] + 230, steps=3)
    page.tab.mouse.up(button="right")
    assert page.tab.input_value("#preset") == "custom"
    assert (page.tab.input_value("#level"), page.tab.input_value("#width")) != own
    page.tab.keyboard.press("r")
    assert (page.tab.input_value("#level"), page.tab.input_value("#width")) == own
    assert page.tab.input_value("#preset") == "own"
    page.tab.select_option("#preset", "lung")
    for typed in ("", "-5", "1e-9"):
        page.tab.fill("#width", typed)
        assert page.tab.get_attribute("#width", "aria-invalid") == "true"
        page.tab.locator("#width").blur()
        assert page.tab.input_value("#width") == "1500" and not page.tab.get_attribute(
            "#width", "aria-invalid"
        )


def is_the_segmentation(path: Path, series: list[Path], mask: Image) -> None:
    """The saved object is of the study, and holds the mask that is seen."""
    seg, source = pydicom.dcmread(path), pydicom.dcmread(series[0])
    assert seg.Modality == "SEG"
    assert seg.StudyInstanceUID == source.StudyInstanceUID
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID
    assert "research" in seg.SeriesDescription.lower()
    held = formats.read_mask(path)
    assert held.affine is not None and np.allclose(held.affine, mask.affine, atol=1e-3)
    for segment in seg.SegmentSequence:
        value = VALUES[segment.SegmentLabel]
        assert np.array_equal(held.array == segment.SegmentNumber, mask.array == value)
    assert set(np.unique(mask.array)) > {0}


def the_overlay_lies_on_the_mask(page: Page, mask: Image) -> None:
    """Where a label's colour is drawn, the mask has that label; hidden, its colour is gone."""
    swatches = page.tab.locator(".legend .swatch").evaluate_all(
        "all => all.map(s => getComputedStyle(s).backgroundColor)"
    )
    shown = page.tab.locator(".legend .name").all_inner_texts()
    names = [name.lower() for name in shown]
    assert shown == [name.capitalize() for name in names]
    rgb = [tuple(float(x) for x in re.findall(r"\d+", s)) for s in swatches]
    colours: dict[str, Any] = dict(zip(names, rgb, strict=True))
    page.tab.keyboard.press("2")
    page.tab.fill("#mask-opacity", "1")
    page.point(*BESIDE)
    seen = page.picture("overlay")
    read = [page.point(*spot) for spot in SPOTS]
    for r in read:
        held = int(mask.array[(0, *r["index"])])
        assert held == VALUES.get(r["label"] or "", 0)
    side = min(seen.shape[:2])
    _, *size = mask.shape
    agree = []  # at the middles of voxels: between two, their colours are blended
    for row, column in np.ndindex(*size):
        down = round((seen.shape[0] - side) / 2 + (row + 0.5) * side / size[0])
        across = round((seen.shape[1] - side) / 2 + (column + 0.5) * side / size[1])
        value = int(mask.array[0, read[0]["index"][0], row, column])
        agree.append(VALUES.get(nearest(seen[down, across], colours) or "", 0) == value)
    assert np.mean(agree) > 0.9
    most = max(names, key=lambda n: int(np.sum(mask.array == VALUES[n])))
    before = near(seen, colours[most])
    page.tab.locator(".legend li").filter(has_text=most.capitalize()).locator("input").uncheck()
    assert near(page.picture("hidden"), colours[most]) < before / 20
    page.tab.locator(".legend li").filter(has_text=most.capitalize()).locator("input").check()
    page.tab.fill("#mask-opacity", "0.5")
    page.tab.keyboard.press("1")
    page.picture("all")


def near(picture: np.ndarray[Any, Any], colour: Colour) -> int:
    """How many pixels have about that colour."""
    return int((np.abs(picture - np.array(colour)).max(axis=2) < 24).sum())


def nearest(pixel: np.ndarray[Any, Any], colours: dict[str, Colour]) -> str | None:
    """The label of the closest colour; None for a grey."""
    if pixel.max() - pixel.min() < 20:
        return None
    return min(colours, key=lambda name: float(np.abs(pixel - np.array(colours[name])).sum()))


def distances_are_true(page: Page, source: Image) -> None:
    assert source.affine is not None and source.spacing_mm is not None
    page.tab.keyboard.press("2")
    ends = [page.point(0.35, 0.4), page.point(0.65, 0.55)]
    mm = [(source.affine @ [*r["index"][::-1], 1])[:3] for r in ends]
    page.tab.keyboard.press("d")
    page.drag((0.35, 0.4), (0.65, 0.55))
    said = page.wait("#measure-list li").inner_text()
    length = float(re.match(r"([\d.]+) mm \(axial\)", said)[1])  # type: ignore[index]
    assert abs(length - np.linalg.norm(mm[1] - mm[0])) < 1.5 * max(source.spacing_mm[:2])
    page.tab.keyboard.press("x")
    page.tab.locator("#measures").wait_for(state="hidden")
    page.tab.keyboard.press("n")


def angles_are_true(page: Page, source: Image) -> None:
    """In millimetres of a plane whose voxels are not square; clicked, dragged on and dragged apart alike."""
    assert source.affine is not None
    page.tab.keyboard.press("3")
    path = [(0.32, 0.66), (0.4, 0.3), (0.68, 0.6)]
    mm = [(source.affine @ [*page.point(*p)["index"][::-1], 1])[:3] for p in path]
    u, v = mm[0] - mm[1], mm[2] - mm[1]
    expected = float(np.degrees(np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))))
    page.tab.keyboard.press("a")
    page.drag(path[0], path[1])  # and a click where the second line ends
    page.drag(path[2], path[2])
    page.drag(path[0], path[1])  # the second dragged too, from the corner
    page.drag(path[1], path[2])
    apart = [(x - 0.01, y + 0.05) for x, y in path[1:]]
    page.drag(path[0], path[1])  # and from elsewhere: the angle between the lines
    page.drag(*apart)
    for p in path:  # three clicks
        page.drag(p, p)
    page.tab.locator("#measure-list li").nth(3).wait_for()
    said = page.tab.locator("#measure-list li").all_inner_texts()
    assert all(s.endswith("° (coronal)") for s in said)
    found = [float(s.split("°")[0]) for s in said]
    assert abs(found[0] - expected) < 6, (found, expected)  # an index is a voxel wide
    assert np.ptp(found) < 0.5, found
    page.picture("angles")
    page.tab.keyboard.press("x")
    page.tab.keyboard.press("n")


def outlines_stay_where_the_overlay_is_clear(page: Page) -> None:
    """A contour is drawn in full, however clear filled labels are; its slider says so."""
    page.tab.keyboard.press("2")
    page.tab.fill("#mask-opacity", "0")
    clear = page.picture("clear")
    page.tab.check("#outline")
    assert page.tab.is_disabled("#mask-opacity")
    drawn = np.abs(page.picture("outlines") - clear).max(axis=2) > 40
    assert 0.002 < drawn.mean() < 0.7
    page.tab.uncheck("#outline")
    page.tab.fill("#mask-opacity", "0.5")


def the_help_tells_the_keys(page: Page) -> None:
    page.tab.keyboard.press("?")
    text = page.wait("#help").inner_text()
    assert "measure a distance" in text and "not a medical device" in text.lower()
    page.tab.keyboard.press("Escape")
    page.tab.locator("#help").wait_for(state="hidden")


def every_kind_has_a_panel(page: Page) -> None:
    """Kinds that no bundle here answers with, as the service would send them; the project's own JSON of each."""
    lesion = Label(value=1, name="lesion")
    found = Box(low=(0, 10, 20), high=(1, 13, 23), label="lesion")
    answers = [
        Value(x=3.25, unit="mm"),
        Text(sections={"Findings": "Nothing else.", "Impression": "<b>Normal</b>"}),
        Curve(
            times_days=np.array([0.0, 365.0]),
            survival={"all": np.array([1.0, 0.5])},
            low={"all": np.array([1.0, 0.4])},
            high={"all": np.array([1.0, 0.6])},
            risk=0.5,
            rank=0.9,
        ),
        Boxes(boxes=(found,), p=np.array([0.75]), labels=(lesion,)),
        Ranking(case_ids=("P7", "P3"), distances=np.array([0.125, 0.5])),
        Surface(vertices_mm=np.zeros((3, 3)), faces=np.array([[0, 1, 2]])),
    ]
    last = """fetch("/api/jobs", {headers: {Authorization: `Bearer ${sessionStorage["vesalius-key"]}`}})"""
    sent = [
        {"case": "c1", "kind": type(a).__name__, "answer": json.loads(as_text(a)), "files": {}}
        | {"summary": results.summary(a)}
        for a in answers
    ]
    job = page.tab.evaluate(last + ".then(r => r.json())")[-1] | {"kind": "predict", "answers": sent}
    page.tab.route("**/api/jobs", lambda route: route.fulfill(status=202, json=job))
    page.tab.route("**/api/jobs/*", lambda route: route.fulfill(json=job))
    page.tab.click("#run")
    page.wait('.answer[data-kind="Surface"]')
    text = page.tab.inner_text("#results")
    for said in (
        "3.25 mm",
        "Nothing else.",
        "<b>Normal</b>",
        "Survival",
        "1.65 times",
        "90 % of the",
        "After 6 months",
        "100 to 100 %",
        "median 12 months",
        "75.0 %",
        "P7 (0.125)",
        "Surface",
    ):
        assert said in text
    assert page.tab.locator("#results svg path").count() == 2, "a curve and its band"
    assert page.tab.locator("#results svg .median").count() == 1
    page.tab.locator(".curve input").fill("365")
    assert "40 to 60 %" in page.tab.inner_text(".curve") and "After 12 months" in page.tab.inner_text(
        ".curve"
    )
    page.tab.click('.answer[data-kind="Boxes"] button')
    assert page.tab.inner_text("#place").startswith("column 22, row 12")
    page.picture("every-kind")


def inside(half: int, second: int = 0) -> slice:
    """The middle of the first or the second half of an axis."""
    return slice(second * half + half // 3, second * half + 2 * half // 3)


CORNERS = '''"""Two quarters of an image: one for the answer, one against it (throw-away)."""
import numpy as np

from vesalius.explain.contract import Attribution, Method


class Corners(Method):
    def attribute(self, question, setting):
        field = np.zeros(tuple(question.image.shape[1:]), np.float32)
        field[..., : field.shape[-2] // 2, : field.shape[-1] // 2] = 2
        field[..., field.shape[-2] // 2 :, field.shape[-1] // 2 :] = -2
        return Attribution(field)


METHOD = Corners()
'''


@pytest.fixture
def explained(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Catalogue]:
    """A classifier with an explainer that finds two quarters."""
    (tmp_path / "corner_explainer.py").write_text(CORNERS)
    monkeypatch.syspath_prepend(tmp_path)
    stems = registry.stems
    there = {"corner": "corner_explainer"}
    monkeypatch.setattr(registry, "stems", lambda kind: there if kind == "explain.methods" else stems(kind))
    monkeypatch.setattr(
        verdict, "fault", lambda figures, field=None: None
    )  # of a model that learned nothing no map holds
    registry.names.cache_clear()
    threads = torch.get_num_threads()
    yield Catalogue([bundles["chest"]], ["cpu"])
    torch.set_num_threads(threads)
    registry.names.cache_clear()


@in_browser
def test_a_picture_is_classified_and_explained_behind_a_key(
    browser: Any, explained: Catalogue, picture: bytes, tmp_path: Path
) -> None:
    key = make(tmp_path / "keys", "reader", "user")
    with serving(explained, tmp_path / "service", keys=tmp_path / "keys") as address:
        page = Page(browser, address, tmp_path)
        for given in ("not-the-key", key):
            page.wait("#key-dialog[open]")
            page.audit("asked for a key")
            page.tab.fill("#key-input", given)
            page.tab.keyboard.press("Enter")
            if given != key:
                page.wait("#key-wrong")
        page.wait("body[data-ready]")
        page.drop([("notes.txt", b"nothing to see")])
        assert "no image could be read" in page.wait("#fault").inner_text().lower()
        page.drop([("film.png", picture)])
        page.wait("#place", "column")
        presets = page.tab.locator("#preset option").evaluate_all(
            "all => all.filter(o => o.disabled).map(o => o.value)"
        )
        assert {"lung", "bone", "brain"} <= set(presets)  # a picture is not in Hounsfield units
        page.tab.click("#run")
        page.wait(".bars li")
        shown = dict(zip(
            page.tab.locator(".bars .name").all_inner_texts(),
            (float(t.removesuffix(" %")) for t in page.tab.locator(".bars .number").all_inner_texts()),
            strict=True,
        ))  # fmt: skip
        assert set(shown) == {"Healthy", "Lesion"} and abs(sum(shown.values()) - 100) < 0.2
        mark = page.tab.locator(".mark").evaluate("m => m.style.left")
        assert mark == "25%"
        above = "above" if shown["Lesion"] >= 25 else "below"
        assert f"Lesion: {above}" in page.tab.inner_text(".verdict")
        name, path = page.saved(lambda: page.tab.click('[data-file="answer.json"]'))
        assert name == "film-answer.json" and b'"Scores"' in path.read_bytes()
        page.tab.click("#explaining summary")
        page.tab.click("#explain")
        assert "Explanation" in page.wait('.answer[data-kind="Map"]').inner_text()
        assert page.tab.locator(".scale span").all_inner_texts() == ["-2", "2"]
        drawn = page.picture("explained")
        warmth = drawn[..., 0] - drawn[..., 2]  # red over blue
        down, across = (n // 2 for n in warmth.shape)
        page.tab.uncheck("#map-shown")
        found = [float(warmth[inside(down, y), inside(across, x)].mean()) for y in (0, 1) for x in (0, 1)]
        assert found[0] > 50 and abs(found[1]) < 5 and abs(found[2]) < 5 and found[3] < -20, found
        page.audit("explained")
        every_kind_has_a_panel(page)
        page.audit("every kind")
        assert [w for w in page.wrong if "401" not in w and "422" not in w] == []
        page.tab.close()
