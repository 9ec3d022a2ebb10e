"""What the viewer calls things: patients apart, figures in words beside the baseline, and models that do not fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from _browser import Page, in_browser, serving

from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.keys import make

CARD = {
    "dice": {
        "called": "Dice",
        "value": 0.91,
        "low": 0.88,
        "high": 0.93,
        "n": 20,
        "baseline": 0.1,
        "standing": "beaten",
    },
    "hd95_mm": {
        "called": "HD95",
        "value": 8.0,
        "low": 6.5,
        "high": 9.5,
        "n": 17,
        "baseline": 7.0,
        "standing": "level",
    },
    "log_loss": {
        "called": "log loss",
        "value": 0.2,
        "low": 0.1,
        "high": 0.3,
        "n": 20,
        "baseline": 0.69,
        "standing": "worse",
    },
    "dice/liver": {"value": 0.91, "low": 0.88, "high": 0.93, "n": 20, "baseline": 0.1},
}

MEASURED = {
    "split": "test",
    "cases": 20,
    "patients": 18,
    "data": "3f2a91cc" * 8,
    "learned_from_it": False,
    "same_data": False,
}


def told(page: Page, path: str | re.Pattern[str], change: Any) -> None:
    """Let the page hear something else from the service."""

    def answer(route: Any) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=change(response.json()))

    page.tab.route(path, answer)


def placed(study: Any) -> Any:
    """A study with two patients, both with a series called Axial."""
    if isinstance(study, list):
        return [placed(s) for s in study]
    facts = {"patient": "P0001", "study_date": "2026-01-31", "series_number": 3, "description": "Axial/T2"}
    first = study["cases"][0] | facts
    others = [c | facts | {"patient": "P0002", "series_number": 4} for c in study["cases"][1:]]
    return study | {"cases": [first, *others]}


@in_browser
def test_patients_and_models_are_told_apart_in_words(
    browser: Any, models: Catalogue, series: list[Path], picture: bytes, tmp_path: Path
) -> None:
    with serving(models, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        told(page, re.compile(r"/api/studies(\?|$)"), placed)
        told(
            page,
            "**/api/models",
            lambda all: [
                m
                | {"scorecard": CARD, "baseline_is": "the empty mask", "modality": "MR", "unit": None}
                | {"headlines": ["dice", "hd95_mm", "log_loss"], "measured_on": MEASURED}
                for m in all
            ],
        )
        page.tab.reload()
        page.show(*[(p.name, p.read_bytes()) for p in series])
        assert page.tab.inner_text("#studies .name") == "P0001 · Axial/T2"
        assert page.tab.inner_text("#studies .faint").startswith(
            "2026-01-31 · series 3 · CT 32×32×12 · came "
        )
        assert page.tab.inner_text("#which") == "P0001 · 2026-01-31 · series 3 · Axial/T2"
        page.tab.select_option("#model", "organs")
        said = "This model learned from MR; this image is CT in HU."
        assert page.tab.inner_text("#doubt") == said
        page.tab.click("#model-facts > details > summary")
        facts = page.tab.inner_text("#model-facts")
        assert "Dice\n0.910\n0.880 to 0.930 · baseline 0.100" in facts  # of all cases, as is said once
        assert "HD95 (mm)\n8.000\n6.500 to 9.500 · n = 17 · baseline 7.000" in facts and "Log loss" in facts
        assert (
            "Measured on 20 cases of 18 patients, test split of other data than it was fitted with (3f2a91cc)."
            in facts
        )
        assert "Liver\n" not in facts and "Baseline: the empty mask." in facts
        assert page.tab.inner_text("#model-facts .warn") == "Does not clearly beat the baseline in HD95 (mm)."
        worse = page.tab.inner_text("#model-facts .wrong")
        assert worse == "Worse than the baseline, a trivial answer, in Log loss."
        with page.tab.expect_popup() as opened:
            page.tab.click("#model-facts a")
        opened.value.locator("#details h2", has_text="Model details").wait_for()
        assert (
            opened.value.evaluate("getComputedStyle(document.querySelector('.card')).borderRadius") == "10px"
        )
        opened.value.close()
        page.picture("told")
        page.tab.locator("#studies button.row").click()  # with the mouse: Enter asks
        page.tab.keyboard.press("Enter")
        page.wait(".legend li")
        name, _ = page.saved(lambda: page.tab.click('[data-file="seg.dcm"]'))
        assert name == "P0001-Axial-T2-seg.dcm"
        name, _ = page.saved(lambda: page.tab.keyboard.press("p"))
        assert name == "P0001-Axial-T2-view.png"
        page.tab.select_option("#model", "chest")  # though organs answered
        page.tab.reload()
        page.wait("#place", "slice")
        assert page.tab.input_value("#model") == "chest"
        page.drop([('film "1".png', picture), ("other.png", picture)])
        page.wait("#cases li")
        assert "2 patients" not in page.tab.inner_text("#studies")
        names = page.tab.locator("#cases .name").all_inner_texts()
        assert names == ["1. P0001 · Axial/T2", "2. P0002 · Axial/T2"]
        assert page.tab.locator("#studies .name").first.inner_text() == "P0001, P0002 · Axial/T2"
        page.picture("patients")
        page.tab.select_option("#model", "organs")
        assert page.tab.is_disabled("#run")
        assert "neither slices nor a spacing" in page.tab.inner_text("#doubt")
        page.tab.unroute_all()
        page.tab.reload()
        page.wait("#which", 'film "1"')
        page.audit("two pictures")
        assert page.wrong == []
        page.tab.close()


@in_browser
def test_without_a_key_that_may_see_them_no_model_is_said_to_be_missing(
    browser: Any, models: Catalogue, tmp_path: Path
) -> None:
    watching, reading = (
        make(tmp_path / "keys", name, role) for name, role in (("m", "monitor"), ("r", "user"))
    )
    with serving(models, tmp_path / "service", keys=tmp_path / "keys") as address:
        page = Page(browser, address, tmp_path)
        page.wait("#key-dialog[open]")
        assert "A key is needed" in page.tab.inner_text("#model-facts")
        page.tab.fill("#key-input", watching)
        page.tab.keyboard.press("Enter")
        assert "a key is needed" in page.wait("#fault").inner_text().lower()
        assert "A key is needed" in page.tab.inner_text("#model-facts")
        page.picture("monitor")
        page.tab.click("#forget-key")
        page.wait("#key-dialog[open]")
        page.tab.fill("#key-input", reading)
        page.tab.keyboard.press("Enter")
        page.wait("body[data-ready]")
        assert page.tab.locator("#model option").count() == 3
        page.tab.close()
