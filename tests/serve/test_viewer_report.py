"""A report in the viewer, in a real browser: sentences light where the model looked, and a radiologist changes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
import torch
from _browser import Page, in_browser, serving
from _reports import SECTIONS, WHY, reporter

from vesalius.serve.http.catalogue import Catalogue


@pytest.fixture
def writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalogue]:
    threads = torch.get_num_threads()
    with reporter(tmp_path, monkeypatch, dims=3) as bundle:
        yield Catalogue([bundle], ["cpu"])
    torch.set_num_threads(threads)


def warmth(page: Page, name: str) -> tuple[float, float]:
    """How much redder than blue the left and the right half of the axial plane's upper part are."""
    drawn = page.picture(name)
    warm = drawn[..., 0] - drawn[..., 2]
    down, across = warm.shape
    inner = slice(down // 6, down // 3)
    return float(warm[inner, across // 3 : across * 2 // 5].mean()), float(
        warm[inner, across * 3 // 5 : across * 2 // 3].mean()
    )


@in_browser
def test_a_sentence_lights_where_the_model_looked_and_is_changed_by_a_radiologist(
    browser: Any, writes: Catalogue, series: list[Path], tmp_path: Path
) -> None:
    edits = tmp_path / "edits"
    with serving(writes, tmp_path / "service", edits=edits) as address:
        page = Page(browser, address, tmp_path)
        page.show(*((p.name, p.read_bytes()) for p in series))
        page.tab.keyboard.press("2")  # axial alone
        page.tab.click("#run")
        page.wait(".report .lights")
        said = page.tab.locator(".text").inner_text()
        assert all(
            text in " ".join(said.split()) for text in ("There is a 7 mm nodule", "Nodule of the left lung.")
        )
        assert f"Not borne out: {WHY}" in said and "One sentence is not borne out" in said
        chips = page.tab.locator(".chip").all_inner_texts()
        assert chips == ["nodule: left, lung, 7 mm", "no effusion", "nodule: left, lung"]
        assert page.tab.locator("input[name=field-shown]").count() == 0  # the maps have no list of their own
        page.audit("a report")
        dark = warmth(page, "report-dark")
        assert max(map(abs, dark)) < 5, dark
        first, second = page.tab.locator(".lights").nth(0), page.tab.locator(".lights").nth(1)
        first.hover()
        page.tab.wait_for_timeout(600)
        one = warmth(page, "report-first")
        second.hover()
        page.tab.wait_for_timeout(600)
        two = warmth(page, "report-second")
        assert one[0] > 20 > abs(one[1]) and two[1] > 20 > abs(two[0]), (one, two)
        page.tab.mouse.move(5, 5)
        page.tab.wait_for_timeout(600)
        assert max(map(abs, warmth(page, "report-left"))) < 5
        first.focus()  # the same by keyboard
        page.tab.wait_for_timeout(600)
        assert warmth(page, "report-focus")[0] > 20
        page.tab.keyboard.press("Enter")
        page.tab.wait_for_timeout(300)
        assert first.get_attribute("aria-pressed") == "true"
        page.tab.mouse.move(5, 5)
        second.focus()
        second.blur()
        page.tab.wait_for_timeout(600)
        assert warmth(page, "report-pinned")[0] > 20  # it stays
        plane, row, column = page.index()  # and the cross is in the middle of it
        assert plane == len(series) // 2 and 6 <= row <= 9 and 6 <= column <= 9
        first.press("Enter")
        first.blur()

        page.tab.click("#report-edit")
        box = page.tab.locator('textarea[data-section="findings"]')
        assert box.input_value() == SECTIONS["findings"]
        assert page.tab.locator("#report-save").is_disabled()
        changed = SECTIONS["findings"].replace("No effusion.", "A small effusion on the right.")
        box.fill(changed)
        assert page.tab.locator(".changes del").first.inner_text().strip() == "No"
        page.audit("editing")
        page.picture("report-editing")
        page.tab.reload()
        page.wait("#studies button.row").click()
        page.wait("#report-editor")
        assert page.tab.locator('textarea[data-section="findings"]').input_value() == changed
        assert "not saved yet" in page.tab.locator("#report-told").inner_text()
        (job,) = [j for j in httpx.get(f"{address}/api/jobs").json() if j["status"] == "done"]
        path = f"{address}/api/jobs/{job['job']}/reports/{job['answers'][0]['case']}"
        other = {"version": 0, "author": "Grace Hopper", "sections": {**SECTIONS, "impression": "Nodule."}}
        assert httpx.put(path, json=other).status_code == 200  # another editor is quicker
        page.tab.fill("#report-author", "Ada Lovelace")
        page.tab.click("#report-save")
        page.wait("#report-told", "Grace Hopper has saved version 1 since")
        assert page.tab.locator('textarea[data-section="findings"]').input_value() == changed
        assert page.tab.locator(".changes").count() == 2  # also against what the other has changed
        page.audit("a conflict")
        page.picture("report-conflict")
        page.tab.click("#report-save")
        page.wait("#report-version")
        found = httpx.get(path).json()
        assert found["version"] == 2 and found["sections"]["findings"] == changed
        assert [e["author"] for e in found["edits"]] == ["Grace Hopper", "Ada Lovelace"]
        said = page.tab.locator(".text").inner_text()
        assert "A small effusion on the right." in said and WHY not in said
        assert page.tab.locator(".lights").count() == 2  # a changed sentence is lit by nothing
        page.tab.check("#report-changes")
        page.tab.locator("#report-changed del").first.wait_for()  # each version's text is fetched by itself
        went = page.tab.locator("#report-changed del").all_inner_texts()
        assert "No" in went[0] and went[-1] == "Nodule."  # beside the version before it, Grace Hopper's
        page.audit("what changed")
        page.picture("report-changed")
        page.tab.select_option("#report-version", "0")
        assert f"Not borne out: {WHY}" in page.tab.locator(".text").inner_text()
        name, saved = page.saved(lambda: page.tab.click("#report-sr"))
        head = pydicom.dcmread(saved)
        assert name == "report-2.sr.dcm" and "Lovelace^Ada" in head.to_json()
        assert np.all([w.startswith("Failed to load resource") and "409" in w for w in page.wrong]), (
            page.wrong
        )
