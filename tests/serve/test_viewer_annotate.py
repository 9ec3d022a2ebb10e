"""Annotating in the viewer, in real browsers: two people at once, reloads, a service that stops, and two versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from _annotating import URL, pictures
from _browser import Page, in_browser, serving
from test_viewer_draw import nifti

from vesalius import formats
from vesalius.serve.http.catalogue import Catalogue
from vesalius.verbs.annotate import annotate

CASES = 12  # more than each of what happens to some of them takes
CLASSES = ("benign", "malignant")


def enter(browser: Any, address: str, folder: Path, name: str, *, wide: int = 900, high: int = 680) -> Page:
    """A tab of a browser of its own, in which somebody has said who they are."""
    folder.mkdir(exist_ok=True)
    page = Page(browser, address, folder)
    page.tab.set_viewport_size({"width": wide, "height": high})
    page.wait("body[data-ready]")
    page.tab.click("#annotate-button")
    page.wait("#who-form")
    page.tab.fill("#annotator", name)
    page.tab.keyboard.press("Enter")
    page.wait("#annotate-cases button")
    return page


def here(page: Page) -> str:
    """The key of the open case."""
    found: str = page.tab.get_attribute("#annotate-cases [aria-pressed=true]", "data-case")
    return found


def ready(page: Page, other_than: str | None = None) -> str:
    """Wait until another case is open and seen; its key."""
    page.tab.wait_for_function(
        """(before) => { const at = document.querySelector("#annotate-cases [aria-pressed=true]");
        return at && at.dataset.case !== before && document.querySelector("#draw-bar [data-tool]")
        && document.getElementById("loading").hidden; }""",
        arg=other_than,
    )
    return here(page)


def reading(address: str, case: str, name: str, **more: Any) -> dict[str, Any]:
    asked = {"annotator": name, "of": name, "content": "true", **more}
    found: dict[str, Any] = (
        httpx.get(f"{address}{URL}/cases/{case}/reading", params=asked).raise_for_status().json()
    )
    return found


def labels_in(content: dict[str, Any]) -> np.ndarray[Any, Any]:
    runs = np.array(content["mask"]["runs"]).reshape(-1, 2)
    found: np.ndarray[Any, Any] = np.repeat(runs[:, 0], runs[:, 1]).reshape(content["mask"]["shape"])
    return found


def drawn(page: Page) -> list[str]:
    found: list[str] = page.tab.locator("[data-extent]").all_inner_texts()
    return found


@in_browser
def test_two_people_label_a_dozen_cases_at_once_and_a_third_decides(
    browser: Any, models: Catalogue, tmp_path: Path
) -> None:
    data = pictures(tmp_path / "data", CASES)
    ask = {"class": CLASSES, "mask": ["lesion#ff0000"]}
    project = annotate(data, tmp_path / "project", ask=ask, readers=2, blind=True).path
    with serving(models, tmp_path / "service", annotate=project) as address:
        names = ("Ada Lovelace", "Grace Hopper")
        pages = [enter(browser, address, tmp_path / name, name) for name in names]
        said: dict[tuple[str, str], str] = {}
        open_now: list[str | None] = [None, None]
        for page in pages:
            page.tab.click("#case-next")
        for k in range(CASES):
            for n, (page, name) in enumerate(zip(pages, names, strict=True)):
                case = open_now[n] = ready(page, open_now[n])
                page.drag((0.4, 0.45), (0.6, 0.5 + 0.01 * k))
                if k == 7:  # in the middle of it, before anything is saved
                    before = drawn(page)
                    page.tab.reload()
                    assert ready(page) == case and drawn(page) == before and before != ["–"]
                word = said[name, case] = CLASSES[(k + n) % 2] if k % 5 == 0 else CLASSES[k % 2]
                page.tab.check(f"#one-class input[value={word}]")
                page.tab.keyboard.press("Control+Enter")
        for page in pages:
            page.wait("#annotate-cases .state-sealed")
        for page in pages:
            page.wait("#annotate-count", "Nothing left to do for you")
        for (name, case), word in said.items():
            found = reading(address, case, name)
            assert found["done"] and found["content"]["class"] == word and found["seconds"] > 0, (name, case)
            assert (labels_in(found["content"]) == 1).sum() > 10
        assert len(said) == 2 * CASES
        told = httpx.get(f"{address}{URL}/agreement", params={"annotator": names[0]}).json()
        pages[0].tab.click("#agreement summary")
        kappa = told["asks"][0]["pairs"][0]["figures"]["kappa"]["value"]
        pages[0].wait("#agreement td", f"{kappa:.3f}")
        pages[0].audit("agreement")
        pages[0].picture("agreement")
        assert all(page.wrong == [] for page in pages), [page.wrong for page in pages]
        for page in pages:
            page.tab.close()
        decides(browser, address, tmp_path, told["disputed"])


def decides(browser: Any, address: str, folder: Path, disputed: list[dict[str, Any]]) -> None:
    """A third reader sees both readings of a case on which they differ, begins from one and decides."""
    assert disputed
    page = enter(browser, address, folder / "third", "Mary Somerville")
    page.wait("#annotate-cases .state-adjudicate").click()
    case = ready(page)
    assert page.tab.locator("#others [data-reader]").count() == 2
    page.tab.click('#others [data-reader="Grace Hopper"]')
    page.wait("#looking", "Grace Hopper")
    assert drawn(page) != ["–"] and page.tab.locator("[data-tool]").count() == 0  # looked at, not changed
    page.picture("looking")
    page.tab.click("#look-own")
    page.tab.select_option("#start-from", "r Grace Hopper")
    page.tab.click("#start-put")
    page.wait("#start-said", "the reading of Grace Hopper, not changed")
    page.audit("deciding")
    page.tab.keyboard.press("Control+Enter")
    page.wait(f"[data-case={case}].state-adjudicated")
    hers = labels_in(reading(address, case, "Grace Hopper")["content"])
    final = reading(address, case, "Mary Somerville", role="adjudication")
    assert final["start"] == {"kind": "reading", "name": "Grace Hopper", "bundle": "", "changed": False}
    assert np.array_equal(labels_in(final["content"]), hers)
    page.tab.close()


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """A project of two oblique volumes."""
    data = tmp_path / "data"
    data.mkdir()
    for k in range(2):
        (data / f"p{k}.nii").write_bytes(nifti(k))
    return annotate(data, tmp_path / "project", ask={"mask": ["liver", "spleen"], "boxes": ["lesion"]}).path


@in_browser
def test_a_models_answer_is_a_start_and_of_two_versions_a_person_chooses(
    browser: Any, models: Catalogue, volumes: Path, tmp_path: Path
) -> None:
    name = "Ada Lovelace"
    with serving(models, tmp_path / "service", annotate=volumes) as address:
        page = enter(browser, address, tmp_path / "one", name, wide=1280, high=720)
        page.tab.click("#case-next")
        case = ready(page)
        page.tab.keyboard.press("Alt+2")
        page.tab.select_option("#start-from", "m organs")
        page.tab.click("#start-put")
        page.wait("#start-said", "the model organs, not changed")
        page.wait("#annotate-state", "saved as version 1")
        job = httpx.get(f"{address}/api/jobs").json()[-1]
        answer = tmp_path / "mask.nii.gz"
        answer.write_bytes(httpx.get(address + job["answers"][0]["files"]["mask.nii.gz"]).content)
        found = reading(address, case, name)
        values = formats.read(answer).array[0]
        assert np.array_equal(labels_in(found["content"]), np.select([values == 1, values == 7], [1, 2]))
        served = next(m for m in httpx.get(f"{address}/api/models").json() if m["name"] == "organs")
        assert found["start"] == {
            "kind": "model",
            "name": "organs",
            "bundle": served["hash"],
            "changed": False,
        }

        page.tab.keyboard.press("o")
        page.drag((0.46, 0.44), (0.55, 0.58))
        page.wait(".drawn-boxes h3", "1 box")
        page.wait("#annotate-state", "saved as version 2")
        low, high = (reading(address, case, name)["content"]["boxes"][0][end] for end in ("low", "high"))
        assert high[0] - low[0] == 1 and 4 <= high[1] - low[1] <= 9 and 4 <= high[2] - low[2] <= 16
        assert reading(address, case, name)["start"]["changed"]

        second = enter(browser, address, tmp_path / "two", name)  # the same person at another machine
        second.wait("#annotate-cases button", "p0").click()
        assert ready(second) == case
        second.tab.keyboard.press("o")
        second.drag((0.18, 0.15), (0.3, 0.3))
        second.wait(".drawn-boxes h3", "2 boxes")
        second.tab.keyboard.press("Control+s")
        second.wait("#annotate-state", "saved as version 3")
        theirs = reading(address, case, name)["content"]
        second.tab.close()

        for label, down in (("1", 0.48), ("2", 0.54)):  # whatever the model said there: this is not both
            page.tab.keyboard.press("b")
            page.tab.keyboard.press(label)
            page.drag((0.45, down), (0.55, down))
        mine = drawn(page)
        page.wait("#conflict", "Version 3")
        page.audit("two versions")
        page.picture("conflict")
        assert page.tab.locator("[data-tool]").count() == 0  # neither is changed before one is chosen
        page.tab.click("#see-theirs")
        page.tab.wait_for_function(
            "(mine) => document.querySelector('[data-extent]').textContent !== mine", arg=mine[0]
        )
        page.tab.reload()  # nothing is decided by it
        ready_again(page)
        page.wait("#conflict", "Version 3")
        assert drawn(page) == mine
        page.tab.click("#keep-mine")
        page.wait("#annotate-state", "saved as version 4")
        kept = reading(address, case, name)["content"]
        assert len(kept["boxes"]) == 1 and len(theirs["boxes"]) == 2 and kept["mask"] != theirs["mask"]
        assert reading(address, case, name, version=3)["content"] == theirs
        port = int(address.rsplit(":", 1)[1])
    page.tab.keyboard.press("e")
    page.drag((0.45, 0.54), (0.55, 0.54))  # the service is gone
    lonely = drawn(page)
    page.wait("#annotate-state", "Not saved on the service")
    page.picture("lost")
    with serving(models, tmp_path / "again", annotate=volumes, port=port) as address:
        page.wait("#annotate-state", "saved as version 5")
        assert drawn(page) == lonely
        assert reading(address, case, name)["content"]["mask"] != kept["mask"]
        page.tab.close()


def ready_again(page: Page) -> None:
    page.wait("body[data-ready]")
    page.wait("#draw-head")
