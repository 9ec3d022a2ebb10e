"""Grades in the viewer and in the service: a ladder in their order, the called one, and the promised range."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from _browser import Page, in_browser, serving
from _bundles import GRADES, grader

from vesalius.serve.http.catalogue import Catalogue


@pytest.fixture
def graded(tmp_path: Path) -> Iterator[Catalogue]:
    grader(tmp_path / "severity")
    threads = torch.get_num_threads()
    yield Catalogue([tmp_path / "severity"], ["cpu"])
    torch.set_num_threads(threads)


def test_a_model_of_grades_says_what_can_be_asked_of_it(graded: Catalogue) -> None:
    about = graded.get(None).about
    assert about["asks"] == ["label", "at_least", "mean_grade"] and about["answer"] == "Scores"
    assert [x["name"] for x in about["labels"]] == list(GRADES) and about["calibrated"]


@in_browser
def test_a_grade_is_called_on_a_ladder_with_its_range(
    browser: Any, graded: Catalogue, picture: bytes, tmp_path: Path
) -> None:
    with serving(graded, tmp_path / "service") as address:
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.drop([("film.png", picture)])
        page.wait("#place", "column")
        page.tab.click("#run")
        page.wait(".grades li")
        rows = page.tab.locator(".grades li")
        assert page.tab.locator(".grades .name").all_inner_texts() == ["Severe", "Moderate", "Mild", "None"]
        p = [float(t.removesuffix(" %")) for t in page.tab.locator(".grades .number").all_inner_texts()][::-1]
        assert sum(p) == pytest.approx(100, abs=0.3)
        median = next(k for k in range(4) if sum(p[: k + 1]) >= 50)
        called = page.tab.locator(".grades li.called")
        assert called.count() == 1 and called.locator(".name").inner_text().casefold() == GRADES[median]
        assert page.tab.inner_text(".big").casefold() == GRADES[median]
        held = [k for k in range(4) if "held" in (rows.nth(3 - k).get_attribute("class") or "")]
        assert held == list(range(held[0], held[-1] + 1)) and median in held
        said = page.tab.inner_text(".promise .big-set").casefold()
        assert said == f"{GRADES[held[0]]} to {GRADES[held[-1]]}" if len(held) > 1 else GRADES[median]
        page.audit("grades")
        name, path = page.saved(lambda: page.tab.click('[data-file="answer.json"]'))
        assert name == "film-answer.json" and b'"decision": "median"' in path.read_bytes()
        assert page.wrong == []
        page.tab.close()
