"""What is known of a patient, in the viewer: a field a column, sent with what is asked, empty for another case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _browser import Page, in_browser, serving
from _bundles import NAMES, sealed

from vesalius.core.bundle import State
from vesalius.serve.http.catalogue import Catalogue

AGE = {"mean": 60.0, "sd": 10.0, "low": 41.0, "high": 80.0, "missing": 0}
SEX = {"values": ["F", "M"], "missing": 4}


@pytest.fixture
def aged(tmp_path: Path) -> Iterator[Catalogue]:
    values = {
        "target": "class",
        "kind": "exclusive",
        "share": [0.5, 0.5],
        "labels": [{"value": k, "name": n} for k, n in enumerate(NAMES)],
        "covariates": {"age": AGE, "sex": SEX},
    }
    sealed(tmp_path / "aged", "classify", "resnet-10", State(values), {}, dims=2, size=(1, 32, 32))
    rows = State(
        {
            "target": "n",
            "unit": "",
            "mean": 2.0,
            "sd": 1.0,
            "low": 1.0,
            "high": 3.0,
            "covariates": {"age": AGE},
            "bare": True,
        }
    )
    sealed(tmp_path / "rows", "regress", "mlp", rows, {}, dims=2, size=(1, 1, 1), imageless=True)
    yield Catalogue([tmp_path / "aged", tmp_path / "rows"], ["cpu"])


@in_browser
def test_what_is_known_is_entered_sent_and_forgotten(
    browser: Any, aged: Catalogue, picture: bytes, tmp_path: Path
) -> None:
    with serving(aged, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.drop([("film.png", picture)])
        page.wait("#place", "column")
        age, sex = page.tab.locator("#known-values input"), page.tab.locator("#known-values select")
        assert page.tab.locator("#known-values label").all_inner_texts()[0].startswith("Age (needed)")
        assert age.get_attribute("placeholder") == "41 to 80"
        assert sex.locator("option").all_inner_texts() == ["not known", "F", "M"]
        age.fill("sixty")
        page.tab.click("#run")
        page.wait("#fault", "not a number")
        age.fill("61")
        sex.select_option("F")
        page.tab.click("#run")
        page.wait(".told", "Told: Age 61, Sex F.")
        page.picture("known")
        page.audit("known")
        page.drop([("other.png", picture[:-1] + b"\x82")])
        page.wait("#studies", "other")
        page.tab.locator("#known-values input:placeholder-shown").wait_for()
        assert age.input_value() == sex.input_value() == ""
        page.tab.select_option("#model", "rows")
        page.wait("#doubt", "looks at no image")
        assert page.tab.locator("#run").is_disabled() and page.tab.locator("#known").is_hidden()
        page.tab.close()
